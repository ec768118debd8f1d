"""Pillow, where it is installed. The one place that imports it, so that there is one error without it."""

from mentra_trio.errors import ConfigError

try:
    from PIL import Image, ImageChops, ImageDraw, ImageFont, ImageOps, ImageSequence, features
except ImportError as error:
    msg = 'pictures are made by Pillow, which is not installed: pip install "mentra-trio[images]"'
    raise ConfigError(msg) from error

__all__ = ["Image", "ImageChops", "ImageDraw", "ImageFont", "ImageOps", "ImageSequence", "features"]
