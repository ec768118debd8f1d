"""Two people, two languages: show what each says in the other's."""

from mentra_trio import MentraSession, MiniAppServer

app = MiniAppServer(package_name="com.example.between")


@app.on_session
async def interpret(session: MentraSession) -> None:
    await session.display.show_text_wall("Speak English or Spanish")
    async with session.translation.between("en", "es").stream() as lines:
        async for line in lines:
            if line.is_final:
                await session.display.show_reference_card(line.original_text or line.source_language, line.text)
            else:
                await session.display.show_text_wall(f"{line.text} ...")


if __name__ == "__main__":
    app.run()
