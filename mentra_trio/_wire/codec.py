"""Text of a frame to typed message and back.

A message is read strictly. Where a field that may be absent has a wrong type, that field is treated as absent and
named in `Decoded.faults`; only a fault in a field that the message cannot do without costs the message (`DecodeError`).
JSON `null` is the same as absent (P1 0: the wire never needs the difference).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import attrs
from cattrs import AttributeValidationNote, ClassValidationError, IterableValidationError, IterableValidationNote

from mentra_trio.errors import DecodeError
from mentra_trio.models.device import DeviceState

from .actions import ACTION_TYPES
from .actions.speaker import AudioFrame
from .audio_frames import pack
from .converter import Reader, make_converter, to_iso, wire_name
from .inbound import INBOUND_TYPES, InboundMessage, StreamEvent, UnknownMessage
from .json_text import JsonObject, dumps, parse_object
from .outbound import COMMAND_TYPES, Command, Envelope, RawCommand, Stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

__all__ = [
    "Decoded",
    "JsonObject",
    "decode",
    "dumps",
    "encode",
    "next_device_state",
    "parse_object",
    "raw_command",
    "read_command",
    "structure",
    "to_frame",
    "to_iso",
    "unstructure",
]

T = TypeVar("T")
_Path = tuple[str | int, ...]
_MISSING = object()

_converter = make_converter()


_readers: dict[type, Reader] = {}
"""The hook of each class that was read so far: every message needs one or two."""


def _reader_of(cls: type) -> Reader:
    try:
        return _readers[cls]
    except KeyError:
        reader = _readers[cls] = cast("Reader", _converter.get_structure_hook(cls))
        return reader


class Decoded(NamedTuple):
    """A frame that was read."""

    message: InboundMessage | UnknownMessage
    """The typed message."""
    fields: JsonObject
    """The JSON object it came from."""
    faults: tuple[str, ...] = ()
    """Fields that were treated as absent because they could not be read."""

    def is_at_fault(self, field: str) -> bool:
        """Whether this field of the message, by its wire name, or something in it could not be read."""
        return any(fault.startswith((f"{field}:", f"{field}.")) for fault in self.faults)


def decode(text: str) -> Decoded:
    """Read a text frame of the cloud. Raises `DecodeError`; an unknown type is an `UnknownMessage`, not an error."""
    fields = parse_object(text)
    name = fields.get("type")
    if not isinstance(name, str):
        return Decoded(UnknownMessage(type=""), fields)
    cls = INBOUND_TYPES.get(name)
    if cls is None:
        return Decoded(UnknownMessage(type=name), fields)
    # The envelope itself is the payload of an event without data (P2 1.2).
    lacks_data = cls is StreamEvent and fields.get("data") is None
    message, faults = structure({**fields, "data": fields} if lacks_data else fields, cls)
    return Decoded(message, fields, faults)


def read_command(fields: JsonObject) -> Command | UnknownMessage:
    """Read a message of an app, for the side that receives them. Raises `DecodeError`."""
    name = fields.get("type")
    if not isinstance(name, str):
        return UnknownMessage(type="")
    cls = COMMAND_TYPES.get(name) or ACTION_TYPES.get(name)
    if cls is None:
        return UnknownMessage(type=name)
    return structure(fields, cls)[0]


def encode(command: Command, envelope: Envelope) -> str:
    """Write a command with its envelope."""
    if isinstance(command, RawCommand):
        return command.body
    stamp = command.STAMP
    fields: JsonObject = {"type": command.TYPE}
    if Stamp.PACKAGE in stamp:
        fields["packageName"] = envelope.package_name
    if Stamp.SESSION in stamp:
        fields["sessionId"] = envelope.session_id
    if Stamp.TIME in stamp:
        fields["timestamp"] = envelope.timestamp
    fields.update(unstructure(command))
    return dumps(fields)


def to_frame(command: Command, envelope: Envelope) -> str | bytes:
    """Write a command as what goes into its frame: bytes make a binary one."""
    return pack(command.stream_id, command.data) if isinstance(command, AudioFrame) else encode(command, envelope)


def raw_command(name: str, fields: Mapping[str, object], envelope: Envelope) -> RawCommand:
    """Make a command of the author's own fields. A time of their own wins over ours.

    Raises `ValueError` when a field says that the message is of another type, app or session: the cloud goes by these
    (P1 0). `ValueError` or `TypeError` when JSON cannot hold the fields.
    """
    identity: JsonObject = {"type": name, "packageName": envelope.package_name, "sessionId": envelope.session_id}
    for key, value in identity.items():
        if key in fields and fields[key] != value:
            raise ValueError(f"the field {key!r} is not yours to choose: the cloud goes by it; leave it out")
    return RawCommand(type=name, body=dumps({**identity, "timestamp": envelope.timestamp, **fields}))


def unstructure(value: object) -> JsonObject:
    """Turn an attrs value into a JSON object with wire names; defaults are left out."""
    return cast("JsonObject", _converter.unstructure(value))  # attrs classes unstructure to dicts


def structure(raw: JsonObject, cls: type[T]) -> tuple[T, tuple[str, ...]]:
    """Read an attrs class from a JSON object, treating optional fields at fault as absent.

    Returns the value and what was at fault. Raises `DecodeError` when a field that must be there is at fault.
    """
    try:
        return cast("T", _reader_of(cls)(raw, cls)), ()
    except (ClassValidationError, IterableValidationError) as group:
        return _structure_without_faults(raw, cls, group)


def _structure_without_faults(raw: JsonObject, cls: type[T], group: BaseException) -> tuple[T, tuple[str, ...]]:
    """Take out what is at fault, as deep inside as it is, until the rest can be read.

    Each round takes out at least one value, so it ends: with something readable, or with the message itself at fault.
    """
    name = raw.get("type")
    faults: dict[_Path, str] = {}
    value: object = raw
    while True:
        spots: set[_Path] = set()
        for path, error in _leaves(group, ()):
            found = _at(value, path)
            # What is missing was needed by the object around it, so that object is lost.
            spots.add(path[:-1] if found is _MISSING else path)
            if found is not None:  # null only means absent
                # What was taken out in an earlier round is missing now, but that was told.
                faults.setdefault(path, f"{_spell(path)}: {'missing' if found is _MISSING else error}")
        if () in spots:
            # cattrs errors are groups whose insides `except*` would match (T6): only their texts leave this module.
            raise DecodeError(name if isinstance(name, str) else None, tuple(faults.values())) from None
        value = _without(value, spots)
        try:
            return cast("T", _reader_of(cls)(value, cls)), tuple(faults.values())
        except (ClassValidationError, IterableValidationError) as error:
            group = error


def _spell(path: _Path) -> str:
    return ".".join(map(str, path)) or "it"


def _leaves(error: BaseException, path: _Path) -> list[tuple[_Path, BaseException]]:
    """List the single errors in a cattrs group with the JSON path of each."""
    if not isinstance(error, ClassValidationError | IterableValidationError):
        return [(path, error)]
    found: list[tuple[_Path, BaseException]] = []
    children: Sequence[BaseException] = error.exceptions
    for child in children:
        step: _Path = ()
        for note in getattr(child, "__notes__", ()):
            if isinstance(note, AttributeValidationNote) and isinstance(error, ClassValidationError):
                step = (wire_name(error.cl, note.name),)
            elif isinstance(note, IterableValidationNote) and isinstance(note.index, int):  # pragma: no branch - lists
                step = (note.index,)
        found.extend(_leaves(child, path + step))
    return found


def _at(value: object, path: _Path) -> object:
    for part in path:
        if isinstance(value, list):
            value = cast("list[object]", value)[cast("int", part)]
        else:
            value = cast("JsonObject", value).get(cast("str", part), _MISSING)
    return value


def _without(value: object, spots: Collection[_Path]) -> object:
    """Copy along the paths, leaving their ends out. In a list null takes the place, so that other paths stay true."""
    below: dict[str | int, list[_Path]] = {}
    for head, *rest in spots:
        below.setdefault(head, []).append(tuple(rest))
    # A path leads through objects by name and through lists by number; both are copied and written alike.
    whole = cast("JsonObject | list[object]", value)
    parts = cast("dict[str | int, object]", dict(enumerate(whole)) if isinstance(whole, list) else dict(whole))
    for head, paths in below.items():
        if () not in paths:
            parts[head] = _without(parts[head], paths)
        elif isinstance(whole, list):
            parts[head] = None
        else:
            del parts[head]
    return list(parts.values()) if isinstance(whole, list) else parts


def next_device_state(
    before: DeviceState, fields: Mapping[str, object], *, full: bool
) -> tuple[DeviceState, tuple[str, ...]]:
    """Apply an update of the state of the glasses; give the new state and what could not be read.

    A full snapshot resets what it does not mention to unknown (P2 6.5, V8). What cannot be read stays what it was. The
    wire's sentinels, -1 for an unknown battery and the empty text, become `None` (P2 6.5, V1), and so does any other
    level that no battery has.
    """
    names = {wire: name for wire, name in _DEVICE_FIELDS.items() if wire in fields}
    plain: JsonObject = {wire: fields[wire] for wire in names if _is_told(wire, fields[wire])}
    read, faults = structure(plain, DeviceState)
    changes = {
        # A value that is there and could be read is not `None`.
        name: getattr(before if wire in plain and getattr(read, name) is None else read, name)
        for wire, name in names.items()
    }
    return attrs.evolve(DeviceState() if full else before, **changes), faults


def is_level(number: float) -> bool:
    """Tell whether a battery can be so full, in per cent."""
    return 0 <= number <= 100


def _is_told(wire: str, value: object) -> bool:
    if wire in _LEVELS and isinstance(value, int | float):
        return is_level(value)
    return value not in (None, "", -1)


_LEVELS = ("batteryLevel", "caseBatteryLevel")
_DEVICE_FIELDS = {wire_name(DeviceState, name): name for name in attrs.fields_dict(DeviceState)}
