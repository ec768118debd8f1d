"""Bitmaps on the simulated glasses (P3 2)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from mentra_trio.simulator import ViolationsError
from mentra_trio.text.bitmap import Bitmap
from tests.scripted_cloud import idle
from tests.weaknesses.simulated import open_simulated

if TYPE_CHECKING:
    from trio.testing import MockClock

PICTURE = Bitmap(width=8, height=3, rows=(0xFF, 0x01, 0xFF))


async def test_a_bitmap_is_drawn(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Even Realities G1")
        await trio.sleep(3)
        await world.sessions[0].display.show_bitmap(PICTURE.to_bmp())
        screen = await world.user.glasses.expect("[bitmap 576 x 135, 17 drawn]")

        assert screen.layout == "bitmap_view"
        assert screen.bitmap is not None
        assert screen.bitmap.is_drawn(50, 35)
        assert world.cloud.violations == ()


async def test_an_animation_is_drawn_frame_by_frame(autojump_clock: MockClock) -> None:
    async with open_simulated(idle) as world:
        world.user.update_device(modelName="Even Realities G1")
        await trio.sleep(3)
        frames = [Bitmap(width=8, height=1, rows=(row,)).to_bmp() for row in (1, 3, 7)]
        await world.sessions[0].display.show_animation(frames)
        drawn = [screen.bitmap.ink for screen in world.user.glasses.history if screen.bitmap is not None]

        assert drawn == [1, 2, 3]


@pytest.mark.parametrize("data", ["424d", "Qk0=", base64.encodebytes(PICTURE.to_bmp() * 2).decode()])
async def test_what_no_phone_can_read_is_told_in_strict_mode(autojump_clock: MockClock, data: str) -> None:
    """Hex and wrapped base64 are read by no phone (P3 2.2)."""
    with pytest.raises(ViolationsError, match="its data is no BMP file in base64"):
        await send_by_hand(data)


async def send_by_hand(data: str) -> None:
    """Send a display that the SDK would not send."""
    async with open_simulated(idle) as world:
        await wait_all_tasks_blocked()
        layout = {"layoutType": "bitmap_view", "data": data}
        await world.sessions[0].raw.send("display_event", view="main", layout=layout)
        await trio.sleep(5)
