"""Draws the pictures of `docs/pictures.md`: what typical screens look like on each display.

`python -m tests.text.sheets docs/previews` makes them anew. They are written in the font that Pillow brings, and what
it lacks in fonts of the machine: of Debian's packages `fonts-dejavu-core` and `fonts-noto-cjk`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFont

from mentra_trio.text import (
    PROFILES,
    Align,
    Bitmap,
    CaptionView,
    Profile,
    bullets,
    columns,
    fit,
    progress_bar,
    table,
    wrap,
)
from mentra_trio.text.fonts import find_font
from mentra_trio.text.pictures import CANVAS, SEEN_BEST, Dither, picture
from mentra_trio.text.preview import LINE_HEIGHT, Preview, Screen, double_text_wall, reference_card

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAGE = (32, 34, 38)
FRAME = (74, 78, 86)
LABEL = (186, 190, 198)
GAP = 16
HEADING = 26
CHINESE = "渡轮早上七点开往北岛，请带上暖和的外套和一本书（票在船上买）。"
EUROPEAN = "Fähre um 7 Uhr, 5 € – à bientôt! Паром в семь. Το πλοίο στις επτά."
JAPANESE_AND_KOREAN = "フェリーは七時に「北の島」へ出ます。暖かいコートと本を忘れずに。페리는 일곱 시에 떠납니다."
COLORS = 16
"""Of a sheet: greys, and greens."""
NO_BITMAPS = ("vuzix-z100",)
"""Displays that show none (P3 0.8)."""


def captions(profile: Profile) -> Sequence[str]:
    """Let two people speak."""
    view = CaptionView(profile)
    for number, (speaker, said) in enumerate(
        [
            ("1", "The ferry to the north island leaves at seven."),
            ("2", "Do we need tickets before we get on?"),
            ("1", "No, they sell them on board, but bring some cash with you."),
        ]
    ):
        view.update(said, is_final=True, utterance=str(number), speaker=speaker)
    view.update("And a warm", is_final=False, utterance="3", speaker="1")
    return view.lines


def landscape() -> Bitmap:
    """Draw a picture with greys: a sun above hills."""
    image = Image.linear_gradient("L").transform(CANVAS, Image.Transform.EXTENT, (0, 0, 256, 120))
    draw = ImageDraw.Draw(image)
    draw.ellipse((376, 20, 440, 84), fill=255)
    for left, top, right, level in ((-160, 70, 330, 160), (250, 84, 760, 190), (60, 100, 560, 40)):
        draw.ellipse((left, top, right, top + 200), fill=level)
    return picture(image, dither=Dither.FLOYD_STEINBERG)


def sign() -> Bitmap:
    """Draw a sign, as large as is seen best: an arrow, and how far it is."""
    image = Image.new("L", SEEN_BEST)
    draw = ImageDraw.Draw(image)
    draw.polygon([(20, 36), (110, 36), (110, 10), (200, 50), (110, 90), (110, 64), (20, 64)], fill=255)
    draw.text((240, 76), "200 m", fill=255, font=ImageFont.load_default(72), anchor="ls")
    return picture(image, size=SEEN_BEST, dither=Dither.THRESHOLD)


def screens(profile: Profile) -> Mapping[str, Screen]:
    """Make typical screens for a display."""
    trains = [["12", "Harbour", "4 min"], ["7", "Main station", "11 min"], ["31", "Airport", "18 min"]]
    shopping = ["two loaves of dark bread", "milk", "apples, if there are any that are not from far away"]
    side = columns("Turn left\nMill Street\n200 m", "10:42\nETA 11:05\n18 km/h", profile)
    chinese = CHINESE * 2
    bitmaps: dict[str, Screen] = {
        "Bitmap: a drawing, Dither.THRESHOLD": sign(),
        "Bitmap: greys, Dither.FLOYD_STEINBERG": landscape(),
    }
    if profile.id in NO_BITMAPS:
        bitmaps = dict.fromkeys(bitmaps, "(these glasses show no bitmaps)")
    ferry = (
        "The ferry to the north island leaves at seven, so bring a warm coat, something to read, and enough patience "
        "for the harbour."
    )
    long = "Boil the water, add the rice and let it simmer until it is soft. " * 8
    return {
        "show_text_wall(text): phones cut words": ferry,
        "fit(text): whole lines, and an ellipsis": fit(long, profile).texts,
        "show_double_text_wall": double_text_wall("Oslo\n12 C, rain", "Lima\n19 C, clear", profile),
        "show_reference_card": reference_card("Stand-up", "Room A, in five minutes. Anna is late.", profile),
        "CaptionView": captions(profile),
        "bullets(items)": "\n".join(bullets(shopping, profile)),
        "table(rows)": "\n".join(table(trains, profile, align=[Align.LEFT, Align.LEFT, Align.RIGHT])),
        "progress_bar(0.4)": ["Loading the map", progress_bar(0.4, profile), "", "Ready in 12 s"],
        "columns(left, right)": side.text,
        "wrap(text): Chinese": wrap(chinese, profile).texts,
        "wrap(text): Japanese and Korean": wrap(JAPANESE_AND_KOREAN, profile).texts,
        "wrap(text): European languages": wrap(EUROPEAN, profile).texts,
        **bitmaps,
    }


def cell_of(profile: Profile) -> tuple[int, int]:
    """Pixels of the largest screen of a display, with its heading."""
    lines = (profile.width, profile.max_lines * LINE_HEIGHT)
    canvas = lines if profile.id in NO_BITMAPS else CANVAS
    return max(lines[0], canvas[0]), max(lines[1], canvas[1]) + HEADING


def size_of(profile: Profile) -> tuple[int, int]:
    """Pixels of the sheet of a display."""
    width, height = cell_of(profile)
    rows = (len(screens(profile)) + 1) // 2
    return 2 * (width + GAP) + GAP, rows * (height + GAP) + GAP + HEADING


def sheet(profile: Profile) -> Image.Image:
    """Put all screens of a display on one page, two beside each other."""
    preview = Preview(profile)
    width, height = cell_of(profile)
    page = Image.new("RGB", size_of(profile), PAGE)
    draw = ImageDraw.Draw(page)
    face = ImageFont.load_default(15)
    title = f"{profile.name}: {profile.width} pixels, {profile.max_lines} lines"
    draw.text((GAP, GAP), title, fill=LABEL, font=ImageFont.load_default(18))
    for n, (label, screen) in enumerate(screens(profile).items()):
        image = preview.render(screen)
        left = GAP + n % 2 * (width + GAP)
        top = GAP + HEADING + n // 2 * (height + GAP)
        draw.text((left, top + 5), label, fill=LABEL, font=face)
        draw.rectangle((left - 1, top + HEADING - 1, left + image.width, top + HEADING + image.height), outline=FRAME)
        page.paste(image, (left, top + HEADING))
    return page.quantize(COLORS, dither=Image.Dither.NONE)


def main(folder: Path) -> None:
    """Write a sheet of each display. Raises `FontError` where there is no font for a screen."""
    for text in (CHINESE, JAPANESE_AND_KOREAN, EUROPEAN):
        find_font(text)
    folder.mkdir(parents=True, exist_ok=True)
    for profile in PROFILES:
        sheet(profile).save(folder / f"{profile.id}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
