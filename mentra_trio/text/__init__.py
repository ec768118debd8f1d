"""Text that fits the glasses. Pure code, useful on its own.

`profiles`    what each display can show, as data
`scripts`     scripts as the glasses' fonts know them
`compatible`  the reference's layout, bit for bit
"""

from .profiles import G1 as G1
from .profiles import G1_LEGACY as G1_LEGACY
from .profiles import G2 as G2
from .profiles import NEX as NEX
from .profiles import PROFILES as PROFILES
from .profiles import Z100 as Z100
from .profiles import Font as Font
from .profiles import Profile as Profile
from .profiles import Profiles as Profiles
from .scripts import Script as Script
from .scripts import detect_script as detect_script

__all__ = [
    "G1",
    "G1_LEGACY",
    "G2",
    "NEX",
    "PROFILES",
    "Z100",
    "Font",
    "Profile",
    "Profiles",
    "Script",
    "detect_script",
]
