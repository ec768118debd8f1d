"""What the cloud is told to send: one full list, after every ack and after every burst of changes (P1 4)."""

import contextlib
from collections.abc import AsyncGenerator

import attrs
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from mentra_trio._flow import Overflow
from mentra_trio._link import StreamSpec
from mentra_trio._wire.streams import PlainSubscription, parse_stream
from tests.scripted_cloud import CloudSocket, connected, open_cloud, open_link


async def told(socket: CloudSocket) -> list[str]:
    message = await socket.expect("subscription_update")
    subscriptions: list[str] = message["subscriptions"]
    return subscriptions


async def test_the_system_settings_are_always_in_the_list(autojump_clock: MockClock) -> None:
    """Without them the cloud tells no change of the time zone (P1 5.3)."""
    async with open_cloud() as cloud, open_link(cloud):
        socket = await cloud.accept()
        message = await socket.handshake()

    assert message["subscriptions"] == ["augmentos:*"]
    assert {"packageName", "sessionId", "timestamp"} < set(message)


async def test_opening_a_stream_sends_the_full_list(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en"):
        assert await told(link.socket) == ["transcription:en-US", "augmentos:*"]
        async with link.session.mic.stream():
            assert await told(link.socket) == ["transcription:en-US", "audio_chunk", "augmentos:*"]


async def test_closing_a_stream_sends_the_list_without_it(autojump_clock: MockClock) -> None:
    async with connected() as link:
        async with link.session.mic.stream():
            assert await told(link.socket) == ["audio_chunk", "augmentos:*"]

        assert await told(link.socket) == ["augmentos:*"]


async def test_a_burst_of_changes_is_one_message(autojump_clock: MockClock) -> None:
    """Each one wakes the phone (P1 4.2)."""
    async with connected() as link, contextlib.AsyncExitStack() as stack:
        streams = [link.session.transcription.stream(language) for language in ("en", "de", "fr", "ja")]
        for stream in streams:
            aiter(stream)  # opens it, without a checkpoint
            stack.callback(stream.close)

        assert await told(link.socket) == [f"transcription:{tag}" for tag in ("en-US", "de-DE", "fr-FR", "ja-JP")] + [
            "augmentos:*"
        ]
        await wait_all_tasks_blocked()
        assert link.socket.unread() == []


async def test_streams_that_open_one_after_another_are_one_message(autojump_clock: MockClock) -> None:
    """As the blocks of a handler do: each gives other tasks a turn (P1 4.2)."""
    async with connected() as link:
        session = link.session
        async with session.transcription.stream("en"), session.mic.stream(), session.device.buttons.stream():
            await trio.sleep(1)
            assert await told(link.socket) == ["transcription:en-US", "audio_chunk", "button_press", "augmentos:*"]
            assert link.socket.unread() == []
        await trio.sleep(1)
        assert await told(link.socket) == ["augmentos:*"]
        assert link.socket.unread() == []


async def test_a_stream_that_opens_and_closes_without_end_holds_nothing_up(autojump_clock: MockClock) -> None:
    async def flicker() -> None:
        while True:
            async with link.session.mic.stream():
                pass

    async with connected() as link, trio.open_nursery() as nursery:
        nursery.start_soon(flicker)
        for _ in range(50):
            await trio.lowlevel.checkpoint()
        async with link.session.device.buttons.stream():
            while "button_press" not in await told(link.socket):
                pass
        nursery.cancel_scope.cancel()


async def test_a_change_that_is_taken_back_at_once_is_no_message_of_its_own(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.mic.stream():
        await told(link.socket)
        async with link.session.mic.stream():
            await trio.sleep(1)
        await trio.sleep(1)

        assert link.socket.unread() == []


async def test_a_name_that_comes_and_goes_in_one_tick_is_one_message(autojump_clock: MockClock) -> None:
    """As the reference does it: the recordings have it."""
    async with connected() as link:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                stream = link.session.mic.stream()
                aiter(stream)
                stack.callback(stream.close)
        assert await told(link.socket) == ["augmentos:*"]
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_hints_that_another_stream_gives_already_are_no_message(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en", hints=("ja", "fr")):
        await told(link.socket)
        async with link.session.transcription.stream("en", hints=("ja",)):
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()

        assert link.socket.unread() == []


async def test_a_change_reads_no_other_stream(autojump_clock: MockClock) -> None:
    """The list is made once for all changes of a tick: thousands of streams cost their number, not its square."""
    reads = 0

    @attrs.frozen
    class Counted(PlainSubscription):
        def __getattribute__(self, name: str) -> object:
            nonlocal reads
            reads += name == "name"
            return super().__getattribute__(name)

    async with connected() as link, contextlib.AsyncExitStack() as stack:
        for number in range(100):
            spec = StreamSpec[object](
                name="counted",
                keys=("counted",),
                subscriptions=(Counted(f"s{number}"),),
                capacity=1,
                overflow=Overflow.LATEST,
            )
            stream = link.runtime.subscribe(spec)
            aiter(stream)
            stack.callback(stream.close)
        assert len(await told(link.socket)) == 101

        assert reads == 300  # for what it needs, when it opens, and for the list


async def test_streams_without_a_subscription_change_nothing(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.raw.messages(), link.session.settings.stream():
        await trio.sleep(1)

        assert link.socket.unread() == []


async def test_the_full_list_follows_every_ack(autojump_clock: MockClock) -> None:
    """Also when the cloud says that it has it (P1 4.2)."""
    async with connected() as link, link.session.device.buttons.stream():
        await told(link.socket)
        socket = link.socket
        for _ in range(3):
            await socket.cut()
            socket = await link.cloud.accept()
            await socket.open()
            await socket.ack(subscriptions=["button_press", "augmentos:*"])
            assert await told(socket) == ["button_press", "augmentos:*"]


async def test_changes_while_the_link_is_down_converge(autojump_clock: MockClock) -> None:
    async with connected() as link:
        await link.socket.cut()
        socket = await link.cloud.accept()
        await socket.open()
        async with link.session.mic.stream():
            await trio.sleep(1)
        async with link.session.device.head.stream():
            await trio.sleep(1)
            assert socket.unread() == []
            await socket.ack()
            assert await told(socket) == ["head_position", "augmentos:*"]
            await wait_all_tasks_blocked()
            assert socket.unread() == []


async def test_changes_in_the_middle_of_a_write_follow_it(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        async with link.session.mic.stream():
            await wait_all_tasks_blocked()
            async with link.session.device.head.stream():
                await wait_all_tasks_blocked()
                link.socket.line.unblock()
                assert await told(link.socket) == ["audio_chunk", "augmentos:*"]
                assert await told(link.socket) == ["audio_chunk", "head_position", "augmentos:*"]


async def test_a_list_that_was_lost_with_its_socket_is_sent_on_the_next(autojump_clock: MockClock) -> None:
    async with connected() as link:
        link.socket.line.block()
        async with link.session.mic.stream():
            await wait_all_tasks_blocked()
            await link.socket.cut()
            socket = await link.cloud.accept()
            await socket.open()
            await socket.ack()

            assert await told(socket) == ["audio_chunk", "augmentos:*"]


async def test_hints_of_one_language_are_united(autojump_clock: MockClock) -> None:
    """One string a language: of several, only the first would be used (P2 3.6, T9)."""
    async with connected() as link, link.session.transcription.stream("en", hints=["ja"]):
        assert await told(link.socket) == ["transcription:en-US?hints=ja", "augmentos:*"]
        async with link.session.transcription.stream("en", hints=["fr", "de"]):
            assert await told(link.socket) == ["transcription:en-US?hints=de%2Cfr%2Cja", "augmentos:*"]
        assert await told(link.socket) == ["transcription:en-US?hints=ja", "augmentos:*"]


async def test_streams_of_several_languages_name_each_once(autojump_clock: MockClock) -> None:
    async with connected() as link, link.session.transcription.stream("en", "EN-us", "de_DE"):
        assert await told(link.socket) == ["transcription:en-US", "transcription:de-DE", "augmentos:*"]


async def test_every_name_that_is_sent_can_be_parsed_by_the_cloud(autojump_clock: MockClock) -> None:
    """One that cannot stops the speech of the wearer's other apps (P2 1.4.3)."""
    async with connected() as link, contextlib.AsyncExitStack() as stack:
        for tags in (("en",), ("zh-Hans-CN",), ("es-419",), ("pt_BR",), ("auto",), ("fil",)):
            await stack.enter_async_context(link.session.transcription.stream(*tags, hints=["he", "zh-TW"]))
        await stack.enter_async_context(link.session.raw.stream("touch_event:double_tap"))
        await trio.sleep(1)
        names = link.socket.unread()[-1]["subscriptions"]

        assert len(names) == 8
        assert all(parse_stream(name) is not None for name in names)


@pytest.mark.parametrize("ending", ["end", "stopped"])
async def test_the_end_of_a_session_takes_no_subscription_back(autojump_clock: MockClock, ending: str) -> None:
    """They belong to the app, which may be started again at once; an empty list would be told as a change."""

    @contextlib.asynccontextmanager
    async def streams() -> AsyncGenerator[None, None]:
        async with link.session.mic.stream(), link.session.transcription.stream():
            yield

    async with connected() as link:
        async with streams():
            await wait_all_tasks_blocked()
            assert link.socket.unread()
            if ending == "end":
                await link.session.end()
            else:
                await link.socket.send("app_stopped")
                await link.runtime.over.wait()
            await trio.sleep(1)
        await trio.sleep(1)

        assert link.socket.unread() == []
