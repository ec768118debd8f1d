"""What the app declares: asked of the cloud once for all sessions of an app, and held against what they do (P2 9)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import attrs
import trio

from mentra_trio._wire.actions.permissions import FetchPermissions
from mentra_trio.errors import CloudUnreachableError, DecodeError, PermissionDeniedError, RequestError
from mentra_trio.models.permissions import Permissions

from .accounts import Accounts, log
from .rest import RestSide

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mentra_trio._wire.permissions import Requirement

KEPT = 300.0
"""Seconds for which an answer is good."""
_PAUSE = 30.0
"""Seconds after a failure in which nobody asks again."""
_PATIENCE = 2.0
"""Seconds that a stream waits for an answer: the first one, or a newer one where the old one forbids it."""


@attrs.define(eq=False)
class PermissionBook:
    """What the console lists for one app. All its sessions share one."""

    value: Permissions = attrs.field(init=False, factory=Permissions)
    """What is known."""
    _followers: dict[Callable[[Permissions], None], None] = attrs.field(
        init=False, factory=dict[Callable[[Permissions], None], None]
    )
    _due_at: float | None = attrs.field(init=False, default=None)
    """When it is worth asking again, on the Trio clock; at once while it is `None`."""
    _asking: trio.Event | None = attrs.field(init=False, default=None)
    """Set when the question that is under way is over."""
    _failure: Exception | None = attrs.field(init=False, default=None)
    """Why the last question had no answer."""

    def follow(self, told: Callable[[Permissions], None]) -> None:
        """Have a function told of what is known, now and whenever that changes. It must not raise."""
        self._followers[told] = None
        told(self.value)

    def unfollow(self, told: Callable[[Permissions], None]) -> None:
        """Tell it no more. Idempotent."""
        self._followers.pop(told, None)

    @property
    def is_due(self) -> bool:
        """Whether it is worth asking, and nobody does."""
        return self._asking is None and (self._due_at is None or trio.current_time() >= self._due_at)

    @property
    def is_asking(self) -> bool:
        """Whether a question is under way."""
        return self._asking is not None

    async def ask(self, rest: RestSide) -> Permissions:
        """Ask the cloud, or wait for whoever does so already, unless there was an answer or a failure of late.

        Cancelling leaves the question to the others who wait.

        Raises:
            RequestError, DecodeError, SessionClosedError: there was no answer that could be read.
        """
        await trio.lowlevel.checkpoint()
        while self._asking is not None:  # again where whoever asked was cancelled, and another one asks
            await self._asking.wait()
        if not self.is_due:
            if self._failure is not None:
                raise CloudUnreachableError("the permissions of the app are not known") from self._failure
            return self.value
        done = self._asking = trio.Event()
        self._failure = None  # of an earlier question
        try:
            value = await rest.call(FetchPermissions())
        except (RequestError, DecodeError) as error:
            self._failure, self._due_at = error, trio.current_time() + _PAUSE
            raise
        else:
            self._due_at = trio.current_time() + KEPT
            self._set(value)
            return value
        finally:
            self._asking = None
            done.set()

    def _set(self, value: Permissions) -> None:
        self.value = value
        for told in tuple(self._followers):
            told(value)


@attrs.define(eq=False, kw_only=True)
class PermissionGate:
    """Lets one session do what the app declares, and everything as long as nothing is known."""

    book: PermissionBook
    rest: RestSide
    accounts: Accounts
    start: Callable[[Callable[[], Awaitable[None]]], None]
    """Runs a task of the session."""
    _is_learning: bool = attrs.field(init=False, default=False)
    """Whether a task that asks anew was asked for and has not ended."""

    async def require(self, requirements: Collection[Requirement]) -> None:
        """Learn what is declared, then `check`. Waits where a new answer may allow it, and for a moment only."""
        await trio.lowlevel.checkpoint_if_cancelled()
        known = self.book.value
        self._learn_beside()  # also where it is waited for below: this goes on when the patience ends
        # What is old may deny what the author has declared meanwhile.
        denied = any(each.is_enforced and not known.allows(each.permission) for each in requirements)
        if (denied or not known.is_known) and (self.book.is_due or self.book.is_asking):
            with trio.move_on_after(_PATIENCE):
                await self.learn()
        self.check(requirements)

    def check(self, requirements: Iterable[Requirement]) -> None:
        """Raise `PermissionDeniedError` for what is not declared; warn where the cloud lets it pass."""
        self._learn_beside()  # so that whoever cannot wait finds something newer the next time
        for requirement in requirements:
            if self.book.value.allows(requirement.permission):
                continue
            name = requirement.permission.value
            if requirement.is_enforced:
                raise PermissionDeniedError(name)
            self.accounts.once(
                f"undeclared {name}",
                f"the app does not declare the permission {name}; today's cloud lets that pass, another one may not",
            )

    def warn(self, requirements: Iterable[Requirement]) -> None:
        """Tell of open streams that turn out to be forbidden: the cloud drops them without a word."""
        for requirement in requirements:
            if requirement.is_enforced and not self.book.value.allows(requirement.permission):
                name = requirement.permission.value
                self.accounts.once(
                    f"undeclared {name}",
                    f"a stream is open that needs the permission {name}, which the app does not declare in the "
                    "MentraOS console, so nothing comes",
                )

    def _learn_beside(self) -> None:
        """Have a task ask anew where what is known is old."""
        if self.book.value.is_known and self.book.is_due and not self._is_learning:
            self._is_learning = True  # any number of streams may open before the task has its turn
            self.start(self._learn_anew)

    async def _learn_anew(self) -> None:  # noqa: ASYNC910 - a task, nobody awaits it
        try:
            await self.learn()
        finally:
            self._is_learning = False

    async def learn(self) -> None:
        """Ask what is declared, unless that is known. Failures leave it as it was."""
        await trio.lowlevel.checkpoint()
        if not (self.book.is_due or self.book.is_asking):
            return
        try:
            await self.book.ask(self.rest)
        except (RequestError, DecodeError) as error:
            log.debug("[%s] the permissions of the app are not known: %s", self.accounts.run_id, error)
