"""One socket: upgrade, frames, sizes, life signs, strictness (P1 2.1, 2.5, 2.8, 2.11, A12)."""

from collections.abc import Sequence

import attrs
import pytest
import trio
from trio.testing import MockClock

from mentra_trio.errors import ConnectFailedError
from mentra_trio.simulator import AppConnection, AppState, Cloud, Mode, ViolationsError
from mentra_trio.simulator.connection import Identity

from .apps import ALPHA, BETA, KEYS, USER, headers, settle, world


async def test_p1_2_1_both_paths_are_the_same(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.open(path="/ws/miniapp")
        await here.open(path="/app-ws?x=1")
        with pytest.raises(ConnectFailedError) as refused:
            await here.open(path="/socket")

        assert refused.value.status == 404


@pytest.mark.parametrize("given", [{"authorization": "Bearer x"}, {"authorization": "Bearer a.b.c", "x-user-id": USER}])
async def test_p1_2_1_a_bad_app_token_is_refused_at_the_upgrade(
    autojump_clock: MockClock, given: dict[str, str]
) -> None:
    async with world() as here:
        with pytest.raises(ConnectFailedError) as refused:
            await here.open(given)

        assert refused.value.status == 401


async def test_p1_0_the_user_header_is_lower_cased(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.nursery.start_soon(here.user.start, ALPHA)
        await settle()
        socket = await here.open(headers(x_user_id=USER.upper()))
        await socket.init()

        assert socket.types()[0] == "tpa_connection_ack"


@pytest.mark.parametrize("text", ["{not json", "", "null", "[" * 100_000])
async def test_p1_2_5_what_is_not_json_closes_with_1011(autojump_clock: MockClock, text: str) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.transport.send(text)
        await settle()

        assert socket.end == (1011, "Internal server error")
        assert here.user.state_of(ALPHA) is AppState.TRANSPORT_DOWN


@pytest.mark.parametrize("text", ["42", '"hi"', "[1,2]", "true", '{"hello":1}', '{"type":"does_not_exist"}'])
async def test_p1_0_what_has_no_known_type_is_ignored(autojump_clock: MockClock, text: str) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.transport.send(text)
        await settle()

        assert (len(socket.got), socket.end) == (2, None)
        assert [violation.rule for violation in here.cloud.violations] == ["P1 10.1"]


async def test_p1_2_11_a_binary_frame_that_begins_like_json_is_json(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.transport.send(b'{"type":"ping"}')
        await socket.transport.send(b"\x01\x02\x03")
        await socket.transport.send(b"")
        await settle()
        assert socket.last()["type"] == "pong"

        await socket.transport.send(b"{\xff\xfe")
        await settle()
        assert socket.end == (1011, "Internal server error")


async def test_p1_2_11_messages_end_at_sixteen_mebibytes(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        limit = 16 * 2**20
        await socket.transport.send('{"type":"nothing","pad":"' + "x" * (limit - 27) + '"}')
        await settle()
        assert socket.end is None
        await socket.transport.send('{"type":"nothing","pad":"' + "ä" * (limit // 2) + '"}')
        await settle()

        assert socket.end == (1009, "Received too big message")


async def test_p1_2_8_a_json_ping_is_answered_even_before_the_init(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.open({})
        await socket.send("ping", n=7)
        await socket.send("pong")
        await settle()

        assert socket.messages() == [{"type": "pong", "timestamp": 1782554400000}]


async def test_p1_2_8_the_oldest_clouds_do_not_answer_pings(autojump_clock: MockClock) -> None:
    async with world() as here:
        here.cloud.faults.no_pong = True
        socket = await here.open({})
        await socket.send("ping")
        await settle()

        assert socket.messages() == []


async def test_p1_2_8_a_socket_without_an_init_lives_as_long_as_it_answers_pings(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.open({})
        await trio.sleep(1000)

        assert socket.end is None


async def test_p1_2_8_a_silent_socket_is_cut_after_its_last_chance(autojump_clock: MockClock) -> None:
    async with world() as here:
        await here.open({})
        (connection,) = here.cloud.connections
        connection.freeze()
        await trio.sleep(115.9)
        assert not connection.ended.is_set()
        await trio.sleep(0.2)

        assert connection.ended.is_set()


async def test_a_frozen_line_ends_when_both_sides_are_gone(autojump_clock: MockClock) -> None:
    async with world() as here:
        before = trio.lowlevel.current_statistics().tasks_living
        socket = await here.open({})
        (connection,) = here.cloud.connections
        connection.freeze()
        connection.close(1000, "bye")
        with trio.move_on_after(5):
            await socket.close()
        await trio.sleep(10)

        assert trio.lowlevel.current_statistics().tasks_living == before


async def test_p1_2_2_a_message_before_any_init_is_believed(autojump_clock: MockClock) -> None:
    async with world() as here:
        attached = await here.start()
        stranger = await here.open()
        await stranger.subscribe("button_press")
        here.user.phone_message({"type": "button_press"})
        await settle()

        assert len(attached.streams()) == 1


async def test_p1_2_5_without_the_wearer_messages_are_answered_and_the_socket_stays(autojump_clock: MockClock) -> None:
    async with world(connect=False) as here:
        socket = await here.open()
        await socket.subscribe("button_press")

        assert (socket.last()["code"], socket.end) == ("SESSION_NOT_FOUND", None)


@pytest.mark.parametrize(
    ("subscriptions", "text"),
    [
        ("null", "null is not an object (evaluating 'subscriptions.length')"),
        ("5", "subscriptions is not iterable"),
    ],
)
async def test_p1_4_2_subscriptions_that_are_no_list_close_with_1008(
    autojump_clock: MockClock, subscriptions: str, text: str
) -> None:
    async with world() as here:
        socket = await here.start()
        message = f'{{"type":"subscription_update","packageName":"{ALPHA}","subscriptions":{subscriptions}}}'
        await socket.transport.send(message)
        await settle()

        assert socket.last()["code"] == "MALFORMED_MESSAGE"
        assert socket.last()["message"] == f"Invalid subscription type: {text}"
        assert socket.end == (1008, f"Invalid subscription type: {text}")


@attrs.define(eq=False)
class QuietTransport:
    """A peer that says only what the test says, and never answers a ping."""

    pings: list[float] = attrs.field(factory=list[float])
    said: trio.MemoryReceiveChannel[str] | None = None

    async def receive(self) -> Sequence[str | bytes]:
        if self.said is None:
            await trio.sleep_forever()
            raise AssertionError
        return [await self.said.receive()]

    async def send(self, message: str | bytes) -> None:
        await trio.lowlevel.checkpoint()

    async def ping(self) -> None:
        self.pings.append(trio.current_time())
        await trio.sleep_forever()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await trio.lowlevel.checkpoint()


async def test_p1_2_8_an_attached_socket_is_pinged_every_ten_seconds_and_never_closed_for_it(
    autojump_clock: MockClock,
) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        nursery.start_soon(here.user.start, ALPHA)
        await trio.sleep(1)
        say, said = trio.open_memory_channel[str](1)
        transport = QuietTransport(said=said)
        connection = here.cloud.upgrade("/ws/miniapp", headers())
        assert isinstance(connection, AppConnection)
        nursery.start_soon(connection.serve, transport)
        await trio.sleep(4)
        await say.send(f'{{"type":"tpa_connection_init","packageName":"{ALPHA}","apiKey":"{KEYS[ALPHA]}"}}')
        await trio.sleep(145)

        assert transport.pings == [float(at) for at in range(15, 150, 10)]
        assert not connection.ended.is_set()
        nursery.cancel_scope.cancel()


async def test_p1_2_8_a_socket_without_an_init_is_pinged_after_a_hundred_silent_seconds(
    autojump_clock: MockClock,
) -> None:
    async with world() as here, trio.open_nursery() as nursery:
        transport = QuietTransport()
        connection = here.cloud.upgrade("/ws/miniapp", headers())
        assert isinstance(connection, AppConnection)
        nursery.start_soon(connection.serve, transport)
        await connection.ended.wait()

        assert (transport.pings, trio.current_time()) == ([100.0], 116.0)


# --- strict mode (P1 A12)


def strict() -> Cloud:
    return Cloud(mode=Mode.STRICT)


async def test_p1_a12_a_correct_app_passes_strict_mode(autojump_clock: MockClock) -> None:
    async with world(cloud=strict(), model="Simulated Glasses") as here:
        socket = await here.start()
        await socket.subscribe("transcription:en-US", "button_press", "augmentos:*")
        await trio.sleep(2)
        await socket.show("one")
        await trio.sleep(0.3)
        await socket.show("two")
        await socket.send("ping")
        await here.user.stop(ALPHA)


async def test_p1_a12_violations_fail_the_test_at_the_end(autojump_clock: MockClock) -> None:
    with pytest.raises(ViolationsError, match=r"0\.000 s, com\.example\.alpha: .* unknown type 'bogus' \(P1 10\.1\)"):  # noqa: PT012 - it comes at the end of the world
        async with world(cloud=strict()) as here:
            socket = await here.start()
            await socket.send("bogus", packageName=ALPHA)
            await settle()


async def test_p1_a12_an_exception_of_the_test_goes_first_and_unwrapped(autojump_clock: MockClock) -> None:
    cloud = strict()
    with pytest.raises(KeyError):  # noqa: PT012 - the block is what raises
        async with cloud.running():
            cloud.report(ALPHA, "P1 0", "it did something")
            raise KeyError


async def test_p1_a12_strict_mode_refuses_messages_on_a_socket_without_init(autojump_clock: MockClock) -> None:
    with pytest.raises(ViolationsError, match="without init or reconnect"):  # noqa: PT012 - it comes at the end of the world
        async with world(cloud=strict()) as here:
            await here.start()
            await (await here.open()).subscribe("button_press")
            app = here.user.app(ALPHA)
            assert app is not None
            assert app.subscriptions.names == ()


async def test_p1_a12_strict_mode_refuses_messages_before_the_ack(autojump_clock: MockClock) -> None:
    with pytest.raises(ViolationsError, match="before the ack"):  # noqa: PT012 - it comes at the end of the world
        async with world(cloud=strict()) as here:
            here.cloud.faults.ack_delay = 1
            here.nursery.start_soon(here.user.start, ALPHA)
            await settle()
            socket = await here.open()
            await socket.init()
            await socket.subscribe("button_press")


async def test_p1_a12_strict_mode_refuses_messages_while_parked(autojump_clock: MockClock) -> None:
    with pytest.raises(ViolationsError, match="while parked"):  # noqa: PT012 - it comes at the end of the world
        async with world(cloud=strict(), connect=False) as here:
            socket = await here.open()
            await socket.reconnect()
            await socket.subscribe("button_press")
            assert socket.types() == ["reconnect_deferred"]


async def test_p1_a12_strict_mode_refuses_another_apps_name(autojump_clock: MockClock) -> None:
    with pytest.raises(ViolationsError, match=BETA):  # noqa: PT012 - it comes at the end of the world
        async with world(cloud=strict(), model="Simulated Glasses") as here:
            await here.start(BETA)
            socket = await here.start()
            await trio.sleep(2)
            await socket.show("pretending", BETA)
            assert "pretending" not in here.user.glasses.screen.text


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        ("transcription:en", "P2 1.4.3"),
        ("translation:en-ja", "P2 1.4.3"),
        ("local_transcription", "P2 1.4.3"),
        ("*", "P1 4.1"),
        ("location_update", "P1 4.3"),
    ],
)
async def test_p1_a12_harmful_subscriptions_are_reported(autojump_clock: MockClock, entry: str, rule: str) -> None:
    async with world(permissions=["MICROPHONE"]) as here:
        socket = await here.start()
        await socket.subscribe(entry)

        assert [violation.rule for violation in here.cloud.violations] == [rule]


@pytest.mark.parametrize(
    "layout", [None, {}, {"layoutType": "made_up"}, {"layoutType": "reference_card", "title": "t"}]
)
async def test_p1_a12_layouts_that_cannot_be_drawn_are_reported(autojump_clock: MockClock, layout: object) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.show("", layout=layout)

        assert [violation.rule for violation in here.cloud.violations] == ["P3 1.2"]


async def test_p1_a12_displays_in_a_burst_are_reported(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.show("one")
        await trio.sleep(0.29)
        await socket.show("two")
        await socket.show("three", forceDisplay=True)

        assert [violation.rule for violation in here.cloud.violations] == ["P3 1.5"]


async def test_what_is_sent_to_a_socket_that_ends_is_lost_and_nobody_waits_for_it(autojump_clock: MockClock) -> None:
    """Only the first of several ends counts."""
    async with world() as here:
        socket = await here.start()
        connection = here.user.socket(ALPHA)
        connection.close(1001, "first")
        connection.close(1008, "second")
        connection.send({"type": "late"})
        await connection.wait_read()
        await settle()

        assert socket.end == (1001, "first")
        assert "late" not in socket.types()
        assert trio.current_time() == 0


async def test_p1_2_10_an_app_that_reads_nothing_misses_messages_and_then_its_socket(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.subscribe("phone_notification")
        connection = here.user.socket(ALPHA)
        for _ in range(10_002):  # at once: its writer takes one, and ten thousand wait
            connection.send({"type": "flood"})
        assert [violation.rule for violation in here.cloud.violations] == ["P1 2.10"]
        connection.close(1000, "bye")
        await settle()

        assert socket.end is not None
        assert socket.end[0] == 1006


async def test_p3_4_6_sound_on_a_socket_without_an_init_is_ignored(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.open()
        await socket.transport.send(b"0f8fad5b-d9cb-469f-a165-70867728950e sound")
        await settle()

        assert (socket.got, socket.end, here.cloud.violations) == ([], None, ())


async def test_p1_2_7_a_release_in_the_name_of_an_app_that_never_ran_changes_nothing(autojump_clock: MockClock) -> None:
    async with world() as here:
        socket = await here.start()
        await socket.send("ownership_release", packageName="com.example.nobody")
        await socket.close()

        assert here.user.state_of(ALPHA) is AppState.TRANSPORT_DOWN


async def test_a_thousand_violations_are_enough() -> None:
    cloud = Cloud()
    await settle()
    for number in range(1_001):
        cloud.report(ALPHA, "P1 0", str(number))

    assert [violation.text for violation in cloud.violations] == [str(number) for number in range(1_000)]


async def test_a_socket_without_a_line_cannot_be_disturbed(autojump_clock: MockClock) -> None:
    """Whoever carries bytes by other means than the engine has no faults of the line."""
    connection = AppConnection(Cloud(), Identity())
    connection.freeze()
    connection.slow_down(1.0)
    await settle()

    assert connection.line is None
