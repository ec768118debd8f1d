import attrs
import pytest

from mentra_trio._flow import EventStream, Gap, Hub, HubStatistics, Overflow, StreamTotals


@attrs.define(eq=False)
class Changes:
    """Counts the calls of `on_change`, and sees what the hub looks like then."""

    told: list[tuple[object, bool]] = attrs.field(factory=list[tuple[object, bool]])
    tags: list[list[object]] = attrs.field(factory=list[list[object]])
    hub: Hub = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.hub = Hub(self.note)

    def note(self, tag: object, is_open: bool) -> None:
        self.told.append((tag, is_open))
        self.tags.append(self.hub.open_tags())


def stream_of(hub: Hub, *keys: str, tag: object = None, capacity: int = 9) -> EventStream[int]:
    return EventStream(hub, keys, name="-".join(keys), capacity=capacity, overflow=Overflow.DROP_OLDEST, tag=tag)


@pytest.fixture
def hub() -> Hub:
    return Hub(lambda _tag, _is_open: None)


async def test_items_reach_all_streams_of_their_key_and_no_others(hub: Hub) -> None:
    async with stream_of(hub, "a") as first, stream_of(hub, "b") as second, stream_of(hub, "a", "b") as both:
        assert hub.publish("a", 1) == 2
        assert hub.publish("b", 2) == 2
        assert hub.publish("c", 3) == 0
        assert await anext(first) == 1
        assert await anext(second) == 2
        assert [await anext(both), await anext(both)] == [1, 2]


async def test_a_key_given_twice_delivers_once(hub: Hub) -> None:
    async with stream_of(hub, "a", "a"):
        assert hub.publish("a", 1) == 1
    assert not hub.has("a")


async def test_a_key_is_known_while_a_stream_is_open_for_it(hub: Hub) -> None:
    async with stream_of(hub, "a"):
        async with stream_of(hub, "a", "b"):
            assert hub.has("a")
            assert hub.has("b")
        assert hub.has("a")
        assert not hub.has("b")
    assert not hub.has("a")


async def test_tags_come_in_opening_order_with_duplicates(hub: Hub) -> None:
    async with stream_of(hub, "a", tag="x") as first, stream_of(hub, "b", tag="y"), stream_of(hub, "a", tag="x"):
        assert hub.open_tags() == ["x", "y", "x"]
        first.close()
        assert hub.open_tags() == ["y", "x"]


async def test_every_opening_and_closing_is_told_after_the_fact() -> None:
    changes = Changes()
    async with stream_of(changes.hub, "a", tag=1) as first, stream_of(changes.hub, "b", tag=2):
        changes.hub.publish("a", 1)
        first.close()
        first.close()
    assert changes.told == [(1, True), (2, True), (1, False), (2, False)]
    assert changes.tags == [[1], [1, 2], [2], []]


async def test_streams_may_open_and_close_while_an_item_is_published(hub: Hub) -> None:
    """A filter is the only foreign code that runs inside `publish`."""
    opened: list[EventStream[int]] = []

    def rebuild(_: int) -> bool:
        last.close()
        opened.append(aiter(stream_of(hub, "a")))
        return True

    rebuilding: EventStream[int] = EventStream(
        hub, ("a",), name="first", capacity=1, overflow=Overflow.LATEST, where=rebuild
    )
    async with rebuilding, stream_of(hub, "a") as last:
        assert hub.publish("a", 1) == 1
        assert opened[0].statistics().received == 0
        assert last.statistics().received == 0
        opened[0].close()


async def test_closed_streams_leave_their_counts(hub: Hub) -> None:
    async with stream_of(hub, "a", capacity=2) as one, stream_of(hub, "a") as other:
        for number in range(3):
            hub.publish("a", number)
        await anext(one)
        assert hub.statistics() == HubStatistics(open=(one.statistics(), other.statistics()), closed=StreamTotals())
        one.close()
        assert hub.statistics() == HubStatistics(
            open=(other.statistics(),),
            closed=StreamTotals(streams=1, received=3, delivered=1, dropped=1, discarded=1),
        )
    assert hub.statistics() == HubStatistics(
        open=(), closed=StreamTotals(streams=2, received=6, delivered=1, dropped=1, discarded=4)
    )


async def test_the_end_keeps_streams_counted_until_they_are_read(hub: Hub) -> None:
    async with stream_of(hub, "a", tag="x") as stream:
        hub.publish("a", 1)
        hub.end()
        hub.end()
        assert hub.publish("a", 2) == 0
        assert not hub.has("a")
        assert hub.open_tags() == ["x"]
        assert [number async for number in stream] == [1]
        assert hub.open_tags() == []
        assert hub.statistics().closed == StreamTotals(streams=1, received=1, delivered=1)


async def test_a_stream_opened_after_the_end_does_not_listen(hub: Hub) -> None:
    hub.end()
    async with stream_of(hub, "a") as stream:
        assert hub.publish("a", 1) == 0
        hub.mark_gap(Gap(1.0, "link lost"))
        assert [number async for number in stream] == []
