"""Values that outlive the session (P3 9)."""

from __future__ import annotations

import enum
import logging
import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Literal, TypedDict, cast

import attrs
import pytest
import trio
from trio.testing import MockClock, assert_checkpoints, wait_all_tasks_blocked

from mentra_trio import LinkState, MentraSession, SessionClosedError, SessionConfig
from mentra_trio._net.rest import HttpAnswer, HttpClient
from mentra_trio._wire.actions.storage import from_text, make_values, to_text
from mentra_trio.errors import DecodeError, StorageError, StorageLimitError, StorageRateError

from .worlds import PACKAGE, USER, World, open_world

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mentra_trio._net.rest import HttpRequest

PATH = "/api/sdk/simple-storage/ana.lopez%2Bx%40example.com"


def puts(world: World) -> list[tuple[float, object]]:
    """When what was written."""
    written = [(call.at, call.body) for call in world.calls("PUT")]
    return [(at, cast("dict[str, object]", body).get("data")) for at, body in written]


@attrs.define(eq=False)
class StuckCalls:
    """A network on which one call goes nowhere."""

    inner: HttpClient
    which: int
    """Which one, counted from 1."""
    count: int = 0

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        self.count += 1
        if self.count == self.which:
            await trio.sleep_forever()
        return await self.inner.exchange(request, largest=largest)

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        await self.inner.aclose()


@attrs.define(eq=False)
class SlowAnswers:
    """A network on which answers travel long: the cloud has done what it was asked when the app still waits."""

    inner: HttpClient
    method: str

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        answer = await self.inner.exchange(request, largest=largest)
        await trio.sleep(2 if request.method == self.method else 0)
        return answer

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        await self.inner.aclose()


@attrs.define(eq=False)
class LongAddresses:
    """A network with a server that refuses addresses of kilobytes."""

    inner: HttpClient

    async def exchange(self, request: HttpRequest, *, largest: int) -> HttpAnswer:
        """See `HttpClient.exchange`."""
        if len(request.url.target) > 8000:
            await trio.lowlevel.checkpoint()
            return HttpAnswer(status=414)
        return await self.inner.exchange(request, largest=largest)

    async def aclose(self) -> None:
        """See `HttpClient.aclose`."""
        await self.inner.aclose()


async def settle() -> None:
    await wait_all_tasks_blocked()


async def raises_storage_error(call: Callable[[], Awaitable[None]]) -> None:
    with pytest.raises(StorageError):
        await call()


