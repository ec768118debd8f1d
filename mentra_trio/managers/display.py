"""`session.display`: text on the glasses (P3 1)."""

from __future__ import annotations

import base64
import binascii
import itertools
from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._arguments import check_hardware, checked_count, checked_seconds, checked_text, joined_lines
from mentra_trio._link import Link
from mentra_trio._wire.outbound import DisplayEvent
from mentra_trio.errors import DeviceUnavailableError
from mentra_trio.models.layouts import BitmapView, ClearView, DoubleTextWall, Layout, ReferenceCard, TextWall
from mentra_trio.models.speech import Transcript
from mentra_trio.text.bitmap import fit_bitmap
from mentra_trio.text.captions import CaptionView
from mentra_trio.text.fitting import fit
from mentra_trio.text.grids import usual_columns
from mentra_trio.text.profiles import PROFILES, Profile, Profiles
from mentra_trio.text.wrapping import DEFAULT_STYLE, Style, Wrapped

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable, Sequence

    from mentra_trio.models.speech import Translation

_LANE = "display"
_MOST_CHARACTERS = 1_000_000
"""Of a bitmap in base64, as in the reference (P3 2.2)."""
_SLOWEST_GLASSES = 1.65
"""Seconds that a bitmap takes to reach Even Realities G1 (P3 2.3)."""
_PACE = 0.35
"""Seconds between two displays below which frames would be left out."""
_NOBODY = "0"
"""The speaker of whom the recogniser knows nothing (P2 3.3.3)."""


