"""Rewrites about sound: what is one at a time, what is cut into pieces, what is sent again."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, cast

from tests.conformance.marks import bytes_of
from tests.conformance.timeline import Item, field, is_ack

from .common import copy_item, new_error

if TYPE_CHECKING:
    from tests.conformance.recordings import Json

_PIECE = 32 * 1024


def one_stream_at_a_time(items: list[Item], item: Item) -> None:
    """A stream is refused while another one is opened or open; nothing of it happens."""
    place = items.index(item)
    if not _has_stream(items[:place]):
        return
    starts = [other for other in items if field(other.message, "type") == "audio_stream_start"]
    made = [other for other in items if other.dir == "app" and other.method == "speaker.create_stream"]
    is_recorded_refused = any(other.api == item.api and other.kind == "error" for other in items[place:])
    if is_recorded_refused:
        return
    stream_id = field(starts[made.index(item)].message, "streamId")
    for other in list(items[place + 1 :]):
        told = (field(other.message, "streamId"), field(other.message, "$binary", "stream_id"))
        plays = field(other.message, "requestId") == f"stream_{stream_id}"
        is_own_call = other.dir == "app" and other.args[:1] == [item.assign]
        if stream_id in told or plays or is_own_call or (other.dir == "result" and other.api == item.api):
            items.remove(other)
    items.insert(place + 1, new_error(item, "BusyResourceError"))


def _has_stream(items: list[Item]) -> bool:
    """Whether a stream is opened or open at the end of these items."""
    opened = 0
    for item in items:
        if item.dir == "app" and item.method == "speaker.create_stream":
            opened += 1
        elif item.dir == "app" and item.method in ("stream.end", "stream.flush"):
            opened = 0
        elif item.dir == "result" and item.kind == "error" and item.method == "speaker.create_stream":
            opened -= 1
    return opened > 0


def refuses_sound(items: list[Item], item: Item) -> None:
    """A volume that is none, or an address that no phone can fetch, raises at the call, and nothing is sent."""
    volume = item.kwargs.get("volume", 1)
    is_number = isinstance(volume, int | float) and not isinstance(volume, bool)
    is_address = item.method != "speaker.play" or re.match(r"https?://[^/\s]", str(item.args[0])) is not None
    if is_address and is_number and 0 <= cast("float", volume) <= 1:
        return
    place = items.index(item) + 1
    if any(other.kind == "error" and other.api == item.api for other in items[place:]):
        return  # the reference refuses it too
    asked = next(other for other in items[place:] if field(other.message, "type") == "audio_play_request")
    for other in list(items[place:]):
        if other is asked or (other.dir == "result" and other.api == item.api):
            items.remove(other)
    items.insert(place, new_error(item, "ValueError" if is_number else "TypeError"))


def in_pieces(items: list[Item], item: Item) -> None:
    """Much sound goes in frames that a slow network is done with in a few seconds."""
    facts = cast("Json", field(item.message, "$binary"))
    length = cast("int", facts.get("payload_length", 0))
    if length <= _PIECE:
        return
    data = bytes_of({"$binary": {"length": length, "sha256": facts["payload_sha256"]}})
    place = items.index(item)
    pieces: list[Item] = []
    for start in range(0, length, _PIECE):
        piece = data[start : start + _PIECE]
        told = {"length": len(piece) + 36, "stream_id": facts["stream_id"], "payload_hex": piece.hex()}
        pieces.append(copy_item(item, message={"$binary": told}, wait=item.wait if not start else 0.0))
    items[place : place + 1] = pieces


def sound_waits_for_link(items: list[Item], item: Item) -> None:
    """Sound that is written while there is no link is sent when the link is back (P3 4.7)."""
    place = items.index(item)
    ack = next((n for n in range(place, len(items)) if is_ack(items[n]) and items[n].session == item.session), None)
    earlier = [other for other in items[:place] if field(other.message, "$binary", "stream_id")]
    if ack is None or not earlier:
        return
    data = bytes_of(item.args[1])
    told = {"length": len(data) + 36, "stream_id": field(earlier[-1].message, "$binary", "stream_id")}
    target = next(n for n in range(ack, len(items)) if field(items[n].message, "type") == "subscription_update") + 1
    like = copy.copy(earlier[-1])
    items.insert(target, copy_item(like, conn=items[ack].conn, step=items[ack].step, wait=0.0,
                                   message={"$binary": {**told, "payload_hex": data.hex()}}))  # fmt: skip


def own_cloud(items: list[Item], item: Item) -> None:
    """Speech is fetched from the cloud of the session, at a whole address (P3 4.5)."""
    message = copy.deepcopy(cast("Json", item.message))
    message["audioUrl"] = f"http://<cloud-host>{message['audioUrl']}"
    item.message = message


def all_settings(items: list[Item], item: Item) -> None:
    """Settings of a voice that are not given are the cloud's own, because it replaces all of them (P3 4.5)."""
    call = next(
        (
            other
            for other in reversed(items[: items.index(item)])
            if other.dir == "app" and other.method == "speaker.speak"
        ),
        None,
    )
    given = None if call is None else cast("Json | None", call.kwargs.get("voice_settings"))
    if given is None:
        return
    defaults: Json = {"stability": 0.68, "similarityBoost": 0.75, "style": 0.0, "speed": 1.13}
    names = {"similarityBoost": "similarity_boost"}
    told = {**defaults, **given}
    text = ",".join(f'"{names.get(name, name)}":{value}' for name, value in told.items())
    encoded = f"{{{text}}}".replace("{", "%7B").replace("}", "%7D").replace('"', "%22")
    encoded = encoded.replace(":", "%3A").replace(",", "%2C")
    message = copy.deepcopy(cast("Json", item.message))
    url = cast("str", message["audioUrl"]).partition("&voice_settings=")[0]
    message["audioUrl"] = f"{url}&voice_settings={encoded}"
    item.message = message


