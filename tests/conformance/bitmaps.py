"""The operations of the bitmap vectors, in words of `mentra_trio.text.compatible`."""

from __future__ import annotations

import base64
import hashlib
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, cast

from mentra_trio.text import compatible as c

if TYPE_CHECKING:
    from collections.abc import Callable

    from mentra_trio.text import Profile

    from .recordings import Json

_ENCODINGS = ({"enc": "base64"}, {"enc": "zlib+base64"})


class _LoadOptions(TypedDict, total=False):
    pattern: str
    start: int
    validate: bool
    skip_missing: bool


_OPTIONS = {
    "filePattern": "pattern",
    "startFrame": "start",
    "validateFrames": "validate",
    "skipMissingFrames": "skip_missing",
}


def is_blob(value: object) -> bool:
    """Tell whether a value stands for bytes."""
    return isinstance(value, dict) and {"enc": cast("Json", value).get("enc")} in _ENCODINGS and "data" in value


def blob(value: object) -> bytes:
    """Read bytes, and hold them against what is said about them."""
    given = cast("dict[str, str]", value)
    data = base64.b64decode(given["data"])
    if given["enc"] == "zlib+base64":
        data = zlib.decompress(data)
    assert given.get("length", len(data)) == len(data)
    assert given.get("sha256", (digest := hashlib.sha256(data).hexdigest())) == digest
    return data


def recorded(data: bytes) -> Json:
    """Write bytes in the one way that is compared."""
    return {"enc": "base64", "data": base64.b64encode(data).decode("ascii")}


def plain(value: object) -> object:
    """Write all bytes within a recorded value in the one way that is compared."""
    if is_blob(value):
        return recorded(blob(value))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in cast("Json", value).items()}
    return [plain(item) for item in cast("list[object]", value)] if isinstance(value, list) else value


def _failed(error: c.BitmapProblemError) -> Json:
    return {"errorCode": error.problem.value}


def convert_24_bit(_profile: Profile, given: Json) -> Json:
    try:
        return {"bmp": recorded(c.convert_24_bit(blob(given["bmp"])))}
    except c.BitmapProblemError as error:
        return _failed(error)


def pad_bitmap(_profile: Profile, given: Json) -> Json:
    data = blob(given["bmp"])
    try:
        padded = c.pad_bitmap(data)
    except c.BitmapProblemError as error:
        return _failed(error)
    return {"bmp": recorded(padded), "unchanged": padded == data}


def validate_bitmap(_profile: Profile, given: Json) -> Json:
    # What is recorded as bytes is given as base64.
    data = cast("str", given["base64"]) if "base64" in given else base64.b64encode(blob(given["bmp"])).decode("ascii")
    report = c.validate_bitmap(data)
    is_known = report.width is not None
    return {
        "isValid": report.is_valid,
        "byteCount": report.byte_count,
        "blackPixels": report.inked_bytes,
        "errorCodes": [problem.value for problem in report.problems],
        "dimensions": {"width": report.width, "height": report.height} if is_known else None,
        "format": "BMP" if is_known else None,
    }


def bitmap_info(_profile: Profile, given: Json) -> Json:
    report = c.bitmap_info(cast("str", given["hex"]) if "hex" in given else blob(given["bmp"]).hex())
    return {
        "byteCount": report.byte_count,
        "blackPixels": report.inked_bytes,
        "width": report.width,
        "height": report.height,
        "isValidBmp": report.is_valid,
    }


def convert_format(_profile: Profile, given: Json) -> Json:
    data = given["data"]
    try:
        converted = c.convert_format(
            blob(data) if is_blob(data) else cast("str", data), cast("str", given["from"]), cast("str", given["to"])
        )
    except c.BitmapProblemError as error:
        return _failed(error)
    return {"data": recorded(converted) if isinstance(converted, bytes) else converted}


def load_frames(_profile: Profile, given: Json) -> Json:
    renamed = {_OPTIONS[key]: value for key, value in cast("Json", given.get("options") or {}).items()}
    options = cast("_LoadOptions", cast("object", renamed))
    with tempfile.TemporaryDirectory() as folder:
        for name, data in cast("Json", given["files"]).items():
            (Path(folder) / name).write_bytes(blob(data))
        try:
            frames = c.load_frames(folder, cast("int", given["frameCount"]), **options)
        except c.BitmapProblemError as error:
            return {**_failed(error), "failedFrames": list(error.frames)}
    return {"frames": [frame.name for frame in frames]}


def animation_config(_profile: Profile, given: Json) -> Json:
    config = c.AnimationConfig.of(cast("str", given["deviceType"]))
    return {
        "intervalMs": round(config.interval * 1000),
        "repeat": config.repeat,
        "validateFrames": config.validate_frames,
        "loadOptions": {
            "validateFrames": config.validate_frames,
            "skipMissingFrames": config.skip_missing_frames,
        },
    }


OPERATIONS: dict[str, Callable[[Profile, Json], Json]] = {
    "convert24To1": convert_24_bit,
    "convertFormat": convert_format,
    "getBitmapInfo": bitmap_info,
    "loadBmpFrames": load_frames,
    "optimizedAnimationConfig": animation_config,
    "padBmpForGlasses": pad_bitmap,
    "validateBase64Bitmap": validate_bitmap,
}
"""By name of the operation: what gives the recorded result for an input. No display plays a part."""