@attrs.define(eq=False, repr=False)
class DisplayManager:
    """The display of the glasses. What you show last is what the wearer sees.

    Every method puts the newest state where the connection's writer finds it, and returns after one checkpoint; nobody
    waits for the glasses, and the cloud confirms nothing (P3 1.5). Displays that come faster than the cloud's pace
    (0.35 s) replace each other, and the newest one always arrives. While the link is down the newest one waits, and
    after the app was restarted by the cloud it is shown again. Replaced ones are counted in
    `session.statistics().outbox.coalesced`.

    The `duration` of a display begins when it is sent: one that had to wait for the link is shown for all of its time,
    and one that is shown again for what is left of it. What was due again when its time was over is counted in
    `outbox.discarded`. What would be stale by then, show only while `session.link_state` is `CONNECTED`. For the first
    1.6 s after a start the cloud's boot screen covers the display; one with a duration is sent after that (P3 1.5).

    Cancelling: a cancelled call has shown nothing.

    Every method raises `SessionClosedError` when the session is over, `TypeError` for what is not text or not a number,
    and `ValueError` for a `duration` that is not positive or longer than a year.
    """

    _link: Link
    profiles: Profiles = attrs.field(default=PROFILES, init=False)
    """The displays that are known. For others assign `PROFILES.adding(...)`."""
    _measured: tuple[Profile, Profile] | None = attrs.field(default=None, init=False)
    """A display, and that display as phones measure it, which takes longer to make than most texts to wrap."""

    @property
    def profile(self) -> Profile:
        """What the display of the connected glasses can show, by their model. It changes when others are connected."""
        capabilities = self._link.state.capabilities.value
        model = None if capabilities is None else capabilities.model_name
        return self.profiles.for_model(model or self._link.state.device.value.model_name)

    async def show_text_wall(self, text: str, *, duration: float | None = None) -> None:
        """Show one block of text. The phone wraps it and cuts what does not fit.

        Args:
            text: what to show; an empty text is an empty display.
            duration: seconds after which it disappears; `None` leaves it until something replaces it.
        """
        await self._show(TextWall(text=checked_text("text", text)), duration)

    async def show_text(self, text: str | Sequence[str], *, duration: float | None = None) -> None:
        """Show text, or lines of text, as `show_text_wall` does."""
        await self.show_text_wall(joined_lines(text), duration=duration)

    async def show_fitted(
        self, text: str | Sequence[str], *, style: Style = DEFAULT_STYLE, duration: float | None = None
    ) -> Wrapped:
        """Wrap text, or lines of text, to the connected glasses, cut what has no room, and show it.

        What is shown has no more lines and bytes than the glasses take (P4 1), and no line that the phone would break
        once more, which measures marks and joiners too: it shows these lines as they are. Text that is cut ends with an
        ellipsis. Glasses of which nothing is known count as Even Realities G1.

        Args:
            text: what to show.
            style: where lines may end.
            duration: as for `show_text_wall`.

        Returns:
            What is shown, line by line. `is_truncated` says whether something was cut, `cut` what.
        """
        fitted = fit(joined_lines(text), self._as_phones_measure(self.profile), style)
        await self._show(TextWall(text=fitted.text), duration)
        return fitted

    async def show_fitted_columns(
        self,
        left: str | Sequence[str],
        right: str | Sequence[str],
        *,
        style: Style = DEFAULT_STYLE,
        duration: float | None = None,
    ) -> tuple[Wrapped, Wrapped]:
        """Wrap two texts, or lines of text, to columns of the connected glasses, cut what has no room, and show them.

        It is to `show_double_text_wall` what `show_fitted` is to `show_text`. The phone puts the columns side by side
        (P4 7), and sends more bytes than `profile.max_bytes` for them if it has to: only each column alone is kept
        below that.

        Returns:
            What is shown of each.
        """
        phone = self._as_phones_measure(self.profile)
        first, second = usual_columns(phone)
        one = fit(joined_lines(left), attrs.evolve(phone, width=first), style)
        other = fit(joined_lines(right), attrs.evolve(phone, width=phone.width - second), style)
        await self._show(DoubleTextWall(top_text=one.text, bottom_text=other.text), duration)
        return one, other

    async def show_fitted_card(
        self, title: str, text: str | Sequence[str], *, style: Style = DEFAULT_STYLE, duration: float | None = None
    ) -> tuple[Wrapped, Wrapped]:
        """Cut a title to one line and a text, or lines of text, to the room below, and show them.

        It is to `show_reference_card` what `show_fitted` is to `show_text`. Between the two there is an empty line.

        Returns:
            What is shown of each.
        """
        phone = self._as_phones_measure(self.profile)
        head = fit(checked_text("title", title), phone, style, max_lines=1)
        room = phone.max_bytes - head.bytes - len("\n\n")
        body = fit(joined_lines(text), phone, style, max_lines=phone.max_lines - 2, max_bytes=room)
        await self._show(ReferenceCard(title=head.text, text=body.text), duration)
        return head, body

    async def show_captions(
        self,
        speech: AsyncIterable[Transcript | Translation],
        *,
        make_view: Callable[[Profile], CaptionView] = CaptionView,
        duration: float | None = None,
    ) -> None:
        """Show what is said while it is said, until the stream ends.

        The newest words are at the bottom. An interim replaces the one before it, a speaker who takes over begins a
        line with a dash, and lines only ever move up. As everywhere, what comes faster than the cloud's pace is left
        out but for the newest::

            async with session.transcription.stream("en") as speech:
                await session.display.show_captions(speech)

        What other calls show meanwhile stays until the next words. Cancelling stops it; the last lines stay.

        Args:
            speech: a stream of transcripts or translations. It is not closed.
            make_view: makes the view for a display, with other options than `CaptionView` has by default. It is given
                the display as phones measure it. It is called once more, and what was said before is forgotten, when
                glasses with another display are connected.
            duration: seconds of silence after which the lines disappear; `None` leaves them. The next words bring them
                back.

        Raises:
            SlowConsumerError: what the stream raises.
        """
        profile = self.profile
        view = make_view(self._as_phones_measure(profile))
        async for said in speech:
            if self.profile is not profile:
                profile = self.profile
                view = make_view(self._as_phones_measure(profile))
            speaker = said.speaker_id if isinstance(said, Transcript) and said.speaker_id != _NOBODY else None
            if view.update(said.text, is_final=said.is_final, speaker=speaker, utterance=said.utterance_id):
                await self._show(TextWall(text=view.text), duration)

    async def show_double_text_wall(self, left: str, right: str, *, duration: float | None = None) -> None:
        """Show two columns of text. The phone wraps them and cuts what does not fit.

        The wire calls them the top and the bottom text; glasses draw them side by side (P3 1.2).
        """
        await self._show(
            DoubleTextWall(top_text=checked_text("left", left), bottom_text=checked_text("right", right)), duration
        )

    async def show_reference_card(self, title: str, text: str, *, duration: float | None = None) -> None:
        """Show a line of title and a text below. The phone wraps them and cuts what does not fit."""
        await self._show(ReferenceCard(title=checked_text("title", title), text=checked_text("text", text)), duration)

    async def show_dashboard_card(self, left: str, right: str, *, duration: float | None = None) -> None:
        """Show two short texts side by side.

        The wire's own dashboard card is drawn by no phone and would land on the main display all the same, so this is
        sent as a double text wall (P3 1.5).
        """
        await self._show(
            DoubleTextWall(top_text=checked_text("left", left), bottom_text=checked_text("right", right)), duration
        )

    async def show_bitmap(
        self, data: bytes | str, *, left: int | None = None, top: int | None = None, duration: float | None = None
    ) -> None:
        """Show a picture that is a BMP file, black and white: white is what is drawn.

        It has to be 576 x 135 pixels, or smaller: then it is put on a dark canvas of that size. Colours are drawn where
        they are bright. It takes 1.65 s to reach the slowest glasses (P3 2.3).

        Args:
            data: the file, or its base64.
            left: pixels from the left; unless given 50, or as much as there is room for. `top` is 35 in the same way.
            top: pixels from the top.
            duration: as for text.

        Raises:
            ValueError: it is no BMP file, or a compressed one, or too large. Nothing is shown then.
            DeviceUnavailableError: the glasses are known to have no display, or to show no pictures.
        """
        self._check_bitmaps()
        await self._show(_bitmap(data, left=left, top=top), duration)

    async def show_animation(
        self, frames: Iterable[bytes | str], *, interval: float = _SLOWEST_GLASSES, repeat: int | None = 1
    ) -> None:
        """Show pictures one after another, and return when the last one has had its time. It stays on the display.

        All are looked at before the first is shown. To stop earlier, cancel it, as everything in Trio::

            with trio.move_on_after(10):
                await session.display.show_animation(frames, repeat=None)

        What is shown meanwhile by other calls stays until the next frame. While the link is down only the newest frame
        waits; the clock of the animation goes on.

        Args:
            frames: pictures as for `show_bitmap`.
            interval: seconds from one to the next. Even Realities G1 cannot follow below 1.65; below 0.35 the cloud
                would show old frames last.
            repeat: how often the whole is shown; `None` goes on for ever.

        Raises:
            ValueError, DeviceUnavailableError: as `show_bitmap`; or there are no frames, or the interval is too short.
        """
        seconds = checked_seconds("interval", interval, least=_PACE)
        rounds = itertools.repeat(None) if repeat is None else range(checked_count("repeat", repeat))
        self._check_bitmaps()
        layouts = [_bitmap(frame) for frame in frames]
        if not layouts:
            msg = "an animation needs at least one frame"
            raise ValueError(msg)
        await trio.lowlevel.checkpoint()
        due = trio.current_time()
        for _ in rounds:
            for layout in layouts:
                await self._show(layout, None)
                due += seconds
                await trio.sleep_until(due)

    async def clear(self) -> None:
        """Empty the display."""
        await self._show(ClearView(), None)

    async def _show(self, layout: Layout, duration: float | None) -> None:
        if duration is not None:
            checked_seconds("duration", duration, hint="None to leave it on")
        await trio.lowlevel.checkpoint()
        self._link.post(_LANE, DisplayEvent(layout=layout, view="main", duration=duration), lifetime=duration)

    def _as_phones_measure(self, profile: Profile) -> Profile:
        if self._measured is None or self._measured[0] is not profile:
            self._measured = profile, profile.as_phones_measure()
        return self._measured[1]

    def _check_bitmaps(self) -> None:
        check_hardware(self._link, lambda capabilities: capabilities.has_display, "display")
        capabilities = self._link.state.capabilities.value
        display = None if capabilities is None else capabilities.display
        if capabilities is not None and display is not None and display.can_display_bitmap is False:
            msg = f"{capabilities.model_name or 'the glasses'} show no bitmaps"
            raise DeviceUnavailableError(msg)


def _bitmap(data: object, *, left: int | None = None, top: int | None = None) -> BitmapView:
    if isinstance(data, str):
        if len(data) > _MOST_CHARACTERS:
            msg = f"a bitmap of {len(data)} characters is too large; {_MOST_CHARACTERS} are the most"
            raise ValueError(msg)
        try:
            data = base64.b64decode("".join(data.split()), validate=True)
        except (binascii.Error, ValueError):
            msg = "data is text that is no base64 (hex is not understood); pass the bytes of the file"
            raise ValueError(msg) from None
    if not isinstance(data, bytes | bytearray):
        msg = f"data is {type(data).__name__}, not the bytes of a BMP file or their base64"
        raise TypeError(msg)
    ready = fit_bitmap(bytes(data), left=left, top=top)
    return BitmapView(data=base64.b64encode(ready).decode("ascii"))
