"""The one configured cattrs converter.

camelCase outside, snake_case inside; strict about types, lenient about extra keys. Models never learn wire names: odd
ones sit in the table below.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import NoneType, UnionType
from typing import Union, cast, get_args, get_origin

import attrs
from cattrs import Converter, IterableValidationError, IterableValidationNote
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from mentra_trio.models.device import CameraCapabilities, Capabilities, DeviceState, MicrophoneCapabilities
from mentra_trio.models.layouts import BitmapView, ClearView, DoubleTextWall, Layout, ReferenceCard, TextWall
from mentra_trio.models.settings import SystemSettings

from .inbound import ReconnectDeferred
from .outbound import DisplayEvent
from .zones import zone_named

Reader = Callable[[object, object], object]
"""A structure hook: JSON value and wanted type to value."""
Writer = Callable[[object], object]
"""An unstructure hook: value to JSON value."""

# Wire names that are not the camelCase of the field.
_ODD_NAMES: dict[tuple[type, str], str] = {
    (Capabilities, "has_imu"): "hasIMU",
    (CameraCapabilities, "has_hdr"): "hasHDR",
    (MicrophoneCapabilities, "has_vad"): "hasVAD",
    (DeviceState, "firmware_version"): "fwVersion",
}
# Fields in seconds that the wire has in milliseconds under another name.
_MILLISECONDS: dict[tuple[type, str], str] = {
    (DisplayEvent, "duration"): "durationMs",
    (ReconnectDeferred, "timeout"): "timeoutMs",
}
_MOST_FAULTS = 100
"""Elements at fault that cost only themselves; a list with more is at fault itself, and costs no more time."""
_LAYOUTS: dict[str, type[Layout]] = {
    "text_wall": TextWall,
    "double_text_wall": DoubleTextWall,
    "reference_card": ReferenceCard,
    "bitmap_view": BitmapView,
    "clear_view": ClearView,
}
_LAYOUT_NAMES = {cls: name for name, cls in _LAYOUTS.items()}


def wire_name(cls: type, field: str) -> str:
    """Give the JSON name of a field of a converted class."""
    odd = _ODD_NAMES.get((cls, field)) or _MILLISECONDS.get((cls, field))
    if odd:
        return odd
    head, *rest = field.split("_")
    return head + "".join(part.title() for part in rest)


def to_iso(moment: datetime) -> str:
    """Spell a time as the wire does: ISO 8601, UTC, milliseconds, `Z` (P1 0)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_datetime(value: object, _: object = None) -> datetime:
    """Read ISO text or epoch milliseconds; a time without a zone is UTC (P1 0: most are text, some are numbers)."""
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return datetime.fromtimestamp(_to_float(value) / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        raise ValueError("not a time") from None  # Python's own text would tell the content


def moment_of(value: object) -> datetime | None:
    """Read a time as `to_datetime`; `None` where there is none, or something else."""
    try:
        return to_datetime(value)
    except ValueError:
        return None


def _to_str(value: object, _: object = None) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value


def _to_bool(value: object, _: object = None) -> bool:
    if not isinstance(value, bool):
        raise TypeError("not true or false")
    return value


def _to_int(value: object, _: object = None) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _to_float(value: object, _: object = None) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    try:
        if math.isfinite(value):
            return value
    except OverflowError:  # a whole number of hundreds of digits
        pass
    raise ValueError("not a finite number")


def _to_enum(value: object, cls: type[enum.Enum]) -> enum.Enum:
    # The enums of the wire are texts, and take any text (`_missing_`): what is no text must not become UNKNOWN.
    return cls(_to_str(value))


def _to_mapping(value: object, _: object = None) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return cast("dict[str, object]", value)  # keys of a JSON object are text


def _seconds(value: object, _: object = None) -> float:
    return _to_float(value) / 1000


def _milliseconds(value: float | None) -> int | None:
    return None if value is None else round(value * 1000)


def _overrides(cls: type[attrs.AttrsInstance]) -> dict[str, object]:
    result: dict[str, object] = {}
    for field in attrs.fields(cls):
        name = wire_name(cls, field.name)
        if (cls, field.name) in _MILLISECONDS:
            result[field.name] = override(rename=name, struct_hook=_seconds, unstruct_hook=_milliseconds)
        else:
            result[field.name] = override(rename=name)
    return result


def _reader(converter: Converter, cls: type[attrs.AttrsInstance]) -> Reader:
    read = make_dict_structure_fn(
        cls,
        converter,
        **_overrides(cls),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (keys are field names only)
    )

    def structure(value: object, kind: object = None) -> object:
        return read(_to_mapping(value), kind)  # cattrs would read a text as an object without any of the fields

    return structure


def _writer(converter: Converter, cls: type[attrs.AttrsInstance]) -> Writer:
    return make_dict_unstructure_fn(
        cls,
        converter,
        _cattrs_omit_if_default=True,
        **_overrides(cls),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  (keys are field names only)
    )


def _to_layout(converter: Converter) -> Reader:
    def structure(value: object, _: object = None) -> Layout:
        fields = _to_mapping(value)
        name = fields.get("layoutType")
        if not isinstance(name, str) or name not in _LAYOUTS:
            raise ValueError("layoutType is not one of " + ", ".join(_LAYOUTS))
        return converter.structure(fields, _LAYOUTS[name])

    return structure


def _to_system_settings(converter: Converter) -> Reader:
    plain = _reader(converter, SystemSettings)

    def structure(value: object, cls: object = None) -> object:
        fields = _to_mapping(value)
        told, other = fields.get("userTimezone"), fields.get("timezone")
        # Some senders use the other name (P1 5.3), which also helps where the first one is no zone (P2 10.2, C1).
        if isinstance(other, str) and (told in (None, "") or (_is_no_zone(told) and not _is_no_zone(other))):
            fields = {**fields, "userTimezone": other}
        return plain(fields, cls)

    return structure


def _is_no_zone(name: object) -> bool:
    return isinstance(name, str) and zone_named(name) is None


def make_converter() -> Converter:
    """Build the converter. Simple hooks first: cattrs binds them when it builds a class's function."""
    converter = Converter()
    # By type: predicates come second to cattrs' own hooks for these, which convert leniently (T9). A hook for `str`
    # also takes over every `class E(str, Enum)` (T7), but not those that have a hook of a nearer class.
    converter.register_structure_hook(str, _to_str)
    converter.register_structure_hook(bool, _to_bool)
    converter.register_structure_hook(int, _to_int)
    converter.register_structure_hook(float, _to_float)
    converter.register_structure_hook(enum.Enum, _to_enum)
    converter.register_structure_hook(enum.StrEnum, _to_enum)
    converter.register_structure_hook_func(lambda t: t is datetime, to_datetime)
    converter.register_structure_hook_func(lambda t: t is object, lambda value, _: value)
    converter.register_structure_hook_func(_is_mapping, _to_mapping)
    converter.register_unstructure_hook_func(lambda t: t is datetime, to_iso)

    def read_optional(kind: object) -> Reader:
        return _optional_hook(converter, kind)

    def read_tuple(kind: object) -> Reader:
        return _tuple_hook(converter, kind)

    def read_class(cls: type[attrs.AttrsInstance]) -> Reader:
        return _reader(converter, cls)

    def write_class(cls: type[attrs.AttrsInstance]) -> Writer:
        return _writer(converter, cls)

    converter.register_structure_hook_factory(_is_optional, read_optional)
    converter.register_structure_hook_factory(_is_tuple, read_tuple)
    converter.register_structure_hook_factory(_is_attrs_class, read_class)
    converter.register_unstructure_hook_factory(_is_attrs_class, write_class)
    converter.register_structure_hook_func(lambda t: t == Layout, _to_layout(converter))
    converter.register_unstructure_hook_func(
        lambda t: t == Layout,
        lambda layout: {"layoutType": _LAYOUT_NAMES[type(layout)], **converter.unstructure(layout)},
    )
    converter.register_structure_hook_func(lambda t: t is SystemSettings, _to_system_settings(converter))
    return converter


def _is_attrs_class(kind: object) -> bool:
    return isinstance(kind, type) and attrs.has(kind)


def _is_tuple(kind: object) -> bool:
    return get_origin(kind) is tuple


def _is_optional(kind: object) -> bool:
    return get_origin(kind) in (Union, UnionType) and len(get_args(kind)) == 2 and NoneType in get_args(kind)


def _is_mapping(kind: object) -> bool:
    return get_origin(kind) is Mapping


def _optional_hook(converter: Converter, kind: object) -> Reader:
    """Read what may be null. cattrs' own hook looks the inner one up for every value."""
    (inner,) = (each for each in get_args(kind) if each is not NoneType)
    read = cast("Reader", converter.get_structure_hook(inner))

    def structure(value: object, _: object = None) -> object:
        return None if value is None else read(value, inner)

    return structure


def _tuple_hook(converter: Converter, kind: object) -> Reader:
    """Read a JSON list, and nothing else that Python could iterate over, such as text. A null in it is absent."""
    element: object = get_args(kind)[0]
    read = cast("Reader", converter.get_structure_hook(element))

    def structure(value: object, _: object = None) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise TypeError("not a list")
        found: list[object] = []
        errors: list[Exception] = []
        for index, item in enumerate(cast("list[object]", value)):
            if item is None:
                continue
            try:
                found.append(read(item, element))
            except Exception as error:  # noqa: BLE001  (as cattrs does: an error of any kind belongs to its place)
                error.add_note(IterableValidationNote(f"element {index}", index, element))
                errors.append(error)
                if len(errors) > _MOST_FAULTS:
                    raise ValueError(f"more than {_MOST_FAULTS} of its elements are at fault") from None
        if errors:
            # pyright sees the group's own __init__ and not the third argument that cattrs' __new__ takes.
            raise IterableValidationError("elements at fault", errors, tuple)  # pyright: ignore[reportCallIssue]
        return tuple(found)

    return structure
