"""Every message and stream of the protocol books has code here, or a reason: `docs/messages.md` is up to date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mentra_trio._wire.actions import ACTION_TYPES
from mentra_trio._wire.inbound import INBOUND_TYPES
from mentra_trio._wire.news import ANSWERS, NEWS_READERS
from mentra_trio._wire.outbound import COMMAND_TYPES
from mentra_trio._wire.payloads import READABLE

from . import messages

if TYPE_CHECKING:
    from .messages import Row

TABLES = {"sent": messages.sent(), "received": messages.received(), "streams": messages.streams()}
BESIDE_THE_BOOKS = {"mentraos_settings_update"}
"""The name that MentraOS says `augmentos_settings_update` will have one day."""

every_table = pytest.mark.parametrize("rows", TABLES.values(), ids=TABLES)


def test_the_page_is_what_the_code_says() -> None:
    assert messages.PAGE.read_text("utf-8") == messages.page(), f"run: {messages.COMMAND}"


@every_table
def test_every_type_has_code_that_is_used_or_a_reason(rows: list[Row]) -> None:
    assert [row.name for row in rows if not row.is_explained] == []
    assert [row.name for row in rows if row.code and not row.users] == []
    assert [row.name for row in rows if row.reason and row.reason[:3] not in ("P1 ", "P2 ", "P3 ")] == []


def test_no_table_of_the_books_is_read_short() -> None:
    assert {name: len(rows) for name, rows in TABLES.items()} == {"sent": 34, "received": 42, "streams": 37}


@pytest.mark.parametrize(
    ("reasons", "rows", "read"),
    [
        (messages.TO_CLOUD, TABLES["sent"], {*COMMAND_TYPES, *ACTION_TYPES}),
        (messages.FROM_CLOUD, TABLES["received"], {*INBOUND_TYPES, *NEWS_READERS, *ANSWERS}),
        (messages.STREAMS, TABLES["streams"], READABLE),
    ],
    ids=TABLES,
)
def test_no_reason_is_given_for_what_there_is(reasons: dict[str, str], rows: list[Row], read: frozenset[str]) -> None:
    assert set(reasons) - {row.name for row in rows} == set()
    assert set(reasons) & set(read) == set()


def test_the_package_knows_no_message_that_the_books_do_not() -> None:
    names = {name: {row.name for row in rows} for name, rows in TABLES.items()}
    assert {*COMMAND_TYPES, *ACTION_TYPES} - names["sent"] == set()
    assert {*INBOUND_TYPES, *NEWS_READERS, *ANSWERS} - names["received"] == BESIDE_THE_BOOKS
    assert READABLE - {row.name.partition("[")[0].partition(":")[0] for row in TABLES["streams"]} == set()
