"""An app that a test runs as a program: `served_app.py HANDLER [quiet]`. Without `quiet` it logs to stdout."""

import logging
import os
import sys

import trio

from mentra_trio import MentraSession, MiniAppServer, SessionConfig

hasty = SessionConfig(shutdown_grace=0.1, finish_timeout=0.1, close_timeout=0.1, drain_timeout=0.1)
app = MiniAppServer(
    "com.example.app",
    "key",
    host="127.0.0.1",
    port=int(os.environ.get("PORT", "0")),
    dev=True,
    session_config=hasty if "shielded" in sys.argv else None,
)


async def idle(session: MentraSession) -> None:
    """Wait until the session is over."""
    async with session.raw.messages() as messages:
        logging.info("waiting")
        async for _ in messages:
            pass


async def shielded(session: MentraSession) -> None:
    """Refuse to be cancelled."""
    with trio.CancelScope(shield=True):
        logging.info("waiting")
        await trio.sleep_forever()


async def busy(session: MentraSession) -> None:
    """Never await again, once the cloud says so."""
    async with session.raw.messages() as messages:
        logging.info("waiting")
        await anext(messages)
    logging.info("busy")
    while True:  # noqa: ASYNC913 - on purpose
        pass


if __name__ == "__main__":
    if "quiet" not in sys.argv:
        logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    app.on_session({"idle": idle, "shielded": shielded, "busy": busy}[sys.argv[1]])
    app.run()
    logging.info("run has returned")
