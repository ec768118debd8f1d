"""Changes of a timeline that need more than one item. Rows name them (`rewrite = "..."`)."""

from __future__ import annotations

from .camera import acked_sessions, one_photo_at_a_time, refuses_photo, takes_upload
from .clock import known_zone, told_zone
from .commands import checks_light, light_waits_for_link, list_first, queued_after_ack
from .commands import checks_light, light_waits_for_link, list_first, queued_after_ack
from .common import Rewrite, drop, renumber
from .links import (
    backoff,
    closed_first,
    closes_then_inits,
    coalesced,
    comes_late,
    counts,
    ends_here,
    handshake_refused,
    keeps_trying,
    reads_close,
    reconnects,
    refused_upgrade,
    renamed,
    same_run,
    tells_connected,
    tells_end,
    unanswered,
    utf8_ids,
    without_code,
    without_ids,
)
from .output import after_ack, newest_of_burst, raw_message, refuses_what_is_no_text, shows_again, waits_for_link
from .rest import (
    escaped_key,
    failed_deletion,
    kept_for_flush,
    one_question,
    own_keys,
    refuses_call,
    tells_refusals,
    texts_only,
    unread_storage,
    written_before_end,
)
from .speech import (
    canonical_names,
    configured_hints,
    deliver_transcript,
    drops_unusable,
    once,
    refuses_unparseable,
    typed_transcript,
)
from .state import (
    believes_socket,
    capabilities,
    deliver_to_all,
    only_changes,
    only_told,
    other_package,
    settings_by_key,
    system_defaults,
    tells_undecodable,
)
from .translation import counts_streams, deliver_translation, refuses_pair, typed_translation

__all__ = ["REWRITES", "drop", "renumber"]

REWRITES: dict[str, Rewrite] = {
    rewrite.__name__: rewrite
    for rewrite in (
        acked_sessions,
        after_ack,
        backoff,
        believes_socket,
        canonical_names,
        capabilities,
        closed_first,
        closes_then_inits,
        coalesced,
        comes_late,
        configured_hints,
        counts,
        counts_streams,
        deliver_to_all,
        checks_light,
        light_waits_for_link,
        list_first,
        queued_after_ack,
        checks_light,
        light_waits_for_link,
        queued_after_ack,
        deliver_transcript,
        deliver_translation,
        drops_unusable,
        ends_here,
        handshake_refused,
        reads_close,
        refused_upgrade,
        keeps_trying,
        known_zone,
        newest_of_burst,
        once,
        one_photo_at_a_time,
        only_changes,
        only_told,
        other_package,
        raw_message,
        reconnects,
        refuses_pair,
        refuses_photo,
        refuses_unparseable,
        refuses_what_is_no_text,
        renamed,
        same_run,
        settings_by_key,
        shows_again,
        system_defaults,
        takes_upload,
        tells_connected,
        tells_end,
        tells_undecodable,
        told_zone,
        typed_transcript,
        typed_translation,
        unanswered,
        utf8_ids,
        waits_for_link,
        without_code,
        without_ids,
        escaped_key,
        failed_deletion,
        kept_for_flush,
        one_question,
        own_keys,
        refuses_call,
        tells_refusals,
        texts_only,
        unread_storage,
        written_before_end,
    )
}
"""By name."""