def interrupts(items: list[Item], item: Item) -> None:
    """Whoever waits for an older sound of this app is told at once that this one has ended it (P3 4.4)."""
    sent = [other for other in items if field(other.message, "type") == "audio_play_request" and other.dir == "out"]
    made = [other for other in items if other.dir == "app" and other.method in ("speaker.play", "speaker.speak")]
    place = items.index(item)
    for older in made[: sent.index(item)]:
        result = next((other for other in items if other.dir == "result" and other.api == older.api), None)
        if result is not None and items.index(result) > place and older.kwargs.get("stop_other_audio") is True:
            items.remove(result)
            result.value, result.wait = {"is_interrupted": True}, 0.0
            items.insert(place + 1, result)


def ends_with_session(items: list[Item], item: Item) -> None:
    """A stream that is open when the app ends the session is ended before the socket is closed (P3 4.7)."""
    for other in items[items.index(item) :]:
        if other.dir == "app" and other.method in ("stream.end", "stream.flush"):
            return
        if other.dir == "out" and other.kind == "close" and other.conn == item.conn:
            message = cast("Json", item.message)
            told = {name: message[name] for name in ("packageName", "sessionId", "timestamp")}
            stream_id = cast("str", message["requestId"]).removeprefix("stream_")
            ended = copy_item(item, message={"type": "audio_stream_end", **told, "streamId": stream_id})
            place = items.index(other)
            if field(items[place - 1].message, "type") == "ownership_release":
                place -= 1
            items.insert(place, ended)
            return


def waits_longer(items: list[Item], item: Item) -> None:
    """A play is given up after 10 minutes, not after one: an answer that comes in between is taken."""
    place = items.index(item)
    call = next(other for other in items if other.dir == "app" and other.api == item.api)
    if any(other.dir in ("in", "app") for other in items[items.index(call) + 1 : place]):
        return  # something else than a limit
    answer = next((other for other in items[place:] if field(other.message, "type") == "audio_play_response"), None)
    if answer is None:
        return
    items.remove(item)
    item.kind, item.value = "return", {"duration": field(answer.message, "duration"), "is_interrupted": False}
    items.insert(items.index(answer) + 1, item)
