"""Trio building blocks that move values between tasks. They know nothing about MentraOS.

* Inbound: `Hub` publishes to `EventStream`; `LatestSource` owns a `Latest`; `PendingCalls` matches replies to
  requests.
* Outbound: `Outbox` decides what the one writer takes next.
* Elsewhere: `Offload` runs what would hold up the thread.
* Lifetimes: `open_services` keeps background tasks working until the body that needs them has ended.
"""

from .buffer import Gap as Gap
from .buffer import Last as Last
from .buffer import Overflow as Overflow
from .buffer import StreamStatistics as StreamStatistics
from .event_stream import EventStream as EventStream
from .hub import Hub as Hub
from .hub import HubStatistics as HubStatistics
from .hub import StreamTotals as StreamTotals
from .latest import Latest as Latest
from .latest import LatestChanges as LatestChanges
from .latest import LatestSource as LatestSource
from .offload import Offload as Offload
from .offload import Threads as Threads
from .offload import run_inline as run_inline
from .outbox import DIRTY as DIRTY
from .outbox import Dirty as Dirty
from .outbox import Kind as Kind
from .outbox import Outbox as Outbox
from .outbox import OutboxStatistics as OutboxStatistics
from .outbox import Outgoing as Outgoing
from .pending import Expectation as Expectation
from .pending import PendingCalls as PendingCalls
from .pending import Waiter as Waiter
from .services import open_services as open_services

__all__ = [
    "DIRTY",
    "Dirty",
    "EventStream",
    "Expectation",
    "Gap",
    "Hub",
    "HubStatistics",
    "Kind",
    "Last",
    "Latest",
    "LatestChanges",
    "LatestSource",
    "Offload",
    "Outbox",
    "OutboxStatistics",
    "Outgoing",
    "Overflow",
    "PendingCalls",
    "StreamStatistics",
    "StreamTotals",
    "Threads",
    "Waiter",
    "open_services",
    "run_inline",
]
