"""A consumer that does not keep up is told about once a burst, not once an event."""

from mentra_trio._flow import EventStream, Hub, Overflow


async def test_the_first_loss_of_each_burst_is_reported() -> None:
    reports: list[str] = []
    hub = Hub(lambda _tag, _is_open: None, reports.append)
    stream = EventStream[int](hub, ("sound",), name="microphone", capacity=2, overflow=Overflow.DROP_OLDEST)
    async with stream:
        for number in range(5):
            hub.publish("sound", number)
        assert reports == ["microphone"]

        assert await anext(stream) == 3
        hub.publish("sound", 5)
        hub.publish("sound", 6)
        assert reports == ["microphone"]  # it is still behind

        assert [await anext(stream), await anext(stream)] == [5, 6]
        for number in range(7, 10):
            hub.publish("sound", number)

        assert reports == ["microphone", "microphone"]


async def test_values_that_only_replace_each_other_are_no_loss() -> None:
    reports: list[str] = []
    hub = Hub(lambda _tag, _is_open: None, reports.append)
    async with EventStream[int](hub, ("head",), name="head moves", capacity=1, overflow=Overflow.LATEST):
        for number in range(3):
            hub.publish("head", number)

    assert reports == []
