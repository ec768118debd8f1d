"""The reference's layout, bit for bit and with its defects (P4).

For apps that must look as they did with the reference SDK, and for comparing the two. Everything else is better served
by `mentra_trio.text` itself, which mends what P4 10 lists: here emoji and accents are torn apart, hyphens appear where
none belong, and spaces between Chinese characters.

The reference's scroll view is `ScrollView`, given lines that were wrapped here.
"""

from .bitmaps import AnimationConfig as AnimationConfig
from .bitmaps import BitmapProblem as BitmapProblem
from .bitmaps import BitmapProblemError as BitmapProblemError
from .bitmaps import BitmapReport as BitmapReport
from .bitmaps import FrameFile as FrameFile
from .bitmaps import bitmap_info as bitmap_info
from .bitmaps import convert_24_bit as convert_24_bit
from .bitmaps import convert_format as convert_format
from .bitmaps import decode_base64 as decode_base64
from .bitmaps import decode_hex as decode_hex
from .bitmaps import load_frames as load_frames
from .bitmaps import pad_bitmap as pad_bitmap
from .bitmaps import validate_bitmap as validate_bitmap
from .columns import ColumnLayout as ColumnLayout
from .columns import Columns as Columns
from .columns import compose_columns as compose_columns
from .helpers import Chunk as Chunk
from .helpers import Page as Page
from .helpers import Shortened as Shortened
from .helpers import Utilization as Utilization
from .helpers import estimate_line_count as estimate_line_count
from .helpers import exceeds_byte_limit as exceeds_byte_limit
from .helpers import fit_to_screen as fit_to_screen
from .helpers import pad_to_line_count as pad_to_line_count
from .helpers import paginate as paginate
from .helpers import split_into_chunks as split_into_chunks
from .helpers import truncate_to_lines as truncate_to_lines
from .helpers import truncate_with_ellipsis as truncate_with_ellipsis
from .helpers import utilization as utilization
from .measuring import CharacterMeasure as CharacterMeasure
from .measuring import Measurer as Measurer
from .measuring import measure_char as measure_char
from .measuring import needs_hyphen as needs_hyphen
from .wrapping import WrapOptions as WrapOptions
from .wrapping import Wrapped as Wrapped
from .wrapping import WrappedLine as WrappedLine
from .wrapping import needs_wrap as needs_wrap
from .wrapping import wrap as wrap

__all__ = [
    "AnimationConfig",
    "BitmapProblem",
    "BitmapProblemError",
    "BitmapReport",
    "CharacterMeasure",
    "Chunk",
    "ColumnLayout",
    "Columns",
    "FrameFile",
    "Measurer",
    "Page",
    "Shortened",
    "Utilization",
    "WrapOptions",
    "Wrapped",
    "WrappedLine",
    "bitmap_info",
    "compose_columns",
    "convert_24_bit",
    "convert_format",
    "decode_base64",
    "decode_hex",
    "estimate_line_count",
    "exceeds_byte_limit",
    "fit_to_screen",
    "load_frames",
    "measure_char",
    "needs_hyphen",
    "needs_wrap",
    "pad_bitmap",
    "pad_to_line_count",
    "paginate",
    "split_into_chunks",
    "truncate_to_lines",
    "truncate_with_ellipsis",
    "utilization",
    "validate_bitmap",
    "wrap",
]
