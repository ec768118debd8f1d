"""Uploads of photos and calls of `/settings`: every answer, and what stays in memory meanwhile (P1 6.3, 6.4)."""

import json
from collections.abc import Iterable
from contextlib import suppress
from itertools import pairwise

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from mentra_trio._net.asgi import PHOTO_PATHS, SETTINGS_PATHS, UPLOAD_TIMEOUT, build_app
from mentra_trio._net.uploads import MAX_FORM_SIZE, MAX_PHOTO_SIZE, Budget, Form, FormError, FormReader

from .callbacks import Calls
from .test_asgi import Answer, call

JPEG = bytes.fromhex("ffd8ffe000104a4649460001")
BOUNDARY = "----glasses"
MULTIPART = f'multipart/form-data; boundary="{BOUNDARY}"'


def part(name: str, content: bytes | str, *, filename: str | None = None, kind: str | None = None) -> bytes:
    """One part of a form."""
    head = f'Content-Disposition: form-data; name="{name}"'
    if filename is not None:
        head += f'; filename="{filename}"'
    if kind is not None:
        head += f"\r\nContent-Type: {kind}"
    data = content.encode() if isinstance(content, str) else content
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def photo(data: bytes = JPEG) -> bytes:
    return part("photo", data, filename="IMG_1.jpg", kind="image/jpeg")


async def upload(
    calls: Calls,
    pieces: Iterable[bytes | float],
    *,
    kind: str = MULTIPART,
    path: str = "/photo-upload",
    cut: bool = False,
) -> Answer:
    headers = [(b"content-type", kind.encode())]
    return await call(build_app(calls), "POST", path, pieces, headers=headers, is_cut=cut)


@pytest.mark.parametrize("path", PHOTO_PATHS)
async def test_a_photo_reaches_whoever_waits_on_both_paths(path: str) -> None:
    calls = Calls(awaited={"1"})
    answer = await upload(calls, [form(part("requestId", "1"), part("success", "true"), photo())], path=path)

    assert (answer.status, answer.json) == (
        200,
        {"success": True, "requestId": "1", "message": "Photo received successfully"},
    )
    (taken,) = calls.photos
    assert (taken.data, taken.content_type, taken.filename) == (JPEG, "image/jpeg", "IMG_1.jpg")


async def test_nobody_who_waits_is_told_at_once() -> None:
    """P3 5.7: a device that gets 404 stops trying."""
    answer = await upload(Calls(awaited={"2"}), [form(part("requestId", "1"), photo())])
    assert answer.status == 404
    assert answer.json == {
        "success": False,
        "error": "No pending request found for this photo (may have timed out or session ended)",
    }


async def test_a_photo_that_comes_twice_is_taken_once() -> None:
    calls = Calls(awaited={"1"})
    body = form(part("requestId", "1"), photo())
    assert [(await upload(calls, [body])).status for _ in range(2)] == [200, 404]


@pytest.mark.parametrize(
    ("parts", "code", "text"),
    [
        ((part("type", "photo_error"),), "UNKNOWN_ERROR", ""),
        (
            (part("success", "false"), part("errorCode", "CAMERA_BUSY"), part("errorMessage", "in use")),
            "CAMERA_BUSY",
            "in use",
        ),
    ],
)
async def test_the_report_of_an_error_is_received(parts: tuple[bytes, ...], code: str, text: str) -> None:
    calls = Calls(awaited={"1"})
    answer = await upload(calls, [form(part("requestId", "1"), *parts)])

    assert answer.json == {"success": True, "requestId": "1", "message": "Photo error received successfully"}
    assert [(taken.data, taken.code, taken.text) for taken in calls.photos] == [(None, code, text)]


async def test_a_file_wins_over_any_flag() -> None:
    calls = Calls(awaited={"1"})
    answer = await upload(calls, [form(part("requestId", "1"), part("type", "photo_error"), photo())])
    assert answer.status == 200
    assert calls.photos[0].data == JPEG


@pytest.mark.parametrize("parts", [(), (part("photo", "no file"),), (photo(b""),)], ids=["nothing", "text", "empty"])
async def test_neither_photo_nor_error_is_the_uploaders_mistake_and_ends_the_wait(parts: tuple[bytes, ...]) -> None:
    calls = Calls(awaited={"1"})
    answer = await upload(calls, [form(part("requestId", "1"), *parts)])
    assert answer.status == 400
    assert calls.photos[0].code == "NO_FILE"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (form(photo()), MULTIPART),
        (form(part("requestId", ""), photo()), MULTIPART),
        (b'{"requestId": "1"}', "application/json"),
        (b"", ""),
    ],
)
async def test_a_body_without_an_id_is_refused(body: bytes, kind: str) -> None:
    answer = await upload(Calls(awaited={"1"}), [body], kind=kind)
    assert (answer.status, answer.json) == (400, {"success": False, "error": "No requestId provided"})


