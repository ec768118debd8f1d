"""The operations of the display vectors, in words of `mentra_trio.text.compatible`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

import attrs

from mentra_trio.text import PROFILES, Profile, Script, ScrollView, Where, detect_script
from mentra_trio.text import compatible as c

from . import bitmaps

if TYPE_CHECKING:
    from collections.abc import Callable

    from .recordings import Json

_OPTIONS = {
    "maxWidthPx": "max_width",
    "maxLines": "max_lines",
    "maxBytes": "max_bytes",
    "breakMode": "break_mode",
    "hyphenChar": "hyphen",
    "minCharsBeforeHyphen": "min_before_hyphen",
    "trimLines": "trim_lines",
    "preserveNewlines": "keep_newlines",
}
_COLUMNS = {
    "leftColumnWidthPx": "left_width",
    "rightColumnStartPx": "right_start",
    "rightColumnWidthPx": "right_width",
    "maxLines": "max_lines",
    "leftMarginSpaces": "margin",
}
_FACTORIES = {
    "createDisplayToolkit": ("even-realities-g1", True, "word"),
    "createG1Toolkit": ("even-realities-g1", True, "character-no-hyphen"),
    "createG1LegacyToolkit": ("even-realities-g1-legacy", True, "character-no-hyphen"),
    "createG2Toolkit": ("even-realities-g2", True, "character-no-hyphen"),
    "createZ100Toolkit": ("vuzix-z100", True, "character-no-hyphen"),
    "createNexToolkit": ("mentra-nex", True, "character-no-hyphen"),
    "createColumnComposer": ("even-realities-g1", False, "word"),
    "ColumnComposer": ("even-realities-g1", False, "character-no-hyphen"),
}
"""Profile, whether it wraps, and the break mode of its columns; they are arguments here (P4 4)."""
_MOVES: dict[str, Callable[[ScrollView], object]] = {
    "clear": ScrollView.clear,
    "getViewport": lambda _view: None,
    "pageDown": ScrollView.page_down,
    "pageUp": ScrollView.page_up,
    "scrollToBottom": ScrollView.scroll_to_bottom,
    "scrollToTop": ScrollView.scroll_to_top,
}
_DEFAULT_COMPOSER_MODE = "character-no-hyphen"


def _text(given: Json, key: str = "text") -> str:
    return cast("str", given.get(key) or "")


def _number(given: Json, key: str) -> float | None:
    value = given.get(key)
    return math.inf if value == "Infinity" else cast("float | None", value)


def _whole(given: Json, key: str) -> int:
    return cast("int", given[key])


def _strings(given: Json, key: str = "lines") -> list[str]:
    return cast("list[str]", given[key])


def _options(profile: Profile, *layers: object) -> c.WrapOptions:
    """Merge options: of the profile, of the wrapper, of the call."""
    options = c.WrapOptions.of(profile)
    for layer in layers:
        for name, value in cast("Json", layer or {}).items():
            options = attrs.evolve(options, **{_OPTIONS[name]: math.inf if value == "Infinity" else value})  # type: ignore[arg-type]  # JSON
    return options


def _recorded(value: float) -> object:
    return "Infinity" if value == math.inf else value


def _recorded_options(options: c.WrapOptions) -> Json:
    return {
        name: _recorded(value) if isinstance(value := getattr(options, field), float) else value
        for name, field in _OPTIONS.items()
    }


def _layout(layout: c.ColumnLayout) -> Json:
    return {name: getattr(layout, field) for name, field in _COLUMNS.items()}


def _measurer(profile: Profile) -> c.Measurer:
    return c.Measurer(profile)


def accessors(profile: Profile, _given: Json) -> Json:
    return {
        "displayWidthPx": profile.width,
        "maxLines": profile.max_lines,
        "maxPayloadBytes": profile.max_bytes,
        "hyphenWidthPx": profile.hyphen_width,
        "spaceWidthPx": profile.space_width,
    }


def measure_text(profile: Profile, given: Json) -> Json:
    measurer, text = _measurer(profile), _text(given)
    return {"widthPx": measurer.width(text), "byteSize": measurer.bytes(text)}


def measure_text_detailed(profile: Profile, given: Json) -> Json:
    measurer, text = _measurer(profile), _text(given)
    chars = measurer.details(text)
    return {
        "totalWidthPx": measurer.width(text),
        "charCount": len(chars),
        "byteSize": measurer.bytes(text),
        "chars": [[one.char, one.width, one.script.value, one.is_in_font] for one in chars],
    }


def measure_char(profile: Profile, given: Json) -> Json:
    return {"widthPx": c.measure_char(profile.font, _text(given, "char"))}


def glyph_width(profile: Profile, given: Json) -> Json:
    return {"glyphWidth": profile.font.glyphs.get(_text(given, "char"))}


def fits_in_width(profile: Profile, given: Json) -> Json:
    return {"fits": _measurer(profile).fits(_text(given), cast("float", _number(given, "maxWidthPx")))}


def chars_that_fit(profile: Profile, given: Json) -> Json:
    limit = cast("float", _number(given, "maxWidthPx"))
    start = cast("int", given.get("startIndex", 0))
    return {"count": _measurer(profile).characters_that_fit(_text(given), limit, start)}


def pixel_offset(profile: Profile, given: Json) -> Json:
    return {"offsetPx": _measurer(profile).offset(_text(given), _whole(given, "index"))}


def byte_size(profile: Profile, given: Json) -> Json:
    return {"bytes": _measurer(profile).bytes(_text(given))}


def char_table(profile: Profile, given: Json) -> Json:
    ideographic = {Script.CJK, Script.HIRAGANA, Script.KATAKANA}
    uniform = ideographic | {Script.KOREAN, Script.CYRILLIC}
    rows: list[list[object]] = []
    for char in _strings(given, "chars"):
        script = detect_script(char)
        is_known = char in profile.font.glyphs
        kinds = (script in ideographic, script is Script.KOREAN, script in uniform, script is Script.UNSUPPORTED)
        rows.append([script.value, c.measure_char(profile.font, char), is_known, *kinds])
    return {"rows": rows}


def detect_scripts(_profile: Profile, given: Json) -> Json:
    return {"scripts": [detect_script(text).value for text in _strings(given, "chars")]}


def needs_hyphen(_profile: Profile, given: Json) -> Json:
    pairs = cast("list[tuple[str, str]]", given["pairs"])
    return {"results": [int(c.needs_hyphen(before, after)) for before, after in pairs]}


def wrap(profile: Profile, given: Json) -> Json:
    options = _options(profile, given.get("wrapperOptions"), given.get("options"))
    wrapped = c.wrap(_text(given), profile, options)
    return {
        "lines": wrapped.texts,
        "truncated": wrapped.is_truncated,
        "maxLineWidthPx": wrapped.max_line_width,
        "totalBytes": wrapped.total_bytes,
        "breakMode": wrapped.break_mode,
        "lineWidthsPx": [line.width for line in wrapped.lines],
        "lineBytes": [line.bytes for line in wrapped.lines],
        "utilizationPercent": [line.utilization for line in wrapped.lines],
        "endsWithHyphen": [line.ends_with_hyphen for line in wrapped.lines],
        "fromExplicitNewline": [line.from_newline for line in wrapped.lines],
    }


def wrapper_options(profile: Profile, given: Json) -> Json:
    return _recorded_options(_options(profile, given.get("wrapperOptions")))


def needs_wrap(profile: Profile, given: Json) -> Json:
    limit = _number(given, "maxWidthPx")
    if limit is None:
        limit = _options(profile, given.get("wrapperOptions")).max_width
    return {"needsWrap": c.needs_wrap(_text(given), profile, limit)}


def factory_defaults(_profile: Profile, given: Json) -> Json:
    name, wraps, mode = _FACTORIES[_text(given, "factory")]
    if not wraps:
        return {"composerBreakMode": mode}
    profile = PROFILES[name]
    return {
        "profile": name,
        "wrapperOptions": _recorded_options(c.WrapOptions.of(profile)),
        "composerBreakMode": mode,
        "composerColumnConfig": _layout(c.ColumnLayout.of(profile)),
    }


def truncate_to_lines(_profile: Profile, given: Json) -> Json:
    from_end = bool(given.get("fromEnd", False))
    return {"lines": c.truncate_to_lines(_strings(given), _whole(given, "maxLines"), from_end=from_end)}


def truncate_with_ellipsis(profile: Profile, given: Json) -> Json:
    limit = _number(given, "maxWidthPx")
    short = c.truncate_with_ellipsis(
        _text(given), profile, max_width=limit, ellipsis=cast("str", given.get("ellipsis", "..."))
    )
    return {
        "text": short.text,
        "wasTruncated": short.is_truncated,
        "widthPx": short.width,
        "originalLength": short.original_length,
        "truncatedLength": short.truncated_length,
    }


def estimate_line_count(profile: Profile, given: Json) -> Json:
    count = c.estimate_line_count(_text(given), profile, max_width=_number(given, "maxWidthPx"))
    return {"lines": _recorded(count)}


def fit_to_screen(profile: Profile, given: Json) -> Json:
    options = _options(profile, given.get("wrapperOptions"), given.get("options"))
    return {"lines": c.fit_to_screen(_text(given), profile, options)}


def paginate(profile: Profile, given: Json) -> Json:
    # The size of a page is an option of the call alone.
    own = {key: value for key, value in cast("Json", given.get("wrapperOptions") or {}).items() if key != "maxLines"}
    pages = c.paginate(_text(given), profile, _options(profile, own, given.get("options")))
    return {
        "pages": [
            {
                "lines": list(page.lines),
                "pageNumber": page.number,
                "totalPages": page.total,
                "isFirst": page.is_first,
                "isLast": page.is_last,
            }
            for page in pages
        ]
    }


def exceeds_byte_limit(profile: Profile, given: Json) -> Json:
    text = _text(given)
    exceeds = c.exceeds_byte_limit(text, profile, max_bytes=_number(given, "maxBytes"))
    return {"exceeds": exceeds, "bytes": _measurer(profile).bytes(text)}


def split_into_chunks(profile: Profile, given: Json) -> Json:
    size = cast("int | None", given.get("chunkSize"))
    return {
        "chunks": [
            {"text": chunk.text, "index": chunk.index, "totalChunks": chunk.total, "bytes": chunk.bytes}
            for chunk in c.split_into_chunks(_text(given), profile, size=size)
        ]
    }


def utilization(profile: Profile, given: Json) -> Json:
    options = _options(profile, given.get("wrapperOptions"), given.get("options"))
    used = c.utilization(c.wrap(_text(given), profile, options), profile)
    return {
        "averageUtilization": used.average,
        "minUtilization": used.lowest,
        "maxUtilization": used.highest,
        "totalWastedPx": used.wasted,
    }


def pad_to_line_count(_profile: Profile, given: Json) -> Json:
    at_end = bool(given.get("padAtEnd", True))
    return {"lines": c.pad_to_line_count(_strings(given), _whole(given, "targetCount"), at_end=at_end)}


def join_lines(_profile: Profile, given: Json) -> Json:
    return {"text": "\n".join(_strings(given))}


def scroll_view(profile: Profile, given: Json) -> Json:
    base = given.get("wrapperOptions")
    view = ScrollView(cast("int", given.get("viewportSize") or profile.max_lines))
    states: list[Json] = []
    for method, *arguments in cast("list[list[object]]", given["steps"]):
        _step(view, profile, base, cast("str", method), arguments)
        states.append(_state(view))
    return {"states": states, "allLines": list(view.all_lines)}


def _step(view: ScrollView, profile: Profile, base: object, method: str, arguments: list[object]) -> None:
    first, second, third = (*arguments, None, None, None)[:3]
    match method:
        case "setContent":
            view.show(_content(profile, first, base, second))
        case "appendContent":
            view.append(_content(profile, first, base, second), follow=third is not False)
        case "scrollTo":
            view.scroll_to(cast("int", first))
        case "scrollDown":
            view.scroll_by(1 if first is None else cast("int", first))
        case "scrollUp":
            view.scroll_by(-1 if first is None else -cast("int", first))
        case "scrollToLine":
            view.scroll_to_line(cast("int", first), Where(second or "top"))
        case "scrollToPercent":
            view.scroll_to_percent(cast("float", first))
        case _:
            _MOVES[method](view)


def _content(profile: Profile, text: object, *layers: object) -> list[str]:
    return c.wrap(cast("str", text or ""), profile, _options(profile, *layers).unlimited()).texts


def _state(view: ScrollView) -> Json:
    return {
        "offset": view.offset,
        "totalLines": len(view.all_lines),
        "visibleLines": len(view.lines),
        "maxOffset": view.max_offset,
        "atTop": view.is_at_top,
        "atBottom": view.is_at_bottom,
        "scrollPercent": view.percent,
        "isScrollable": view.is_scrollable,
        "contentTruncated": False,
        "lines": list(view.lines),
    }


def double_text_wall(profile: Profile, given: Json) -> Json:
    layout = c.ColumnLayout.of(profile)
    config = cast("Json", cast("Json", given.get("options") or {}).get("columnConfig") or {})
    for name, value in config.items():
        layout = attrs.evolve(layout, **{_COLUMNS[name]: cast("int", value)})
    mode = given.get("setBreakMode") or given.get("breakMode") or _DEFAULT_COMPOSER_MODE
    composed = c.compose_columns(
        _text(given, "left"), _text(given, "right"), profile, layout=layout, break_mode=cast("str", mode)
    )
    measurer = _measurer(profile)
    return {
        "composedText": composed.text,
        "leftLines": list(composed.left),
        "rightLines": list(composed.right),
        "config": _layout(layout),
        "composedBytes": measurer.bytes(composed.text),
        "composedLineWidthsPx": [measurer.width(row) for row in composed.text.split("\n")],
    }


def default_columns(profile: Profile, _given: Json) -> Json:
    return _layout(c.ColumnLayout.of(profile))


OPERATIONS: dict[str, Callable[[Profile, Json], Json]] = {
    **bitmaps.OPERATIONS,
    "accessors": accessors,
    "calculateUtilization": utilization,
    "charTable": char_table,
    "charsThatFit": chars_that_fit,
    "composeDoubleTextWall": double_text_wall,
    "defaultColumnConfig": default_columns,
    "detectScript": detect_scripts,
    "estimateLineCount": estimate_line_count,
    "exceedsByteLimit": exceeds_byte_limit,
    "factoryDefaults": factory_defaults,
    "fitToScreen": fit_to_screen,
    "fitsInWidth": fits_in_width,
    "getByteSize": byte_size,
    "getGlyphWidth": glyph_width,
    "getPixelOffset": pixel_offset,
    "joinLines": join_lines,
    "measureChar": measure_char,
    "measureText": measure_text,
    "measureTextDetailed": measure_text_detailed,
    "needsHyphenForBreak": needs_hyphen,
    "needsWrap": needs_wrap,
    "padToLineCount": pad_to_line_count,
    "paginate": paginate,
    "scrollView": scroll_view,
    "splitIntoChunks": split_into_chunks,
    "truncateToLines": truncate_to_lines,
    "truncateWithEllipsis": truncate_with_ellipsis,
    "wrap": wrap,
    "wrapperOptions": wrapper_options,
}
"""By name of the operation: what gives the recorded result for a profile and an input."""
