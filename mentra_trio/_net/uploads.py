"""Forms that are posted to an app: read piece by piece, and kept only as far as somebody wants them (P1 6.4)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Self
from urllib.parse import parse_qsl

import attrs
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

MAX_PHOTO_SIZE = 16 * 2**20
"""Bytes of a photo. The largest that glasses take have some 5 million."""
MAX_FORM_SIZE = MAX_PHOTO_SIZE + 2**16
"""Bytes of a whole form, its fields included."""
MAX_KEPT_SIZE = 8 * MAX_PHOTO_SIZE
"""Bytes of all photos under way: anybody can post one, and memory is finite."""
_MOST_PARTS = 32
"""Real forms have four or five."""
_LONGEST_FIELD = 4096
_MOST_HEADERS = 2048
"""Bytes of the headers of one part."""


class FormError(Exception):
    """A form that is not taken."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        """What to answer."""


@attrs.frozen(kw_only=True)
class UploadedFile:
    """A file in a form."""

    data: bytes = attrs.field(repr=False)
    filename: str
    content_type: str


@attrs.frozen(kw_only=True)
class Form:
    """A form that was read."""

    fields: Mapping[str, str]
    files: Mapping[str, UploadedFile]


@attrs.define(eq=False)
class Budget:
    """The memory that all forms under way share."""

    limit: int = MAX_KEPT_SIZE
    used: int = attrs.field(init=False, default=0)


@attrs.define(eq=False)
class _Part:
    """One part of a form while it arrives."""

    headers: dict[bytes, bytes] = attrs.field(factory=dict[bytes, bytes])
    name: str = ""
    filename: str | None = None
    """`None` for a field."""
    content_type: str = ""
    data: bytearray = attrs.field(factory=bytearray)


@attrs.define(eq=False)
class FormReader:
    """Reads one form. `with` gives back the memory that it used.

    Without `keep_files` the content of files is read and forgotten: nobody waits for it.
    """

    _content_type: str
    _keep_files: bool
    _budget: Budget
    _fields: dict[str, str] = attrs.field(init=False, factory=dict[str, str])
    _files: dict[str, UploadedFile] = attrs.field(init=False, factory=dict[str, UploadedFile])
    _parser: MultipartParser | None = attrs.field(init=False, default=None)
    _query: bytearray | None = attrs.field(init=False, default=None)
    _part: _Part = attrs.field(init=False, factory=_Part)
    _parts: int = attrs.field(init=False, default=0)
    _header: tuple[bytearray, bytearray] = attrs.field(init=False, factory=lambda: (bytearray(), bytearray()))
    _header_size: int = attrs.field(init=False, default=0)
    _size: int = attrs.field(init=False, default=0)
    _kept: int = attrs.field(init=False, default=0)
    _is_whole: bool = attrs.field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        kind, options = parse_options_header(self._content_type)
        if kind == b"application/x-www-form-urlencoded":
            self._query = bytearray()
        elif kind == b"multipart/form-data":
            boundary = options.get(b"boundary")
            if not boundary:
                raise FormError(HTTPStatus.BAD_REQUEST, "the form has no boundary")
            self._is_whole = False
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_part_data": self._add_data,
                    "on_part_end": self._end_part,
                    "on_header_field": self._add_header_name,
                    "on_header_value": self._add_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_end": self._end,
                },
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.used -= self._kept
        self._kept = 0

    def feed(self, data: bytes) -> None:
        """Take a piece. Raises `FormError`."""
        self._size += len(data)
        if self._size > MAX_FORM_SIZE:
            raise FormError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the form has more than {MAX_FORM_SIZE} bytes")
        if self._query is not None:
            self._query += data
            if len(self._query) > _MOST_PARTS * _LONGEST_FIELD:
                raise FormError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form is too large for one without a file")
        elif self._parser is not None and data:
            try:
                self._parser.write(data)
            except FormParserError as error:
                raise FormError(HTTPStatus.BAD_REQUEST, "the form cannot be read") from error

    def finish(self) -> Form:
        """Give the form; a body that is none has no fields. Raises `FormError` when its end is missing."""
        if not self._is_whole:
            raise FormError(HTTPStatus.BAD_REQUEST, "the form ended early")
        if self._query is not None:
            try:
                pairs = parse_qsl(self._query.decode("ascii", "replace"), max_num_fields=_MOST_PARTS)
            except ValueError as error:
                raise FormError(HTTPStatus.BAD_REQUEST, "the form has too many fields") from error
            self._fields.update(pairs)
        return Form(fields=self._fields, files=self._files)

    # What the parser calls

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise FormError(HTTPStatus.BAD_REQUEST, f"the form has more than {_MOST_PARTS} parts")
        self._part = _Part()
        self._header_size = 0

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._add_header(self._header[0], data[start:end])

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._add_header(self._header[1], data[start:end])

    def _add_header(self, half: bytearray, piece: bytes) -> None:
        self._header_size += len(piece)
        if self._header_size > _MOST_HEADERS:
            raise FormError(HTTPStatus.BAD_REQUEST, f"a part has more than {_MOST_HEADERS} bytes of headers")
        half += piece

    def _end_header(self) -> None:
        name, value = self._header
        self._part.headers[bytes(name).lower()] = bytes(value)
        self._header = (bytearray(), bytearray())

    def _end_headers(self) -> None:
        part = self._part
        _, options = parse_options_header(part.headers.get(b"content-disposition", b"").decode("latin-1"))
        part.name = options.get(b"name", b"").decode("utf-8", "replace")
        if b"filename" in options:
            part.filename = options[b"filename"].decode("utf-8", "replace")
        part.content_type = part.headers.get(b"content-type", b"").decode("latin-1")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        part, size = self._part, end - start
        if part.filename is None:
            if len(part.data) + size > _LONGEST_FIELD:
                raise FormError(HTTPStatus.BAD_REQUEST, f"a field has more than {_LONGEST_FIELD} bytes")
        elif not self._keep_files:
            return
        else:
            if self._budget.used + size > self._budget.limit:
                raise FormError(HTTPStatus.SERVICE_UNAVAILABLE, "too many photos are on their way")
            self._budget.used += size
            self._kept += size
        part.data += memoryview(data)[start:end]

    def _end_part(self) -> None:
        part = self._part
        if part.filename is None:
            self._fields.setdefault(part.name, part.data.decode("utf-8", "replace"))
        else:
            file = UploadedFile(data=bytes(part.data), filename=part.filename, content_type=part.content_type)
            self._files.setdefault(part.name, file)
        self._part = _Part()

    def _end(self) -> None:
        self._is_whole = True
