"""Keep a shopping list from one day to the next: "buy milk", "got milk", "clear the list"."""

import attrs

from mentra_trio import MentraSession, MiniAppServer
from mentra_trio.errors import DecodeError, StorageError

app = MiniAppServer(package_name="com.example.shopping")


@attrs.frozen
class Item:
    """Something to buy."""

    name: str
    said_at: str
    """When, as ISO 8601."""


async def show(session: MentraSession, items: list[Item]) -> None:
    """Show what is to be bought."""
    await session.display.show_text_wall("\n".join(item.name for item in items) or "Nothing to buy")


@app.on_session
async def shopping(session: MentraSession) -> None:
    """Listen for what is to be bought. Changes are written by themselves, also when the session ends."""
    try:
        items = await session.storage.get("list", as_type=list[Item]) or []
    except DecodeError:
        items = []  # an older version of this app has stored something else
    except StorageError:
        await session.display.show_text_wall("Your list cannot be read now")
        return
    await show(session, items)
    async with session.transcription.stream("en", interim=False) as lines:
        async for line in lines:
            verb, _, name = line.text.strip(".! ").lower().partition(" ")
            if verb == "buy" and name:
                items.append(Item(name, line.received_at.isoformat()))
            elif verb == "got":
                items = [item for item in items if item.name != name]
            elif verb == "clear":
                items = []
            await session.storage.set("list", items)
            await show(session, items)


if __name__ == "__main__":
    app.run()
