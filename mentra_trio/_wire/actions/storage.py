"""Stored values (P3 9): how keys and values are spelled, and the calls that read and write them."""

from __future__ import annotations

import enum
import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import is_dataclass
from functools import partial
from http import HTTPStatus
from operator import eq
from types import UnionType
from typing import Any, ClassVar, Literal, NoReturn, TypeVar, Union, cast, get_args, get_origin

import attrs
import cattrs
from cattrs.gen import make_mapping_structure_fn  # pyright: ignore[reportUnknownVariableType] - cattrs leaves it open
from cattrs.preconf.json import make_converter

from mentra_trio._wire.json_text import dumps
from mentra_trio._wire.rest import RestAnswer, RestRequest, answered, refused, segment
from mentra_trio.errors import CloudRefusedError, DecodeError, StorageError, StorageLimitError, StorageRateError

T = TypeVar("T")

MOST_OF_VALUE = 100_000
"""UTF-16 units of one value (P3 9.4)."""
MOST_IN_ALL = 1_000_000
"""UTF-16 units of all values together, keys not counted."""
_LARGEST = 16 * 2**20
"""Bytes of all values, as long as JSON can spell them, with room for keys."""
_MOST_MARKS = 2_000_000
"""Brackets and commas in all values: more than fit, because values hold JSON themselves."""
_NAME = "stored values"

_UNSAFE = re.compile(r"[%.]|^\$")
_ESCAPED = re.compile(r"%(25|2E|24)")
_CHARACTERS = {"%": "%25", ".": "%2E", "$": "%24"}
_LISTS = (Sequence, AbstractSet, deque)
"""What JSON has as a list."""
_ESCAPES = {escape[1:]: character for character, escape in _CHARACTERS.items()}


# --- keys and values


def wire_key(key: str) -> str:
    """Spell a key so that the database takes it for a name and not for a path: `%`, `.` and a leading `$` (P3 9.4)."""
    return _UNSAFE.sub(lambda found: _CHARACTERS[found[0]], key)


def _read_key(wire: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES[found[1]], wire)


def checked_key(key: object) -> str:
    """Let a key pass that can be stored. Raises `TypeError` or `ValueError`."""
    if not isinstance(key, str):
        msg = f"a key of the storage is text, not {type(key).__name__}"
        raise TypeError(msg)
    if not key or "\0" in key:
        msg = "a key of the storage is not empty and holds no NUL"
        raise ValueError(msg)
    _check_text(key, "a key of the storage")
    return key