async def test_a_plain_form_can_report_an_error() -> None:
    calls = Calls(awaited={"1"})
    kind = "application/x-www-form-urlencoded"
    answer = await upload(calls, [b"requestId=1&type=photo_error&errorCode=BATTERY_LOW"], kind=kind)
    assert answer.status == 200
    assert calls.photos[0].code == "BATTERY_LOW"


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b"x", "multipart/form-data", "boundary"),
        (b"--b\r\nbroken", "multipart/form-data; boundary=b", "ended early"),
        (b"not a form at all", MULTIPART, "cannot be read"),
        (form(*(part(str(number), "x") for number in range(40))), MULTIPART, "parts"),
        (form(part("x" * 3000, "x")), MULTIPART, "headers"),
        (form(part("requestId", "x" * 5000)), MULTIPART, "field"),
        (b"&".join(b"a=1" for _ in range(40)), "application/x-www-form-urlencoded", "fields"),
    ],
)
async def test_what_is_no_form_is_refused(body: bytes, kind: str, text: str) -> None:
    answer = await upload(Calls(awaited={"1"}), [body], kind=kind)
    assert answer.status == 400
    assert text in answer.body.decode()


async def test_a_form_that_is_too_large_is_refused_before_it_is_read_whole() -> None:
    piece = bytes(2**20)
    head = part("requestId", "1") + photo()[:-2]
    answer = await upload(Calls(), [head, *([piece] * 30)])
    assert answer.status == 413
    assert answer.unread > 10


async def test_a_large_plain_form_is_refused() -> None:
    answer = await upload(Calls(), [b"a=" + b"x" * 200_000], kind="application/x-www-form-urlencoded")
    assert answer.status == 413


async def test_a_client_that_hangs_up_or_takes_too_long_is_not_waited_for(autojump_clock: MockClock) -> None:
    piece = form(part("requestId", "1"))[:20]
    assert (await upload(Calls(), [piece], cut=True)).status == 400
    assert (await upload(Calls(), [piece, UPLOAD_TIMEOUT + 1.0, piece])).status == 408
    assert trio.current_time() == UPLOAD_TIMEOUT


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_another_method_is_refused(method: str) -> None:
    assert (await call(build_app(Calls()), method, "/photo-upload")).status == 405


# Memory


def read(pieces: Iterable[bytes], *, keep: bool = True, budget: Budget | None = None) -> Form:
    with FormReader(MULTIPART, keep, budget or Budget()) as reader:
        for piece in pieces:
            reader.feed(piece)
        return reader.finish()


def test_a_photo_that_nobody_waits_for_is_not_kept() -> None:
    found = read([form(part("requestId", "1"), photo(bytes(1000)))], keep=False)
    assert found.fields == {"requestId": "1"}
    assert found.files["photo"].data == b""


def test_all_photos_under_way_share_one_limit_and_give_it_back() -> None:
    budget = Budget(limit=1500)
    body = form(part("requestId", "1"), photo(bytes(1000)))
    with FormReader(MULTIPART, True, budget) as first:
        first.feed(body)
        with pytest.raises(FormError, match="too many") as refused, FormReader(MULTIPART, True, budget) as second:
            second.feed(body)
        assert refused.value.status == 503
        assert budget.used == 1000
    assert budget.used == 0
    assert read([body], budget=budget).files["photo"].data == bytes(1000)


def test_the_largest_photo_fits() -> None:
    body = form(part("requestId", "1"), photo(bytes(MAX_PHOTO_SIZE)))
    assert len(body) < MAX_FORM_SIZE
    assert len(read([body]).files["photo"].data) == MAX_PHOTO_SIZE


@given(data=st.binary(max_size=300), cuts=st.lists(st.integers(0, 700), max_size=8))
@settings(deadline=None)
def test_a_form_reads_the_same_however_it_is_cut(data: bytes, cuts: list[int]) -> None:
    body = form(part("requestId", "1"), photo(data), part("success", "true"))
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    found = read(body[start:end] for start, end in pairwise(edges))
    assert found.files["photo"].data == data
    assert found.fields == {"requestId": "1", "success": "true"}


@given(body=st.binary(max_size=400))
@settings(deadline=None)
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    with suppress(FormError):
        read([b"--" + BOUNDARY.encode() + b"\r\n" + body])


# Settings


@pytest.mark.parametrize("path", SETTINGS_PATHS)
async def test_settings_are_told_by_key(path: str) -> None:
    calls = Calls()
    entries = [{"key": "a", "value": 1}, {"key": "b", "defaultValue": "x"}, {"key": ""}, "odd", {"type": "group"}]
    body = {"userIdForSettings": "ana@example.com", "settings": entries}
    answer = await call(build_app(calls), "POST", path, [json.dumps(body).encode()])

    assert answer.json == {"status": "success", "message": "Settings updated successfully", "sessionsUpdated": 2}
    assert [(notice.user_id, notice.settings) for notice in calls.notices] == [("ana@example.com", {"a": 1, "b": "x"})]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"userIdForSettings": "u"}',
        b'{"settings": []}',
        b'{"userIdForSettings": "u", "settings": {}}',
    ],
)
async def test_a_settings_call_that_cannot_be_read_is_refused(body: bytes) -> None:
    calls = Calls()
    answer = await call(build_app(calls), "POST", "/settings", [body])
    assert answer.status == 400
    assert calls.notices == []


async def test_health_can_be_switched_off() -> None:
    assert (await call(build_app(Calls(), has_health_check=False), "GET", "/health")).status == 404
