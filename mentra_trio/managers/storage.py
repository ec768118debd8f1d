"""`session.storage`: values that outlive the session, for this app and this wearer (P3 9)."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar, cast, overload

import attrs
import trio

from mentra_trio._link import Link
from mentra_trio._protocol.storage import Shelf
from mentra_trio._wire.actions.storage import (
    ClearStored,
    DeleteStored,
    FetchStored,
    StoreValue,
    StoreValues,
    checked_key,
    checked_kind,
    from_text,
    to_text,
)
from mentra_trio.errors import (
    CloudUnreachableError,
    DecodeError,
    RequestTimedOutError,
    SessionClosedError,
    StorageError,
    StorageLimitError,
    StorageRateError,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mentra_trio._wire.rest import RestRequest

T = TypeVar("T")
D = TypeVar("D")
R = TypeVar("R")

QUIET = 3.0
"""Seconds without another change after which changes are written (P3 9.2)."""
LONGEST = 10.0
"""Seconds after which they are written in any case."""
_PATIENCE = 2.0
"""Seconds that a call which is under way has at the session's end, before what is left is written without it."""

log = logging.getLogger("mentra_trio.session")


@attrs.define(eq=False, repr=False)
class StorageManager:
    """An async mapping of texts, kept by the cloud. Needs no permission. Any number of tasks may use it.

    Reading loads everything once, then costs nothing. `set` returns at once: changes are written together when nothing
    has changed for 3 s, after 10 s at the latest, on `flush`, and before the session ends. What could not be written is
    kept and tried again.

    The cloud takes 100,000 UTF-16 units a value and 1,000,000 in all. Keys may be any text. It works without the link,
    and in the handler's grace after the end of the session; then everything raises `SessionClosedError`.
    """

    _link: Link
    _shelf: Shelf = attrs.field(init=False, factory=Shelf)
    _asking: trio.Lock = attrs.field(init=False, factory=trio.Lock)
    """Held during a call: changes arrive in order, and no answer is older than what the cloud was told before it."""
    _under_way: trio.CancelScope | None = attrs.field(init=False, default=None)
    """Ends the call that is under way, if there is one."""
    _load_failures: int = attrs.field(init=False, default=0)
    _load_again_at: float = attrs.field(init=False, default=-math.inf)
    _load_error: StorageError | None = attrs.field(init=False, default=None)
    _is_serving: bool = attrs.field(init=False, default=False)
    _changed_first: float = attrs.field(init=False, default=-math.inf)
    _changed_last: float = attrs.field(init=False, default=-math.inf)
    _not_before: float = attrs.field(init=False, default=-math.inf)
    """When the next try is due, after a failure."""
    _news: trio.lowlevel.ParkingLot = attrs.field(init=False, factory=trio.lowlevel.ParkingLot)

    # --- reading

    @overload
    async def get(self, key: str, default: None = None) -> str | None: ...
    @overload
    async def get(self, key: str, default: str) -> str: ...
    @overload
    async def get(self, key: str, default: None = None, *, as_type: type[T]) -> T | None: ...
    @overload
    async def get(self, key: str, default: D, *, as_type: type[T]) -> T | D: ...
    async def get(self, key: str, default: object = None, *, as_type: type[object] = str) -> object:
        """Give a value, or `default` where there is none.

        Without `as_type` it is the text that is stored. With it the text is read as JSON and made into that type:
        `int`, `list[str]`, `dict[int, float]`, an attrs class or a dataclass ... Types that take text, such as
        `int | str`, leave every text as it is but `null`, objects and lists that they take too: `5` stays a text.

        Raises:
            DecodeError: what is stored is no such type.
            TypeError: nothing of JSON can be made into this type.
            StorageError: nothing is known yet, and the cloud could not be asked. It is asked again later.
        """
        key = checked_key(key)
        checked_kind(as_type)
        await self._load(key)
        text = self._shelf.get(key)
        return default if text is None else text if as_type is str else from_text(text, as_type)

    async def has(self, key: str) -> bool:
        """Tell whether there is a value. Raises `StorageError` as `get` does."""
        key = checked_key(key)
        await self._load(key)
        return self._shelf.get(key) is not None

    async def keys(self) -> tuple[str, ...]:
        """Give all keys. Raises `StorageError` as `get` does."""
        await self._load()
        return tuple(self._shelf.values())

    async def items(self) -> tuple[tuple[str, str], ...]:
        """Give all keys with their texts, as they are now. Raises `StorageError` as `get` does."""
        await self._load()
        return tuple(self._shelf.values().items())

    async def reload(self) -> None:
        """Ask the cloud again, for what another server of the app has stored. Own changes stay.

        Nothing tells of such changes: the last one that writes a key wins. Raises `StorageError` as `get` does.
        """
        async with self._asking:
            await self._fetch()

    # --- writing

    async def set(self, key: str, value: object) -> None:
        """Store a value: text as it is, everything else as JSON, attrs classes and dataclasses included.

        Returns when it is noted, not when it is written; `flush` waits for that. The first change loads what is there,
        because the cloud's limit is one of all values together; where that fails, the next ones do without. A cancelled
        call has changed nothing.

        Raises:
            StorageLimitError: the value, or all of them together, would be too large. Nothing has changed.
            TypeError, ValueError: no key, or a value that JSON cannot hold.
            SessionClosedError: the session is over, and so is its handler.
        """
        await self.set_many({key: value})

    async def set_many(self, values: Mapping[str, object]) -> None:
        """Store several values, or none of them. Raises like `set`, and `TypeError` for what is no mapping."""
        texts = _spelled(values)
        self._shelf.check(texts)
        if self._load_error is None:
            await self._try_to_load()
        else:  # a cloud that does not answer must not hold up one change after the other
            await trio.lowlevel.checkpoint()
        self._link.rest.check()  # loading takes its time, and after the end nobody would write this
        self._shelf.put(texts)
        if texts:
            self._changed()

    async def delete(self, key: str) -> None:
        """Delete a value at once. One that is not there is fine.

        Raises:
            StorageError: the cloud could not be told. For this session the value is gone; telling is tried again.
            SessionClosedError: the session is over, and so is its handler.
        """
        await self.delete_many((key,))

    async def delete_many(self, keys: Iterable[str]) -> None:
        """Delete several values, one after the other. Raises like `delete`, and `TypeError` for a single text."""
        if isinstance(keys, str):
            msg = f"keys is the text {keys[:60]!r}; pass a list of keys such as [{keys[:60]!r}]"
            raise TypeError(msg)
        checked = tuple(map(checked_key, keys))
        await self._try_to_load()
        for key in checked:
            self._shelf.delete(key)
        if checked:
            self._changed()
            async with self._asking:
                await self._tell_deletions()

    async def clear(self) -> None:
        """Delete everything at once, changes that are not written included. Raises like `delete`."""
        self._link.rest.check()
        await trio.lowlevel.checkpoint()
        self._shelf.clear()
        self._changed()
        async with self._asking:
            await self._tell_deletions()

    async def flush(self) -> None:
        """Write all changes, and return when the cloud has them. One checkpoint if there are none.

        Raises:
            StorageLimitError: all values together are too large for the cloud.
            StorageRateError: the cloud wants fewer calls.
            StorageError: it could not be told for another reason. In all cases the changes are kept and tried again.
        """
        refusal: StorageError | None = None
        async with self._asking:
            try:
                await self._tell_deletions()
            except StorageError as error:
                if error.status is None or isinstance(error, StorageRateError):
                    raise
                refusal = error  # of what is deleted, which must not cost what is written
            if writes := self._shelf.writes():
                await self._store(writes)
        if refusal is not None:
            raise refusal

    @property
    def unsaved(self) -> int:
        """How many changes the cloud has not been told yet."""
        return self._shelf.unsaved

    # --- asking the cloud

    async def _ask(self, request: RestRequest[R]) -> R:
        with trio.CancelScope() as scope:
            self._under_way = scope
            try:
                # What the wearer's last run stores in its grace is to be found, and must not overwrite what this one
                # stores.
                await self._link.rest.wait_turn()
                return await self._link.rest.call(request)
            except (CloudUnreachableError, RequestTimedOutError) as error:
                raise StorageError(f"the cloud's storage cannot be reached: {error}") from error
            except DecodeError as error:
                raise StorageError(f"the cloud's storage gave an answer that cannot be read: {error}") from error
            finally:
                self._under_way = None
        raise StorageError("the cloud's storage did not answer before the session ended")

    async def _load(self, key: str | None = None) -> None:
        """Learn what is stored, unless that is known. Tasks that ask at the same time share one question."""
        self._link.rest.check()
        await trio.lowlevel.checkpoint()
        if self._shelf.knows(key):
            return
        async with self._asking:
            if self._shelf.knows(key):
                return
            if self._load_error is not None and trio.current_time() < self._load_again_at:
                last = self._load_error
                raise StorageError("the cloud's storage could not be read a moment ago", status=last.status) from last
            await self._fetch()

    async def _fetch(self) -> None:
        try:
            found = await self._ask(FetchStored())
        except StorageError as error:
            self._load_failures += 1
            self._load_error = error
            self._load_again_at = trio.current_time() + self._link.rest.pause(self._load_failures)
            raise
        self._load_failures, self._load_error = 0, None
        self._shelf.fill(found)

    async def _try_to_load(self) -> None:  # noqa: ASYNC910 - `_load` checkpoints
        """Learn what is stored if the cloud can be asked: a change can be kept without."""
        try:
            await self._load()
        except StorageError as error:
            log.debug("stored values are changed without knowing them: %s", error)

    async def _tell_deletions(self) -> None:  # noqa: ASYNC910 - the lock around it does
        if self._shelf.must_clear:
            await self._ask(ClearStored())
            self._shelf.cleared()
        for key, wires in self._shelf.deletions().items():
            for wire in wires:
                await self._ask(DeleteStored(wire))
            self._shelf.deleted(key)
        self._told()

    async def _store(self, values: Mapping[str, str]) -> None:  # noqa: ASYNC910 - `_ask` checkpoints
        try:
            await self._ask(StoreValues(values))
        except StorageLimitError:
            # By our own count they fit, or nobody has counted. Writing one value counts what it replaces, writing
            # several may not (P3 9.4).
            for key, text in values.items():
                await self._ask(StoreValue(key, text))
                self._shelf.stored({key: text})
        else:
            self._shelf.stored(values)
        self._told()

    # --- writing behind

    def _changed(self) -> None:
        """Have the changes written, later."""
        now = trio.current_time()
        if self._changed_first == -math.inf:
            self._changed_first = now
        self._changed_last = now
        if not self._is_serving:
            self._is_serving = True
            self._link.start(self._write_behind)
            self._link.at_end(self._write_rest)
        self._news.unpark_all()

    def _told(self) -> None:
        """Note that the cloud was told; what changed meanwhile waits its time."""
        self._changed_first = self._changed_last if self._shelf.unsaved else -math.inf

    @property
    def _due_at(self) -> float:
        if not self._shelf.unsaved:
            return math.inf
        return max(self._not_before, min(self._changed_last + QUIET, self._changed_first + LONGEST))

    async def _write_behind(self) -> None:  # noqa: ASYNC910 - a service, nobody awaits it
        failures = 0
        while await self._wait_due():  # noqa: ASYNC913 - `flush` checkpoints
            try:
                await self.flush()
            except StorageError as error:
                failures += 1
                wanted = error.retry_after if isinstance(error, StorageRateError) else None
                self._not_before = trio.current_time() + max(wanted or 0.0, self._link.rest.pause(failures))
                level = logging.WARNING if failures == 1 else logging.DEBUG
                log.log(level, "stored values are not written yet, and tried again: %s", error)
            except SessionClosedError:  # pragma: no cover - it waited behind a call that was stuck until the very end
                return
            else:
                failures, self._not_before = 0, -math.inf

    async def _wait_due(self) -> bool:
        """Wait until changes are due; return whether this service still has to write them."""
        while self._is_serving and (due := self._due_at) > trio.current_time():
            with trio.move_on_at(due):
                await self._news.park()
        return self._is_serving  # noqa: ASYNC910 - `flush` follows

    async def _write_rest(self) -> None:
        """Write what is left at the session's end, in the time that there is."""
        failures = 0
        try:
            await self._stop_writing_behind()
            while self._shelf.unsaved:
                try:
                    await self.flush()
                except StorageError as error:
                    failures += 1
                    log.debug("stored values are not written yet: %s", error)
                    await trio.sleep(self._link.rest.pause(failures))
        finally:
            if self._shelf.unsaved:
                log.error("%d changes of stored values are lost: the cloud did not take them", self._shelf.unsaved)

    async def _stop_writing_behind(self) -> None:  # noqa: ASYNC910 - the lock checkpoints
        """Wait for the call that is under way, but not for long: it may take as long as there is."""
        self._is_serving = False
        self._news.unpark_all()
        with trio.move_on_after(_PATIENCE) as patience:
            async with self._asking:
                pass  # nothing is under way
        if patience.cancelled_caught and self._under_way is not None:
            self._under_way.cancel(reason="the session ends, and changes are left to be written")


def _spelled(values: object) -> dict[str, str]:
    if not isinstance(values, Mapping):
        msg = f"values is {type(values).__name__}, not a mapping of keys to values such as {{'theme': 'dark'}}"
        raise TypeError(msg)
    items = cast("Mapping[object, object]", values).items()  # `isinstance` cannot tell the type arguments
    return {checked_key(key): to_text(value) for key, value in items}