def _check_text(text: str, what: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        msg = f"{what} holds half a character (a lone surrogate), which the cloud cannot store"
        raise ValueError(msg) from None


def size_of(text: str) -> int:
    """Measure a text as the cloud does: in UTF-16 units (P3 9.4)."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def make_values() -> cattrs.Converter:
    """Make what turns values of the author into JSON and back. Strict: a text is no number, and a number no text."""
    converter = make_converter(structure_fallback_factory=_nothing_reads)

    def plain(*kinds: type) -> None:
        for kind in kinds:
            converter.register_structure_hook(kind, _read_plain)

    plain(str, int, float, bool)
    converter.register_structure_hook_func(lambda kind: kind is object, lambda value, _: value)
    _read_from(converter, list, _is_list)
    _read_from(converter, dict, _is_object)
    converter.register_structure_hook_factory(_has_other_keys, _mapping_reader)
    return converter


def _nothing_reads(kind: object) -> NoReturn:
    raise TypeError(f"nothing reads {_name_of(kind)}")


def _read_from(converter: cattrs.Converter, form: type, applies: Callable[[object], bool]) -> None:
    """Have some kinds read from this form of JSON alone.

    To cattrs a text is a list of letters, an object one of keys, and a list an object whose fields all have defaults.
    """
    passed: list[object] = []
    """Kinds whose reader by cattrs itself is looked up, which is found behind this one."""

    def is_guarded(kind: object) -> bool:
        if kind in passed:
            passed.remove(kind)
            return False
        return applies(kind)

    def guard(kind: object) -> Callable[[object, object], object]:
        passed.append(kind)
        read = converter.get_structure_hook(kind, cache_result=False)

        def read_checked(value: object, kind: object) -> object:
            if not isinstance(value, form):
                raise TypeError(f"not a {form.__name__}")
            return read(value, kind)

        # cattrs notes its readers of mappings where they win over all others; another registration drops these notes.
        converter.register_structure_hook_func(partial(eq, kind), read_checked)
        return read_checked

    converter.register_structure_hook_factory(is_guarded, guard)


def _is_list(kind: object) -> bool:
    base = _class_of(kind)
    is_listed = issubclass(base, _LISTS) and not issubclass(base, str | bytes | bytearray)
    return is_listed and not _is_object(kind)


def _is_object(kind: object) -> bool:
    base = _class_of(kind)
    return issubclass(base, Mapping) or attrs.has(base) or is_dataclass(base)


def _class_of(kind: object) -> type[object]:
    base: object = get_origin(kind) or kind
    return cast("type[object]", base) if isinstance(base, type) else object


def _has_other_keys(kind: object) -> bool:
    """Tell whether a type is a mapping whose keys are no texts, which are all that JSON has."""
    is_mapping = get_origin(kind) in (dict, Mapping, MutableMapping)
    return is_mapping and get_args(kind)[:1] not in ((), (str,), (object,), (Any,))


def _mapping_reader(kind: type, converter: cattrs.Converter) -> Callable[[object, type], object]:
    key_kind: type = get_args(kind)[0]
    # cattrs says that it takes mappings only; whatever else it is given, it refuses.
    read = cast("Callable[[object, type], object]", make_mapping_structure_fn(kind, converter))

    def json_key(text: str) -> object:
        try:
            converter.structure(text, key_kind)
        except Exception:  # noqa: BLE001 - cattrs and the author's own classes may raise anything
            key: object = _read_json(text)
            return key if isinstance(key, int | float | None) else text
        return text

    def read_mapping(value: object, kind: type) -> object:
        if isinstance(value, dict):
            value = {json_key(key): item for key, item in cast("dict[str, object]", value).items()}
        return read(value, kind)

    return read_mapping


def _read_plain(value: object, kind: type) -> object:
    """Read a text, a number or a truth value, or an enum of them, which cattrs takes for one too (T7)."""
    wanted = next(base for base in (str, bool, int, float) if issubclass(kind, base))
    if wanted is float and type(value) is int:
        value = float(value)
    if wanted is int and isinstance(value, float) and value.is_integer():
        value = int(value)  # JSON does not tell 5 from 5.0
    if type(value) is not wanted:
        raise TypeError(f"not a {wanted.__name__}")
    return kind(value) if issubclass(kind, enum.Enum) else value


_values = make_values()


def to_text(value: object) -> str:
    """Spell a value: text as it is, everything else as compact JSON (P3 9.1).

    Raises:
        TypeError, ValueError: JSON cannot hold it.
    """
    if isinstance(value, str) and not isinstance(value, enum.Enum):
        _check_text(value, "a stored value")
        return value
    try:
        text = json.dumps(_values.unstructure(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except RecursionError:
        msg = "a stored value holds itself, or values in values too deep for JSON"
        raise ValueError(msg) from None
    _check_text(text, "a stored value")
    return text


def checked_kind(kind: object) -> None:
    """Raise `TypeError` for what nothing of JSON can be made into."""
    try:
        _values.get_structure_hook(kind)
    except Exception as error:
        msg = f"as_type is {_name_of(kind)}, which cannot be made of JSON: {error}"
        raise TypeError(msg) from error


def from_text(text: str, kind: type[T]) -> T:
    """Read a value that `to_text` has spelled. Raises `DecodeError`.

    Spelling does not tell the text `5` from the number. Types that take the text get it; only null, objects and lists
    are read as JSON where such a type takes them too. `object` gets what the JSON says, and the text if it is none.
    """
    value = _read_json(text)
    if kind in (object, Any):
        return cast("T", value)
    if takes_text := _takes(kind, text):
        if value is text or not isinstance(value, dict | list | None):
            return cast("T", text)  # `_takes` has told that it is one
    elif value is text:
        raise DecodeError("stored value", [f"it is not JSON for {_name_of(kind)}"])
    try:
        return _values.structure(value, kind)
    except Exception as error:  # noqa: BLE001 - cattrs and the author's own classes may raise anything
        if takes_text:
            return cast("T", text)
        paths = cattrs.transform_error(error) if isinstance(error, cattrs.BaseValidationError) else ["it does not fit"]
        raise DecodeError("stored value", [f"as {_name_of(kind)}: {path}" for path in paths]) from None


def _read_json(text: str) -> object:
    """Read JSON; the same text, where it is none."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return text


def _takes(kind: object, text: str) -> bool:
    """Tell whether a text is of a type as it is."""
    if get_origin(kind) in (Union, UnionType):
        return any(_takes(part, text) for part in get_args(kind))
    if get_origin(kind) is Literal:
        return text in get_args(kind)
    return getattr(kind, "__supertype__", kind) is str


def _name_of(kind: object) -> str:
    return getattr(kind, "__name__", str(kind))


# --- calls


@attrs.frozen(kw_only=True)
class StoredValue:
    """A value as it was found."""

    key: str
    wire: str
    """Under which name the cloud has it: a path where it lies inside of an object."""
    text: str = attrs.field(repr=False)


def _target(user_id: str, *keys: str) -> str:
    return "/".join(["/api/sdk/simple-storage", segment(user_id), *map(segment, keys)])


def _refusal(answer: RestAnswer) -> StorageError:
    """Make the error of an answer that says no (P3 9.3)."""
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        return StorageRateError(answer.retry_after)
    said = refused(answer)
    words = said.text.lower()
    # Writing several values answers 500 where 413 is meant; only the text tells.
    if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or ("1mb" in words and "exceed" in words):
        return StorageLimitError("all that the app has stored", None, MOST_IN_ALL, status=answer.status)
    error = StorageError(
        f"the cloud refused to read or write stored values: {said.code}, {said.text}", status=answer.status
    )
    error.__cause__ = said
    return error


def _checked(answer: RestAnswer, *, may_lack: bool = False) -> None:
    """Raise unless an answer says that it went well. Nothing to delete is fine where `may_lack` says so."""
    if may_lack and answer.status == HTTPStatus.NOT_FOUND:
        return
    try:
        answered(answer, _NAME)
    except CloudRefusedError:
        raise _refusal(answer) from None


@attrs.frozen
class FetchStored(RestRequest[tuple[StoredValue, ...]]):
    """Read everything: `GET /:user`."""

    METHOD: ClassVar[str] = "GET"
    LARGEST_ANSWER: ClassVar[int] = _LARGEST

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del package_name
        return _target(user_id)

    def read(self, answer: RestAnswer, /) -> tuple[StoredValue, ...]:
        """Read all values; what lies inside of objects gets a key with dots (P3 9.4)."""
        try:
            data = answered(answer, _NAME, most_values=_MOST_MARKS).get("data")
        except CloudRefusedError:
            raise _refusal(answer) from None
        if not isinstance(data, dict):
            raise DecodeError(_NAME, ["data: not an object"])
        return tuple(_found(cast("dict[str, object]", data), ()))


def _found(values: Mapping[str, object], parents: tuple[str, ...]) -> Iterator[StoredValue]:
    for name, value in values.items():
        path = (*parents, name)
        if isinstance(value, dict):
            yield from _found(cast("dict[str, object]", value), path)
        elif name:
            # What is no text was not written by any SDK; its JSON is.
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
            yield StoredValue(key=".".join(map(_read_key, path)), wire=".".join(path), text=text)


@attrs.frozen
class StoreValues(RestRequest[None]):
    """Write several values, others stay: `PUT /:user`."""

    METHOD: ClassVar[str] = "PUT"

    values: Mapping[str, str] = attrs.field(repr=False)
    """By key."""

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del package_name
        return _target(user_id)

    def body(self) -> bytes:
        """See `RestRequest.body`."""
        return dumps({"data": {wire_key(key): text for key, text in self.values.items()}}).encode()

    def read(self, answer: RestAnswer, /) -> None:
        """See `RestRequest.read`."""
        _checked(answer)


@attrs.frozen
class StoreValue(RestRequest[None]):
    """Write one value: `PUT /:user/:key`. It counts what it replaces, which writing several may not."""

    METHOD: ClassVar[str] = "PUT"

    key: str
    text: str = attrs.field(repr=False)

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del package_name
        return _target(user_id, wire_key(self.key))

    def body(self) -> bytes:
        """See `RestRequest.body`."""
        return dumps({"value": self.text}).encode()

    def read(self, answer: RestAnswer, /) -> None:
        """See `RestRequest.read`."""
        _checked(answer)


@attrs.frozen
class DeleteStored(RestRequest[None]):
    """Delete one value: `DELETE /:user/:key`."""

    METHOD: ClassVar[str] = "DELETE"

    wire: str
    """Name of the value as the cloud has it."""

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del package_name
        return _target(user_id, self.wire)

    def read(self, answer: RestAnswer, /) -> None:
        """See `RestRequest.read`. That nothing was ever stored is no error."""
        _checked(answer, may_lack=True)


@attrs.frozen
class ClearStored(RestRequest[None]):
    """Delete everything: `DELETE /:user`."""

    METHOD: ClassVar[str] = "DELETE"

    def target(self, user_id: str, package_name: str, /) -> str:
        """See `RestRequest.target`."""
        del package_name
        return _target(user_id)

    def read(self, answer: RestAnswer, /) -> None:
        """See `RestRequest.read`. That nothing was ever stored is no error."""
        _checked(answer, may_lack=True)
