"""What the wearer sees."""

from typing import TYPE_CHECKING, cast

from tests.conformance.app import App
from tests.conformance.timeline import Item

from .tables import Call, Table

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def _display(name: str) -> Call:
    async def show(app: App, item: Item) -> None:
        method = cast("Callable[..., Awaitable[None]]", getattr(app.session(item).display, name))
        arguments = [argument for argument in item.args if argument != "<undefined>"]
        await method(*arguments, **item.kwargs)

    return show


TABLE = Table(
    calls={
        f"display.{name}": _display(name)
        for name in (
            "show_text",
            "show_text_wall",
            "show_double_text_wall",
            "show_reference_card",
            "show_dashboard_card",
            "show_bitmap",
            "clear",
        )
    }
)
