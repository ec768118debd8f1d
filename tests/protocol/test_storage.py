"""What is known of an app's stored values while the app changes them (P3 9)."""

from mentra_trio._protocol.storage import Shelf
from mentra_trio._wire.actions.storage import StoredValue


def found(key: str, text: str, *, wire: str | None = None) -> StoredValue:
    return StoredValue(key=key, wire=key if wire is None else wire, text=text)


def test_what_is_read_while_all_is_to_be_deleted_is_gone() -> None:
    shelf = Shelf()
    shelf.clear()
    shelf.put({"b": "2"})
    shelf.fill([found("a", "1")])

    assert shelf.values() == {"b": "2"}


def test_a_value_under_its_own_name_wins_over_those_of_other_sdks() -> None:
    """Whichever comes first."""
    for values in ([found("a.b", "own", wire="a%2Eb"), found("a.b", "other")],):
        for order in (values, values[::-1]):
            shelf = Shelf()
            shelf.fill(order)

            assert shelf.get("a.b") == "own"
            shelf.delete("a.b")
            assert shelf.deletions() == {"a.b": ("a%2Eb", "a.b")}


def test_a_value_is_deleted_under_all_names_that_it_may_have() -> None:
    """Nobody knows whether a writing that failed has arrived; and asking in between changes nothing of the next."""
    shelf = Shelf()
    shelf.fill([found("a.b", "other")])
    shelf.put({"a.b": "own"})
    shelf.delete("a.b")
    assert shelf.deletions() == {"a.b": ("a%2Eb", "a.b")}

    shelf.put({"a.b": "own"})
    shelf.fill([found("a.b", "other")])
    shelf.stored(shelf.writes())
    shelf.delete("a.b")
    assert shelf.deletions() == {"a.b": ("a%2Eb", "a.b")}


def test_a_deletion_can_be_told_before_anything_is_known() -> None:
    shelf = Shelf()
    shelf.delete("a")
    shelf.deleted("a")

    assert (shelf.is_loaded, shelf.unsaved) == (False, 0)


def test_a_value_that_is_written_while_its_deletion_is_told_stays() -> None:
    shelf = Shelf()
    shelf.fill([found("a", "1")])
    shelf.delete("a")
    shelf.put({"a": "2"})
    shelf.deleted("a")

    assert (shelf.get("a"), shelf.writes()) == ("2", {"a": "2"})


def test_what_was_stored_before_a_clear_that_waits_is_not_there() -> None:
    """A value of the same name that came after the clear is still to be told."""
    shelf = Shelf()
    shelf.fill([])
    shelf.put({"a": "1"})
    writes = shelf.writes()
    shelf.clear()
    shelf.stored(writes)
    assert shelf.get("a") is None

    shelf.put({"b": "2"})
    assert shelf.writes() == {}
    shelf.cleared()

    assert shelf.writes() == {"b": "2"}
