"""What a session counts, and what it says in the log."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import attrs

from mentra_trio._link import SessionStatistics

if TYPE_CHECKING:
    from mentra_trio._flow import HubStatistics, OutboxStatistics
    from mentra_trio.errors import DecodeError

log = logging.getLogger("mentra_trio.session")

_LONGEST_KIND = 512
"""Characters of what is remembered as told; the cloud may have chosen them."""
_MOST_KINDS = 256
"""Kinds of news that get a record of their own."""


@attrs.define(eq=False)
class Counters:
    """The counts of `SessionStatistics`, as they grow."""

    connections: int = 0
    connect_failures: int = 0
    messages_received: int = 0
    audio_chunks_received: int = 0
    messages_sent: int = 0
    messages_lost: int = 0
    requests_refused: int = 0
    unencodable: int = 0
    undecodable: int = 0
    faulty_fields: int = 0
    unknown_messages: int = 0
    unclaimed_events: int = 0
    foreign_transcripts: int = 0


@attrs.define(eq=False)
class Accounts:
    """Counts and records of one session. Records name it by its run id, never by the wearer (D23)."""

    run_id: str
    counters: Counters = attrs.field(init=False, factory=Counters)
    _told: set[str] = attrs.field(init=False, factory=set[str])

    def statistics(self, *, outbox: OutboxStatistics, streams: HubStatistics) -> SessionStatistics:
        """Give the present counts."""
        return SessionStatistics(**attrs.asdict(self.counters), outbox=outbox, streams=streams)

    def undecodable(self, error: DecodeError) -> None:
        """Note a frame or event that could not be read."""
        self.counters.undecodable += 1
        self.once(f"undecodable {error.message_type}", str(error))

    def faults(self, message: object, faults: tuple[str, ...]) -> None:
        """Note the fields of a message that were treated as absent."""
        if faults:
            self.counters.faulty_fields += len(faults)
            kind = type(message).__name__
            self.once(f"faulty {kind}", f"{kind} holds fields that cannot be read: {'; '.join(faults)}")

    def dropped(self, stream: str) -> None:
        """Note that a stream's consumer begins to lose events."""
        log.warning("[%s] the loop over %s does not keep up, so events are dropped", self.run_id, stream)

    def once(self, what: str, text: str, level: int = logging.WARNING) -> None:
        """Log the first of a kind, and the others at DEBUG: a cloud gone mad must not fill the log."""
        what = what[:_LONGEST_KIND]
        if what in self._told or len(self._told) >= _MOST_KINDS:
            level = logging.DEBUG
        else:
            self._told.add(what)
        log.log(level, "[%s] %s", self.run_id, text)
