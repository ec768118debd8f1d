"""MentraOS in a box: one engine of the cloud, for tests, for app authors and for the terminal (D15).

Map of the package::

    engine          Cloud: users, apps, sockets; reached in memory (`Cloud.dial`) or over the network (`server`)
    webhooks        how apps are called: an ASGI application in this process, or real HTTP
    users           User: what a wearer, a phone and glasses do; `say`, `start`, `phone_message`; `waiting` for apps
    sessions        the cloud's object for one wearer: passes news between phone and apps
    apps            InstalledApp, and one app's session: its state machine and timers
    connection      one socket of an app; `handshake` decides who may attach one
    subscriptions   who gets which event, under which name
    speech          words to transcripts; `translation` makes translations of them
    places          where the wearer is; `phone_data` is the phone's notifications and its calendar
    microphone      when the phone is told to listen
    display         who may draw, and when; `glasses` is what the wearer sees, in `cells`
    hardware        models of glasses
    sound           sounds that are passed on to the phone, and streams of them; `loudspeaker`: what is heard
    photos, video   the camera, the phone that uploads for it, and live streams
    rest            what apps ask for over HTTP; `storage` is what they store
    faults          what goes wrong, by nature and on command; `forwarder` below the level of messages
    messages        every message of the cloud, and how it reads an app's
    agenda, store   time and memory

The engine never uses the SDK's own session machinery, so that one cannot hide a mistake of the other.
"""

from .apps import AppKind as AppKind
from .apps import AppSession as AppSession
from .apps import AppState as AppState
from .apps import InstalledApp as InstalledApp
from .apps import Stage as Stage
from .apps import StartResult as StartResult
from .connection import AppConnection as AppConnection
from .engine import Cloud as Cloud
from .engine import dial_by_host as dial_by_host
from .faults import Faults as Faults
from .faults import Mode as Mode
from .faults import Quirks as Quirks
from .faults import Violation as Violation
from .faults import ViolationsError as ViolationsError
from .glasses import Glasses as Glasses
from .glasses import Screen as Screen
from .loudspeaker import HeardSound as HeardSound
from .loudspeaker import Loudspeaker as Loudspeaker
from .photos import Camera as Camera
from .photos import PhotoOutcome as PhotoOutcome
from .photos import PhotoUpload as PhotoUpload
from .rest import CloudNetwork as CloudNetwork
from .rest import HttpCall as HttpCall
from .server import serve as serve
from .store import Store as Store
from .users import PhoneMessage as PhoneMessage
from .users import User as User
from .waiting import ExpectationError as ExpectationError
from .webhooks import AsgiWebhooks as AsgiWebhooks
from .webhooks import HttpWebhooks as HttpWebhooks
from .webhooks import WebhookClient as WebhookClient

__all__ = [
    "AppConnection",
    "AppKind",
    "AppSession",
    "AppState",
    "AsgiWebhooks",
    "Camera",
    "Cloud",
    "CloudNetwork",
    "ExpectationError",
    "Faults",
    "Glasses",
    "HeardSound",
    "HttpCall",
    "HttpWebhooks",
    "InstalledApp",
    "Loudspeaker",
    "Mode",
    "PhoneMessage",
    "PhotoOutcome",
    "PhotoUpload",
    "Quirks",
    "Screen",
    "Stage",
    "StartResult",
    "Store",
    "User",
    "Violation",
    "ViolationsError",
    "WebhookClient",
    "dial_by_host",
    "serve",
]