class TestReading:
    async def test_everything_is_loaded_once(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "theme", "dark")
            storage = world.session.storage

            assert await storage.get("theme") == "dark"
            assert await storage.get("nothing") is None
            assert await storage.get("nothing", "light") == "light"
            assert await storage.has("theme")
            assert not await storage.has("constructor")
            assert await storage.keys() == ("theme",)
            assert await storage.items() == (("theme", "dark"),)
            assert [(call.method, call.target) for call in world.calls()] == [("GET", PATH)]

    async def test_tasks_that_ask_at_the_same_time_share_one_question(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, trio.open_nursery() as nursery:
            world.cloud.faults.http_delay = 1
            for key in "abc":
                nursery.start_soon(world.session.storage.get, key)
            await trio.sleep(2)

            assert len(world.calls("GET")) == 1

    async def test_the_one_who_asks_may_be_cancelled(self, autojump_clock: MockClock) -> None:
        """The others then ask themselves."""
        async with open_world() as world, trio.open_nursery() as nursery:
            world.user.store_value(PACKAGE, "a", "1")
            world.cloud.faults.http_delay = 1
            found: list[str | None] = []

            async def read() -> None:
                found.append(await world.session.storage.get("a"))

            with trio.move_on_after(0.5):
                nursery.start_soon(read)
                await world.session.storage.get("a")
            await trio.sleep(3)

            assert found == ["1"]

    async def test_an_empty_storage_is_no_error(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            assert await world.session.storage.items() == ()

    async def test_a_storage_that_cannot_be_read_is_not_an_empty_one(self, autojump_clock: MockClock) -> None:
        """P3 9.5: it is asked again, but not by every call."""
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a", "1")
            storage = world.session.storage
            world.cloud.faults.http_status = 500

            for _ in range(3):
                with pytest.raises(StorageError) as caught:
                    await storage.get("a")
                assert caught.value.status == 500
            assert len(world.calls("GET")) == 1
            world.cloud.faults.http_status = None
            await trio.sleep(1)

            assert await storage.get("a") == "1"

    async def test_a_cloud_that_is_away(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.cloud.faults.refuse_connects = True
            with pytest.raises(StorageError) as caught:
                await world.session.storage.keys()

            assert caught.value.status is None
            assert "cannot be reached" in str(caught.value)

    async def test_a_cloud_that_does_not_answer(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            begun = trio.current_time()
            world.cloud.faults.http_delay = math.inf
            with pytest.raises(StorageError, match="within 10 s"):
                await world.session.storage.keys()

            assert trio.current_time() == begun + 10

    async def test_a_value_without_a_name_is_nobodys(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "", "1")
            world.user.store_value(PACKAGE, "a", "2")

            assert await world.session.storage.keys() == ("a",)

    async def test_another_server_of_the_app_is_seen_after_a_reload(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("mine", "1")
            world.user.store_value(PACKAGE, "theirs", "2")
            assert await storage.get("theirs") is None
            await storage.reload()

            assert dict(await storage.items()) == {"mine": "1", "theirs": "2"}

    async def test_reading_is_a_checkpoint_also_from_memory(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            for call in (storage.get, storage.has):
                with assert_checkpoints():
                    await call("a")
            for read in (storage.keys, storage.items, storage.flush, storage.reload):
                with assert_checkpoints():
                    await read()


@attrs.frozen
class Score:
    name: str
    points: int


@attrs.frozen
class Note:
    extra: dict[str, object]
    anything: object = None


@attrs.frozen
class Options:
    theme: str = "dark"


@dataclass
class Settings:
    size: int = 1


@attrs.frozen
class Tree:
    branches: list[Tree] = attrs.field(factory=list["Tree"])


class Fields(TypedDict, total=False):
    a: str


class Size(enum.Enum):
    SMALL = "small"


class Level(int, enum.Enum):
    LOW = 1


class TestValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("text", "text"),
            ("", ""),
            (42, "42"),
            (1.5, "1.5"),
            (True, "true"),
            (None, "null"),
            ({"a": [1, "x", None], "ü": "🙂"}, '{"a":[1,"x",null],"ü":"🙂"}'),
            ([1, 2], "[1,2]"),
            (Score("Ana", 3), '{"name":"Ana","points":3}'),
            (Size.SMALL, '"small"'),
        ],
    )
    async def test_a_value_is_spelled(self, autojump_clock: MockClock, value: object, text: str) -> None:
        async with open_world() as world:
            await world.session.storage.set("k", value)

            assert await world.session.storage.get("k") == text

    async def test_a_value_is_read_as_its_type(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            values: dict[str, object] = {"n": 42, "l": ["a"], "s": Score("Ana", 3), "e": Size.SMALL, "i": Level.LOW}
            values["x"] = 42.0
            await storage.set_many(values)

            assert await storage.get("n", as_type=int) == 42
            assert await storage.get("n", as_type=float) == 42.0
            assert await storage.get("x", as_type=int) == 42
            assert await storage.get("n") == "42"
            assert await storage.get("l", as_type=list[str]) == ["a"]
            assert await storage.get("s", as_type=Score) == Score("Ana", 3)
            assert await storage.get("e", as_type=Size) is Size.SMALL
            assert await storage.get("i", as_type=Level) is Level.LOW
            assert await storage.get("nothing", 7, as_type=int) == 7

    @pytest.mark.parametrize(
        ("value", "kind"),
        [
            ({"a": 1, "b": [None, "x"]}, dict[str, object]),
            ([1, "a"], list[object]),
            (1, object),
            ("plain", object),
            (Note({"a": 1}, [2]), Note),
            ({1: "a", 2: "b"}, dict[int, str]),
            ({1.5: [{3: 4}]}, dict[float, list[dict[int, int]]]),
            ({Level.LOW: Score("Ana", 3)}, dict[Level, Score]),
            ({Size.SMALL: 1}, dict[Size, int]),
            ({"5": "a"}, dict[str, str]),
            ("plain", str | None),
            ("5", str | None),
            (None, str | None),
            (None, int | None),
            ("5", int | str),
            ('"5"', int | str),
            ("[1]", str | None),
            ("x", Literal["x"]),
            ("5", Literal["5", "6"]),
            (5, Literal[5, "6"]),
        ],
    )
    async def test_what_can_be_stored_can_be_read(
        self, autojump_clock: MockClock, value: object, kind: type[object]
    ) -> None:
        async with open_world() as world:
            await world.session.storage.set("k", value)
            found = await world.session.storage.get("k", as_type=kind)

            assert (found, type(found)) == (value, type(value))

    @pytest.mark.parametrize(
        ("text", "kind"),
        [
            ("42", list[str]),
            ('{"one":"a"}', dict[int, str]),
            ('{"[1]":"a"}', dict[int, str]),
            ("[1]", dict[int, str]),
            ("y", Literal["x"]),
            ("[1]", int | None),
            ('"42"', int),
            ("42", bool),
            ("true", int),
            ("{", dict[str, int]),
            ('{"name":"Ana"}', Score),
        ],
    )
    async def test_what_is_stored_may_be_something_else(
        self, autojump_clock: MockClock, text: str, kind: type[object]
    ) -> None:
        async with open_world() as world:
            await world.session.storage.set("k", text)
            with pytest.raises(DecodeError, match="stored value") as caught:
                await world.session.storage.get("k", as_type=kind)

            assert "Ana" not in str(caught.value)

    @pytest.mark.parametrize("kind", [list[str], list, set[str], tuple[str, ...], Sequence[str], deque[str]])
    @pytest.mark.parametrize("text", ['{"a":"1","b":"2"}', "{}", '"ab"', '""', "5", "null"])
    def test_only_a_list_is_read_as_one(self, text: str, kind: type[object]) -> None:
        """An older version of the app has stored something else, which must not be taken for its keys or letters."""
        with pytest.raises(DecodeError):
            from_text(text, kind)

    @pytest.mark.parametrize("kind", [Options, Settings, dict, dict[str, object], Fields, list[Options], Tree])
    @pytest.mark.parametrize("text", ["[]", '[["a","b"]]', '"ab"', '""', "5", "null", '["ab"]'])
    def test_only_an_object_is_read_as_one(self, text: str, kind: type[object]) -> None:
        """Else a class whose fields all have defaults would be made of anything."""
        if kind == list[Options] and text == "[]":
            return
        with pytest.raises(DecodeError):
            from_text(text, kind)

    @pytest.mark.parametrize("kind", [Options, dict, dict[str, int], Mapping[str, int], Counter[str], Fields])
    @pytest.mark.parametrize(
        "outer", [list, dict[str, dict[str, int]], dict[int, Counter[str]], list[dict[str, str]], Tree]
    )
    def test_what_was_read_before_does_not_matter(self, kind: type[object], outer: type[object]) -> None:
        values = make_values()
        values.structure({}, kind)
        with suppress(Exception):
            values.structure({}, outer)

        for _ in range(2):
            with pytest.raises(TypeError, match="not a dict"):
                values.structure([], kind)

    @pytest.mark.parametrize(
        "value",
        [
            ["a"],
            {"a", "b"},
            ("a", "b"),
            deque(["a"]),
            Options(),
            Settings(size=3),
            {"a": 1},
            Tree([Tree(), Tree([Tree()])]),
        ],
    )
    def test_what_was_stored_is_read_as_its_class(self, value: object) -> None:
        assert from_text(to_text(value), type(value)) == value

    @pytest.mark.parametrize("kind", [object(), "int", 5, [int], timedelta, list[timedelta], list[int] | list[str]])
    async def test_what_cannot_be_made_of_json_is_no_type(self, autojump_clock: MockClock, kind: object) -> None:
        """It is the author's mistake: whoever takes a `DecodeError` for old values would throw good ones away."""
        async with open_world() as world:
            with pytest.raises(TypeError, match="as_type"):
                await world.session.storage.get("k", as_type=cast("type[object]", kind))
            assert world.calls() == []

    @pytest.mark.parametrize("value", [object(), math.nan, {"a": math.inf}, "\ud800"])
    async def test_what_json_cannot_hold_is_refused(self, autojump_clock: MockClock, value: object) -> None:
        async with open_world() as world:
            with pytest.raises((TypeError, ValueError)):
                await world.session.storage.set("k", value)
            assert world.calls() == []

    async def test_what_holds_itself_is_refused(self, autojump_clock: MockClock) -> None:
        endless: list[object] = []
        endless.append(endless)
        async with open_world() as world:
            with pytest.raises(ValueError, match="itself"):
                await world.session.storage.set("k", endless)
            assert world.calls() == []

    @pytest.mark.parametrize("key", ["", "a\0b", "\ud800", 5])
    async def test_what_is_no_key_is_refused(self, autojump_clock: MockClock, key: str) -> None:
        async with open_world() as world:
            storage = world.session.storage
            calls: list[Callable[[str], Awaitable[object]]] = [storage.get, storage.has, storage.delete]
            for call in calls:
                with pytest.raises((TypeError, ValueError)):
                    await call(key)
            with pytest.raises((TypeError, ValueError)):
                await storage.set(key, "1")
            assert world.calls() == []


class TestKeys:
    @pytest.mark.parametrize(
        ("key", "wire"),
        [("a.b", "a%2Eb"), ("$a", "%24a"), ("a$", "a$"), ("100%", "100%25"), ("%2E", "%252E"), ("a/b ü", "a/b ü")],
    )
    async def test_a_key_is_spelled_so_that_the_database_takes_it_for_a_name(
        self, autojump_clock: MockClock, key: str, wire: str
    ) -> None:
        """P3 9.4. The strict cloud would report a dotted key."""
        async with open_world() as world:
            storage = world.session.storage
            await storage.set(key, "1")
            await storage.flush()
            assert dict(world.user.stored_values(PACKAGE)) == {wire: "1"}
            await storage.reload()
            assert await storage.get(key) == "1"
            await storage.delete(key)

            assert dict(world.user.stored_values(PACKAGE)) == {}

    async def test_what_lies_in_an_object_has_a_key_with_dots(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a.b", "1")  # as the reference writes it
            storage = world.session.storage
            assert await storage.items() == (("a.b", "1"),)
            await storage.set("a.b", "2")
            await storage.flush()
            await storage.reload()
            assert await storage.get("a.b") == "2"
            await storage.delete("a.b")
            await storage.reload()

            assert await storage.keys() == ()

    async def test_a_value_whose_writing_nobody_confirmed_is_deleted_too(self, autojump_clock: MockClock) -> None:
        """It would come back in the next run, beside what another SDK has left under the same key."""
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a.b", "1")
            storage = world.session.storage
            await storage.set("a.b", "2")
            world.cloud.faults.lose_http_answers = True
            with pytest.raises(StorageError):
                await storage.flush()
            world.cloud.faults.lose_http_answers = False
            await storage.delete("a.b")
            await storage.reload()

            assert await storage.keys() == ()

    async def test_a_key_of_another_sdk_is_deleted_under_its_name(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "100%", "1")
            await world.session.storage.delete("100%")

            assert dict(world.user.stored_values(PACKAGE)) == {}


class TestWritingBehind:
    async def test_changes_are_written_together_after_three_quiet_seconds(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            begun = trio.current_time()
            await storage.set("a", "1")
            await trio.sleep(2)
            await storage.set("a", "2")
            await storage.set("b", "3")
            assert storage.unsaved == 2
            await trio.sleep(10)

            assert puts(world) == [(begun + 5, {"a": "2", "b": "3"})]
            assert storage.unsaved == 0

    async def test_steady_changes_are_written_after_ten_seconds(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            begun = trio.current_time()
            for number in range(12):
                await world.session.storage.set("k", str(number))
                await trio.sleep(1.9)
            await trio.sleep(10)

            assert [at - begun for at, _ in puts(world)] == pytest.approx([10, 21.4])

    async def test_a_flush_writes_at_once_and_an_empty_one_nothing(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            await storage.flush()
            await storage.flush()
            await trio.sleep(20)

            assert len(puts(world)) == 1

    async def test_a_change_after_a_flush_waits_its_own_time(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            begun = trio.current_time()
            await storage.set("a", "1")
            await storage.flush()
            await trio.sleep(9)
            await storage.set("a", "2")
            await trio.sleep(20)

            assert [at - begun for at, _ in puts(world)] == [0, 12]

    async def test_a_change_during_a_write_is_not_lost(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, trio.open_nursery() as nursery:
            storage = world.session.storage
            await storage.set("a", "1")
            world.cloud.faults.http_delay = 1
            nursery.start_soon(storage.flush)
            await trio.sleep(0.5)
            await storage.set("a", "2")
            await trio.sleep(20)

            assert [data for _, data in puts(world)] == [{"a": "1"}, {"a": "2"}]
            assert dict(world.user.stored_values(PACKAGE)) == {"a": "2"}

    async def test_several_values_are_stored_or_none(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            with pytest.raises(StorageLimitError):
                await storage.set_many({"fine": "1", "big": "x" * 100_001})
            assert await storage.items() == ()
            await storage.set_many({"a": "1", "b": 2})
            await storage.set_many({})

            assert await storage.items() == (("a", "1"), ("b", "2"))

    @pytest.mark.parametrize("values", [["a"], [("a", "1")], "ab", None])
    async def test_what_is_no_mapping_is_refused(self, autojump_clock: MockClock, values: object) -> None:
        async with open_world() as world:
            with pytest.raises(TypeError, match="mapping of keys to values"):
                await world.session.storage.set_many(cast("dict[str, object]", values))
            assert world.calls() == []

    async def test_a_cancelled_set_has_changed_nothing(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            world.cloud.faults.http_delay = 5
            with trio.move_on_after(1) as scope:
                await storage.set("a", "1")

            assert scope.cancelled_caught
            assert storage.unsaved == 0

    async def test_a_cancelled_flush_loses_nothing(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            world.cloud.faults.http_delay = 5
            with trio.move_on_after(1):
                await storage.flush()
            assert storage.unsaved == 1
            world.cloud.faults.http_delay = 0
            await storage.flush()

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "1"}


class TestFailures:
    @pytest.mark.parametrize(
        ("status", "error"),
        [(400, StorageError), (413, StorageLimitError), (429, StorageRateError), (500, StorageError)],
    )
    async def test_what_was_not_written_is_kept(
        self, autojump_clock: MockClock, status: int, error: type[StorageError]
    ) -> None:
        """P3 9.5: the reference loses it."""
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            world.cloud.faults.http_status = status
            with pytest.raises(error) as caught:
                await storage.flush()
            assert caught.value.status == status
            assert (storage.unsaved, await storage.get("a")) == (1, "1")
            world.cloud.faults.http_status = None
            await storage.flush()

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "1"}

    async def test_writing_behind_tries_again_and_says_so_once(
        self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("secret key", "secret value")
            world.cloud.faults.http_status = 503
            await trio.sleep(60)
            tries = len(puts(world))
            world.cloud.faults.http_status = None
            await trio.sleep(70)

            assert 3 < tries < 12
            assert dict(world.user.stored_values(PACKAGE)) == {"secret key": "secret value"}
            warned = [record for record in caplog.records if record.levelno >= logging.WARNING]
            assert [record.levelno for record in warned] == [logging.WARNING]
            assert "secret" not in caplog.text

    async def test_a_wish_for_fewer_calls_is_kept(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            await world.session.storage.set("a", "1")
            world.cloud.faults.http_status = 429
            await trio.sleep(600)

            assert len(puts(world)) < 30

    async def test_an_answer_that_was_lost_is_no_loss(self, autojump_clock: MockClock) -> None:
        """Nobody knows whether it was written; writing it twice does no harm."""
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            world.cloud.faults.lose_http_answers = True
            with pytest.raises(StorageError):
                await storage.flush()
            world.cloud.faults.lose_http_answers = False
            await storage.flush()

            assert [data for _, data in puts(world)] == [{"a": "1"}, {"a": "1"}]

    async def test_a_value_is_stored_although_the_cloud_is_away(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            world.user.store_value(PACKAGE, "old", "1")
            world.cloud.faults.http_status = 500
            await storage.set("new", "2")
            assert await storage.get("new") == "2"
            with pytest.raises(StorageError):
                await storage.items()
            world.cloud.faults.http_status = None
            await trio.sleep(5)

            assert dict(await storage.items()) == {"old": "1", "new": "2"}

    async def test_a_cloud_that_does_not_answer_holds_up_one_set_alone(self, autojump_clock: MockClock) -> None:
        """A loop that stores what is said would stand still time and again."""
        async with open_world() as world:
            storage = world.session.storage
            world.cloud.faults.http_delay = math.inf
            begun = trio.current_time()
            for number in range(5):
                await storage.set("a", number)
                await trio.sleep(10)
            assert trio.current_time() == begun + 60
            assert await storage.get("a", as_type=int) == 4
            world.cloud.faults.http_delay = 0
            await trio.sleep(90)

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "4"}

    async def test_values_that_may_count_twice_are_stored_without_knowing_the_others(
        self, autojump_clock: MockClock
    ) -> None:
        async with open_world() as world:
            storage = world.session.storage
            for key in "abcdefghi":
                world.user.store_value(PACKAGE, key, "x" * 100_000)
            world.cloud.faults.http_status = 503
            await storage.set_many({"a": "1", "b": "y" * 100_000})
            world.cloud.faults.http_status = None
            await storage.flush()

            assert storage.unsaved == 0
            assert world.user.stored_values(PACKAGE)["b"][0] == "y"

    async def test_a_wrong_key_of_the_app(self, autojump_clock: MockClock) -> None:
        async with open_world(is_strict=False) as world:
            world.cloud.install(attrs.evolve(world.cloud.store.apps[PACKAGE], api_key="another"))
            with pytest.raises(StorageError, match="Invalid API key") as caught:
                await world.session.storage.items()

            assert caught.value.status == 401

    async def test_it_works_while_the_link_is_down(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            world.user.socket(PACKAGE).cut()
            await world.session.link_state.wait_for(lambda state: state is LinkState.RECONNECTING)
            await storage.flush()

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "1"}


class TestLimits:
    async def test_a_value_has_a_hundred_thousand_utf16_units(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("fits", "🙂" * 50_000)
            await storage.flush()
            with pytest.raises(StorageLimitError) as caught:
                await storage.set("big", "🙂" * 50_000 + "x")

            assert (caught.value.size, caught.value.limit) == (100_001, 100_000)

    async def test_all_values_have_a_million(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set_many({f"k{number}": "x" * 100_000 for number in range(10)})
            with pytest.raises(StorageLimitError) as caught:
                await storage.set("one", "x")
            assert (caught.value.size, caught.value.limit) == (1_000_001, 1_000_000)
            await storage.set("k0", "short")
            await storage.set("one", "x")
            await storage.flush()

            assert len(world.user.stored_values(PACKAGE)) == 11

    async def test_values_that_replace_others_may_count_twice(self, autojump_clock: MockClock) -> None:
        """P3 9.4: writing several may count what it replaces, and then answers 500; writing one does not."""
        async with open_world() as world:
            storage = world.session.storage
            full = {f"k{number}": "x" * 100_000 for number in range(10)}
            await storage.set_many(full)
            await storage.flush()
            await storage.set_many(dict.fromkeys(full, "y" * 100_000))
            await storage.flush()

            assert set(world.user.stored_values(PACKAGE).values()) == {"y" * 100_000}

    async def test_another_server_of_the_app_may_have_filled_it(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("mine", "x")
            for number in range(10):
                world.user.store_value(PACKAGE, f"k{number}", "x" * 100_000)
            with pytest.raises(StorageLimitError) as caught:
                await storage.flush()

            assert caught.value.size is None
            assert storage.unsaved == 1


class TestDeleting:
    async def test_a_value_is_deleted_at_once(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a", "1")
            world.user.store_value(PACKAGE, "b", "2")
            storage = world.session.storage
            await storage.delete("a")
            assert dict(world.user.stored_values(PACKAGE)) == {"b": "2"}
            await storage.delete_many(["b", "nothing"])
            await storage.delete_many([])

            assert await storage.keys() == ()
            assert [call.method for call in world.calls()] == ["GET", "DELETE", "DELETE", "DELETE"]

    async def test_a_text_is_no_list_of_keys(self, autojump_clock: MockClock) -> None:
        """It would delete the keys c, a, r and t."""
        async with open_world() as world:
            with pytest.raises(TypeError, match=r"\['cart'\]"):
                await world.session.storage.delete_many("cart")
            assert world.calls() == []

    async def test_a_storage_that_does_not_exist_is_no_error(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            await world.session.storage.delete("a")
            await world.session.storage.clear()

            assert [call.status for call in world.calls("DELETE")] == [404, 404]

    async def test_a_value_that_waits_is_not_written_any_more(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            await storage.delete("a")
            await trio.sleep(20)

            assert puts(world) == []

    async def test_a_value_that_comes_back_is_a_new_one(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            world.cloud.faults.http_status = 500
            await storage.set("a", "1")
            with pytest.raises(StorageError):
                await storage.delete("a")
            await storage.set("a", "2")
            world.cloud.faults.http_status = None
            await storage.flush()

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "2"}

    async def test_what_could_not_be_deleted_is_deleted_later(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a", "1")
            storage = world.session.storage
            await storage.keys()
            world.cloud.faults.http_status = 500
            with pytest.raises(StorageError):
                await storage.delete("a")
            assert await storage.get("a") is None
            world.cloud.faults.http_status = None
            await trio.sleep(10)

            assert dict(world.user.stored_values(PACKAGE)) == {}

    async def test_a_deletion_that_is_refused_holds_no_value_up(self, autojump_clock: MockClock) -> None:
        """Keys are part of the address there, and servers take none of any length."""
        async with open_world(wrap_http=LongAddresses) as world:
            storage = world.session.storage
            await storage.set_many({"k" * 9000: "1", "a": "1"})
            await storage.flush()
            with pytest.raises(StorageError) as caught:
                await storage.delete("k" * 9000)
            assert caught.value.status == 414
            await storage.set("a", "2")
            with pytest.raises(StorageError) as caught:
                await storage.flush()

            assert caught.value.status == 414
            assert storage.unsaved == 1
            assert world.user.stored_values(PACKAGE)["a"] == "2"

    async def test_everything_is_deleted_and_waits_for_nothing(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "a", "1")
            storage = world.session.storage
            await storage.clear()
            assert await storage.items() == ()

            assert [call.method for call in world.calls()] == ["DELETE"]

    async def test_everything_that_could_not_be_deleted_is_deleted_before_what_came_after(
        self, autojump_clock: MockClock
    ) -> None:
        async with open_world() as world:
            world.user.store_value(PACKAGE, "old", "1")
            storage = world.session.storage
            world.cloud.faults.http_status = 500
            with pytest.raises(StorageError):
                await storage.clear()
            await storage.set("new", "2")
            world.cloud.faults.http_status = None
            await trio.sleep(10)

            assert dict(world.user.stored_values(PACKAGE)) == {"new": "2"}

    async def test_a_delete_during_a_write_comes_after_it(self, autojump_clock: MockClock) -> None:
        async with open_world() as world, trio.open_nursery() as nursery:
            storage = world.session.storage
            await storage.set("a", "1")
            world.cloud.faults.http_delay = 1
            nursery.start_soon(storage.flush)
            await trio.sleep(0.5)
            await storage.delete("a")

            assert [call.method for call in world.calls()] == ["GET", "PUT", "DELETE"]


class TestCallsUnderWay:
    """Nothing that was asked before a change may undo it."""

    async def test_what_is_cleared_while_it_is_written_is_gone(self, autojump_clock: MockClock) -> None:
        async with open_world(wrap_http=partial(SlowAnswers, method="PUT")) as world, trio.open_nursery() as nursery:
            storage = world.session.storage
            await storage.set("k", "old")
            nursery.start_soon(storage.flush)
            await trio.sleep(1)
            await storage.clear()

            assert await storage.items() == ()
            assert dict(world.user.stored_values(PACKAGE)) == {}

    async def test_the_same_value_again_after_a_clear_is_written_again(self, autojump_clock: MockClock) -> None:
        async with open_world(wrap_http=partial(SlowAnswers, method="PUT")) as world, trio.open_nursery() as nursery:
            storage = world.session.storage
            await storage.set("k", "same")
            nursery.start_soon(storage.flush)
            await trio.sleep(1)
            nursery.start_soon(storage.clear)
            await settle()
            await storage.set("k", "same")
            await trio.sleep(20)

            assert dict(world.user.stored_values(PACKAGE)) == {"k": "same"}

    async def test_what_is_set_after_a_clear_is_not_written_before_it(self, autojump_clock: MockClock) -> None:
        async with open_world(wrap_http=partial(SlowAnswers, method="DELETE")) as world, trio.open_nursery() as nursery:
            storage = world.session.storage
            world.cloud.faults.http_status = 500
            with pytest.raises(StorageError):
                await storage.delete("a")
            world.cloud.faults.http_status = None
            nursery.start_soon(storage.flush)
            await settle()
            nursery.start_soon(storage.clear)
            await settle()
            await storage.set("b", "3")
            await trio.sleep(20)

            assert dict(world.user.stored_values(PACKAGE)) == {"b": "3"}
            assert (await storage.items(), storage.unsaved) == ((("b", "3"),), 0)

    @pytest.mark.parametrize("is_loaded", [False, True])
    async def test_what_is_cleared_while_it_is_read_is_gone(self, autojump_clock: MockClock, is_loaded: bool) -> None:
        async with open_world(wrap_http=partial(SlowAnswers, method="GET")) as world, trio.open_nursery() as nursery:
            world.user.store_value(PACKAGE, "k", "old")
            storage = world.session.storage
            if is_loaded:
                await storage.keys()
            nursery.start_soon(storage.reload if is_loaded else storage.keys)
            await trio.sleep(1)
            await storage.clear()
            await trio.sleep(5)

            assert await storage.get("k") is None

    @pytest.mark.parametrize("change", ["set", "delete"])
    async def test_what_is_changed_while_it_is_read_stays_changed(self, autojump_clock: MockClock, change: str) -> None:
        async with open_world(wrap_http=partial(SlowAnswers, method="GET")) as world, trio.open_nursery() as nursery:
            world.user.store_value(PACKAGE, "k", "old")
            storage = world.session.storage
            await storage.keys()
            nursery.start_soon(storage.reload)
            await trio.sleep(1)
            if change == "set":
                await storage.set("k", "new")
                await storage.flush()
            else:
                await storage.delete("k")
            await trio.sleep(5)

            assert await storage.get("k") == ("new" if change == "set" else None)


class TestTheEnd:
    @pytest.mark.parametrize("how", ["stop", "end", "server"])
    async def test_what_is_left_is_written(self, autojump_clock: MockClock, how: str) -> None:
        async with open_world() as world:
            await world.session.storage.set("a", "1")
            if how == "stop":
                await world.user.stop(PACKAGE)
            elif how == "end":
                await world.session.end()
            await trio.sleep(0.5 if how != "server" else 0)
        if how != "server":
            assert [data for _, data in puts(world)] == [{"a": "1"}]
        assert world.cloud.store.storage(USER, PACKAGE).texts() == {"a": "1"}

    async def test_a_cloud_that_fails_for_a_moment_is_asked_again(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            await world.session.storage.set("a", "1")
            world.cloud.faults.http_status = 503
            await world.session.end()
            await trio.sleep(0.2)
            world.cloud.faults.http_status = None
            await trio.sleep(5)

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "1"}

    @pytest.mark.parametrize("is_read", [False, True], ids=["writing behind", "a reload"])
    async def test_a_call_that_is_stuck_leaves_time_for_what_is_left(
        self, autojump_clock: MockClock, is_read: bool
    ) -> None:
        """Other tasks of the app's server outlive the handler, and may call as well."""
        # After asking for the permissions, and for all values.
        stuck_call = 3
        async with (
            open_world(wrap_http=partial(StuckCalls, which=stuck_call)) as world,
            trio.open_nursery() as nursery,
        ):
            storage = world.session.storage
            await storage.set("a", "1")
            if is_read:
                nursery.start_soon(raises_storage_error, storage.reload)
            await trio.sleep(4)
            await world.session.end()
            await trio.sleep(10)

            assert dict(world.user.stored_values(PACKAGE)) == {"a": "1"}

    async def test_writing_behind_ends_with_the_last_try(
        self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What it would try after that is refused, which is no bug."""
        async with open_world() as world:
            await world.session.storage.set("a", "1")
            world.cloud.faults.http_delay = math.inf
            await trio.sleep(1)
            await world.session.end()
            await trio.sleep(20)

            assert [record.getMessage()[:40] for record in caplog.records if record.levelno >= logging.WARNING] == [
                "1 changes of stored values are lost: the"
            ]

    async def test_a_value_that_comes_too_late_is_refused(self, autojump_clock: MockClock) -> None:
        """A task outside of the handler learns that nobody will write it."""
        async with open_world() as world, trio.open_nursery() as nursery:
            world.cloud.faults.http_delay = 1
            refused: list[SessionClosedError] = []

            async def store() -> None:
                with pytest.raises(SessionClosedError) as caught:
                    await world.session.storage.set("a", "1")
                refused.append(caught.value)

            nursery.start_soon(store)
            await settle()
            await world.session.end()
            await trio.sleep(2)

            assert len(refused) == 1
            assert world.session.storage.unsaved == 0

    async def test_a_loss_is_told(self, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture) -> None:
        async with open_world(config=SessionConfig(finish_timeout=2)) as world:
            await world.session.storage.set("secret", "value")
            world.cloud.faults.http_delay = math.inf
            begun = trio.current_time()
            await world.session.end()
            await world.session.link_state.wait_for(lambda state: state is LinkState.CLOSED)

            assert trio.current_time() == begun + 2
        (lost,) = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert lost.getMessage() == "1 changes of stored values are lost: the cloud did not take them"

    async def test_after_the_end_it_is_closed(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            storage = world.session.storage
            await storage.set("a", "1")
            await world.session.end()
            await world.session.link_state.wait_for(lambda state: state is LinkState.CLOSED)

            for call in (lambda: storage.get("a"), lambda: storage.set("a", "2"), storage.clear, storage.keys):
                with pytest.raises(SessionClosedError):
                    await call()

    async def test_the_next_run_finds_it(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            await world.session.storage.set("a", "1")
            await world.user.stop(PACKAGE)
            await trio.sleep(1)
            await world.start()
            await settle()

            assert await world.sessions[1].storage.get("a") == "1"

    @pytest.mark.parametrize("seconds", [0, 1, 4.9], ids=["at once", "in its grace", "at the end of it"])
    async def test_the_next_run_finds_what_the_last_one_stores_in_its_grace(
        self, autojump_clock: MockClock, seconds: float
    ) -> None:
        """D7: it starts beside it, so it waits for that with its own first look."""

        async def store_late(session: MentraSession) -> None:
            await trio.sleep(seconds)
            await session.storage.set("visits", 1)

        async with open_world(at_end=store_late) as world:
            await world.user.stop(PACKAGE)
            await world.start()

            assert await world.sessions[1].storage.get("visits", 0, as_type=int) == 1
            assert trio.current_time() == seconds

    @pytest.mark.parametrize(("change", "found"), [("set", {"a": "new"}), ("clear", {}), ("reload", {"a": "old"})])
    async def test_what_the_next_run_changes_comes_after_all_that_the_last_one_did(
        self, autojump_clock: MockClock, change: str, found: dict[str, str]
    ) -> None:
        async def store_late(session: MentraSession) -> None:
            await trio.sleep(2)
            await session.storage.set("a", "old")

        async with open_world(at_end=store_late) as world:
            await world.user.stop(PACKAGE)
            await world.start()
            storage = world.sessions[1].storage
            if change == "set":
                await storage.set("a", "new")
                await storage.flush()
            elif change == "clear":
                await storage.clear()
            else:
                await storage.reload()
            await trio.sleep(10)

            assert dict(world.user.stored_values(PACKAGE)) == found

    async def test_three_runs_in_a_row_wait_for_each_other(self, autojump_clock: MockClock) -> None:
        async def count(session: MentraSession) -> None:
            await trio.sleep(1)
            visits = await session.storage.get("visits", 0, as_type=int)
            await session.storage.set("visits", visits + 1)

        async with open_world(at_end=count) as world:
            for _ in range(3):
                await world.user.stop(PACKAGE)
                await world.start()

            assert await world.sessions[3].storage.get("visits", as_type=int) == 3

    async def test_a_handler_that_takes_long_to_end_is_not_waited_for_for_ever(self, autojump_clock: MockClock) -> None:
        async def linger(session: MentraSession) -> None:
            await trio.sleep_forever()

        async with open_world(at_end=linger, config=SessionConfig(stop_grace=3600)) as world:
            await world.user.stop(PACKAGE)
            await world.start()

            assert await world.sessions[1].storage.get("visits") is None
            assert trio.current_time() == 15

    async def test_two_wearers_have_their_own(self, autojump_clock: MockClock) -> None:
        async with open_world() as world:
            other = world.cloud.user("ben@example.com")
            await other.connect()
            await other.start(PACKAGE)
            await settle()
            for number, session in enumerate(world.sessions):
                await session.storage.set("k", str(number))
                await session.storage.flush()

            assert dict(world.user.stored_values(PACKAGE)) == {"k": "0"}
            assert dict(other.stored_values(PACKAGE)) == {"k": "1"}
