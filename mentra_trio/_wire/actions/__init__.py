"""What an app can make the glasses and the phone do, one module for each capability (P3).

A module holds the commands and requests of its capability, with the answers that they read. Managers import them from
here; nobody else does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .camera import SetFov, TakePhoto
from .dashboard import UpdateDashboard
from .device import RequestWifiSetup
from .light import SetLed
from .location import PollLocation
from .speaker import EndAudioStream, PlayAudio, StartAudioStream, StopAudio
from .video import CheckStream, StartManagedStream, StartStream, StopManagedStream, StopStream

if TYPE_CHECKING:
    from mentra_trio._wire.outbound import Command

ACTION_TYPES: dict[str, type[Command]] = {
    cls.TYPE: cls
    for cls in (
        RequestWifiSetup,
        SetLed,
        UpdateDashboard,
        TakePhoto,
        SetFov,
        StartStream,
        StopStream,
        StartManagedStream,
        StopManagedStream,
        CheckStream,
        PollLocation,
        PlayAudio,
        StopAudio,
        StartAudioStream,
        EndAudioStream,
    )
}
"""Which class reads which `type`, for the side that receives commands."""
