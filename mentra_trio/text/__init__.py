"""Text that fits the glasses. Pure code, useful on its own.

`profiles`    what each display can show, as data
`measuring`   how wide a text is; `clusters` what counts as one character, `scripts` as the fonts know them
`wrapping`    text to lines; `kinds` where lines may end
`fitting`     text that is too long: one display, one line, pages
`scrolling`   more lines than a display has
`grids`       two texts side by side, and tables
`captions`    what is being said, the newest lines at the bottom
`pieces`      progress bars and lists
`bitmap`      ready BMP files, put on the canvas of glasses
`compatible`  the reference's layout, bit for bit, and its tools for bitmaps
`fonts`       which characters the fonts of this machine have

With the extra `images`, and imported by name:

`pictures`    images and animations, made black and white
`lettering`   text drawn as a picture, for scripts that the glasses' font lacks
`preview`     what a display will show
"""

from .bitmap import Bitmap as Bitmap
from .bitmap import BitmapError as BitmapError
from .bitmap import fit_bitmap as fit_bitmap
from .bitmap import read_bmp as read_bmp
from .captions import CaptionView as CaptionView
from .clusters import graphemes as graphemes
from .fitting import ELLIPSIS as ELLIPSIS
from .fitting import Page as Page
from .fitting import fit as fit
from .fitting import paginate as paginate
from .fitting import shorten as shorten
from .fitting import split_bytes as split_bytes
from .grids import Align as Align
from .grids import Columns as Columns
from .grids import columns as columns
from .grids import table as table
from .measuring import byte_size as byte_size
from .measuring import fits as fits
from .measuring import measure as measure
from .pieces import bullets as bullets
from .pieces import progress_bar as progress_bar
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
from .scrolling import ScrollView as ScrollView
from .scrolling import Where as Where
from .wrapping import BreakMode as BreakMode
from .wrapping import Line as Line
from .wrapping import Style as Style
from .wrapping import Wrapped as Wrapped
from .wrapping import iter_lines as iter_lines
from .wrapping import wrap as wrap

__all__ = [
    "ELLIPSIS",
    "G1",
    "G1_LEGACY",
    "G2",
    "NEX",
    "PROFILES",
    "Z100",
    "Align",
    "Bitmap",
    "BitmapError",
    "BreakMode",
    "CaptionView",
    "Columns",
    "Font",
    "Line",
    "Page",
    "Profile",
    "Profiles",
    "Script",
    "ScrollView",
    "Style",
    "Where",
    "Wrapped",
    "bullets",
    "byte_size",
    "columns",
    "detect_script",
    "fit",
    "fit_bitmap",
    "fits",
    "graphemes",
    "iter_lines",
    "measure",
    "paginate",
    "progress_bar",
    "read_bmp",
    "shorten",
    "split_bytes",
    "table",
    "wrap",
]
