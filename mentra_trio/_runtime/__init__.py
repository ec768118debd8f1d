"""The link of one session: connects, reads, writes, keeps alive, reconnects. It executes what `_protocol` decides.

One task reads, one writes, one keeps alive, for each socket; user code runs in none of them. The reader never waits for
a consumer: events go into bounded streams, so that the peer's pings are answered however slow the app is (T2). Only the
writer touches the sending side, because a write that is cancelled half-way garbles the connection for everybody (T1).

::

    LinkRuntime (link)          what managers and the session use; puts the parts together
    ├── ConnectionLoop (loop)   one connection after the other; executes the protocol's effects
    │   └── Connection          one socket: its reader, its keep-alive, its end
    ├── Inbound                 frames to consumers
    ├── Outbound                callers' commands, requests and subscriptions to frames
    ├── RestSide (rest)         requests that need no socket
    ├── PermissionGate (permissions)  what the app declares, and what it may therefore do
    ├── CloudState (state)      what the cloud keeps telling, newest value only
    └── Life, Identity, Accounts  what all of them share: is it over; who is it; what was counted and logged
"""

from .link import LinkRuntime as LinkRuntime
from .permissions import PermissionBook as PermissionBook

__all__ = ["LinkRuntime", "PermissionBook"]
