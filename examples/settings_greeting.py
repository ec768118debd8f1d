"""Greet the wearer as the app's settings page says, and again when it changes."""

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer(package_name="com.example.greeting")


@app.on_session
async def greet(session: MentraSession) -> None:
    async with session.settings.stream("name", "loud") as changes:  # before the first look, so that none is missed
        await show(session)
        async for _ in changes:
            await show(session)


async def show(session: MentraSession) -> None:
    greeting = f"Hello, {session.settings.get('name', 'stranger')}"
    if session.settings.get("loud", False):
        greeting = greeting.upper()
    await session.display.show_text_wall(greeting)


if __name__ == "__main__":
    app.run()
