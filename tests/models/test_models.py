"""`models/`: what holds for every value that users receive."""

import enum
import inspect
from datetime import UTC, datetime

import attrs
import pytest

from mentra_trio import models
from mentra_trio.models import (
    AudioChunk,
    ButtonPress,
    Capabilities,
    DeviceState,
    HeadPosition,
    PhotoForwarded,
    PressType,
    RawEvent,
    RawMessage,
    StopKind,
    StopReason,
    SystemSettings,
    Transcript,
)

NOW = datetime(2026, 6, 14, tzinfo=UTC)
CLASSES = [cls for _, cls in inspect.getmembers(models, inspect.isclass)]
VALUES = [cls for cls in CLASSES if attrs.has(cls)]
ENUMS = [cls for cls in CLASSES if issubclass(cls, enum.Enum)]


def test_every_model_is_a_value_or_an_enum() -> None:
    assert len(VALUES) >= 25
    assert set(CLASSES) == {*VALUES, *ENUMS}


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_values_are_frozen_and_have_slots(cls: type[attrs.AttrsInstance]) -> None:
    """Users share them between tasks."""
    value: object = object.__new__(cls)

    assert "__slots__" in vars(cls)
    assert "__dict__" not in vars(cls)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(value, "anything", 1)  # noqa: B010  (a plain assignment is refused by the checkers already)


@pytest.mark.parametrize("cls", VALUES, ids=lambda cls: cls.__name__)
def test_no_value_holds_a_list_or_a_dict_of_its_own(cls: type[attrs.AttrsInstance]) -> None:
    for field in attrs.fields(cls):
        assert not str(field.type).startswith(("list", "dict", "set")), field.name


@pytest.mark.parametrize("cls", ENUMS, ids=lambda cls: cls.__name__)
def test_enums_are_the_words_that_they_stand_for(cls: type[enum.Enum]) -> None:
    """A plain enum is never equal to its word: `press.press_type == "long"` would be false without a sound."""
    assert issubclass(cls, enum.StrEnum)
    assert all(member == member.value and str(member) == member.value for member in cls)


@pytest.mark.parametrize("value", ["triple", "", None, 5, ["short"], {}])
def test_an_unknown_enum_value_does_not_end_a_session(value: str) -> None:
    assert PressType(value) is PressType.UNKNOWN
    assert HeadPosition(value) is HeadPosition.UNKNOWN


@pytest.mark.parametrize(("length", "seconds"), [(0, 0.0), (32, 0.001), (640, 0.02), (32_000, 1.0)])
def test_p2_5_2_a_chunk_knows_its_length(length: int, seconds: float) -> None:
    chunk = AudioChunk(data=bytes(length), sequence=0, received_at=NOW)

    assert chunk.seconds == seconds
    assert (chunk.sample_rate, chunk.sample_width, chunk.channels) == (16_000, 2, 1)


def test_a_chunk_of_another_format_knows_its_length() -> None:
    chunk = AudioChunk(data=bytes(192_000), sequence=0, received_at=NOW, sample_rate=48_000, channels=2)

    assert chunk.seconds == 1.0


def test_p2_6_5_v9_a_hotspots_password_is_never_shown() -> None:
    state = DeviceState(hotspot_ssid="Mentra-AP", hotspot_password="open sesame")

    assert "Mentra-AP" in repr(state)
    assert "sesame" not in repr(state)
    assert state.hotspot_password == "open sesame"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (RawMessage(type="ack", fields={"hotspotPassword": "sesame"}, received_at=NOW), "ack"),
        (RawEvent(stream_type="VAD", data={"text": "sesame"}, sent_at=None, received_at=NOW), "VAD"),
        (AudioChunk(data=b"sesame", sequence=7, received_at=NOW), "sequence=7"),
        (PhotoForwarded(request_id="photo_1", url="https://example.com/?token=sesame"), "photo_1"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_d23_what_may_be_private_is_never_shown(value: object, shown: str) -> None:
    assert shown in repr(value)
    assert "sesame" not in repr(value)


def test_everything_about_the_glasses_is_unknown_at_first() -> None:
    state = DeviceState()

    assert all(getattr(state, field.name) is None for field in attrs.fields(DeviceState))


def test_p1_5_3_system_settings_have_the_clouds_defaults() -> None:
    assert SystemSettings() == SystemSettings(
        metric_system_enabled=False,
        contextual_dashboard=True,
        head_up_angle=45,
        brightness=50,
        auto_brightness=True,
        sensing_enabled=True,
        always_on_status_bar=False,
        bypass_vad=False,
        bypass_audio_encoding=False,
        preferred_mic="auto",
        use_onboard_mic=False,
        user_timezone=None,
    )


def test_p2_6_4_a_model_without_hardware_has_none() -> None:
    nothing = Capabilities(model_name="None")

    assert not any(getattr(nothing, field.name) for field in attrs.fields(Capabilities) if field.name != "model_name")


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (StopReason(StopKind.STOP_REQUESTED, "user_disabled"), "stop_requested (user_disabled)"),
        (StopReason(StopKind.ENDED_BY_APP), "ended_by_app"),
    ],
)
def test_a_stop_reason_is_readable(reason: StopReason, text: str) -> None:
    assert str(reason) == text


def test_values_are_compared_by_content_and_can_be_kept_in_sets() -> None:
    press = ButtonPress(button_id="camera", press_type=PressType.SHORT, received_at=NOW)
    said = Transcript(text="hi", is_final=True, language="en", received_at=NOW)

    assert press == attrs.evolve(press)
    assert len({press, attrs.evolve(press), said, attrs.evolve(said)}) == 2


def test_fields_are_given_by_name() -> None:
    with pytest.raises(TypeError):
        Transcript("hi", True, "en")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]  (the point)
