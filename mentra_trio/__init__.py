"""Apps for smart glasses that run MentraOS, in Trio.

Start here: `MiniAppServer` is your app; its session handler gets a `MentraSession`.

What you meet on the way: `EventStream` (events, `async for`), `Latest` (a current value with its changes), the values
in `mentra_trio.models`, and the errors in `mentra_trio.errors`, whose tree is printed there.

Try an app without glasses: `mentra-trio dev app.py`. Test it: `mentra_trio.simulator`.

Docstrings name their sources in brackets: `P1 2.6` is section 2.6 of the first of the four protocol books in
`docs/protocol/`, `D6` a decision and `T1` a tested claim in `docs/architecture.md`, all in the source distribution.
"""

from ._flow import EventStream as EventStream
from ._flow import Gap as Gap
from ._flow import Latest as Latest
from ._link import SessionStatistics as SessionStatistics
from ._version import __version__ as __version__
from .config import RestartPolicy as RestartPolicy
from .config import SessionConfig as SessionConfig
from .errors import CloudRefusedError as CloudRefusedError
from .errors import ConfigError as ConfigError
from .errors import DeviceUnavailableError as DeviceUnavailableError
from .errors import LedError as LedError
from .errors import LinkDownError as LinkDownError
from .errors import MentraError as MentraError
from .errors import PermissionDeniedError as PermissionDeniedError
from .errors import PhotoError as PhotoError
from .errors import PlaybackError as PlaybackError
from .errors import RequestTimedOutError as RequestTimedOutError
from .errors import SessionClosedError as SessionClosedError
from .errors import SlowConsumerError as SlowConsumerError
from .errors import StorageError as StorageError
from .errors import StreamError as StreamError
from .models import AudioChunk as AudioChunk
from .models import AudioFormat as AudioFormat
from .models import ButtonPress as ButtonPress
from .models import CalendarEvent as CalendarEvent
from .models import Capabilities as Capabilities
from .models import DeviceState as DeviceState
from .models import Dismissal as Dismissal
from .models import Gesture as Gesture
from .models import HeadMove as HeadMove
from .models import HeadPosition as HeadPosition
from .models import LedColor as LedColor
from .models import LinkState as LinkState
from .models import LocationAccuracy as LocationAccuracy
from .models import LocationFix as LocationFix
from .models import Notification as Notification
from .models import Permission as Permission
from .models import Permissions as Permissions
from .models import Playback as Playback
from .models import PressType as PressType
from .models import RawEvent as RawEvent
from .models import RawMessage as RawMessage
from .models import Recording as Recording
from .models import SettingChange as SettingChange
from .models import StopKind as StopKind
from .models import StopReason as StopReason
from .models import SystemSettings as SystemSettings
from .models import TouchEvent as TouchEvent
from .models import Transcript as Transcript
from .models import Translation as Translation
from .models import VoiceActivity as VoiceActivity
from .models import VoiceSettings as VoiceSettings
from .server import MiniAppServer as MiniAppServer
from .session import MentraSession as MentraSession

__all__ = [
    "AudioChunk",
    "AudioFormat",
    "ButtonPress",
    "CalendarEvent",
    "Capabilities",
    "CloudRefusedError",
    "ConfigError",
    "DeviceState",
    "DeviceUnavailableError",
    "Dismissal",
    "EventStream",
    "Gap",
    "Gesture",
    "HeadMove",
    "HeadPosition",
    "Latest",
    "LedColor",
    "LedError",
    "LinkDownError",
    "LinkState",
    "LocationAccuracy",
    "LocationFix",
    "MentraError",
    "MentraSession",
    "MiniAppServer",
    "Notification",
    "Permission",
    "PermissionDeniedError",
    "Permissions",
    "PhotoError",
    "Playback",
    "PlaybackError",
    "PressType",
    "RawEvent",
    "RawMessage",
    "Recording",
    "RequestTimedOutError",
    "RestartPolicy",
    "SessionClosedError",
    "SessionConfig",
    "SessionStatistics",
    "SettingChange",
    "SlowConsumerError",
    "StopKind",
    "StopReason",
    "StorageError",
    "StreamError",
    "SystemSettings",
    "TouchEvent",
    "Transcript",
    "Translation",
    "VoiceActivity",
    "VoiceSettings",
    "__version__",
]
