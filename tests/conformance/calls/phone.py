"""The phone: notifications and the calendar."""

from tests.conformance.app import App, describe
from tests.conformance.timeline import Item

from .tables import Table


def _notifications(app: App, item: Item) -> None:
    app.listen(item, app.session(item).phone.notifications.stream(), describe)


def _dismissals(app: App, item: Item) -> None:
    app.listen(item, app.session(item).phone.dismissals.stream(), describe)


def _calendar(app: App, item: Item) -> None:
    app.listen(item, app.session(item).phone.calendar.stream(), describe)


TABLE = Table(
    registrations={
        "phone.notifications.on": _notifications,
        "phone.notifications.on_dismissed": _dismissals,
        "phone.calendar.on": _calendar,
    }
)
