"""Pictures that strangers send, made harmless: looked at before decoding, decoded once, drawn anew.

What is kept is a JPEG of our own writing, upright, of at most `LONGEST_SIDE` pixels, without
anything that was beside the pixels: where it was taken, by whom, with what. Pure.
"""

import struct
from io import BytesIO

from PIL import Image, ImageOps, UnidentifiedImageError

from config.errors import Invalid, Refusal

MAX_BYTES = 10_000_000
FORMATS = ("JPEG", "PNG", "WEBP")
# A phone's best has 50 million pixels; a file of a few kilobytes can claim a billion.
MAX_PIXELS = 60_000_000
MIN_SIDE = 32
LONGEST_SIDE = 2_048
QUALITY = 85
# Everything Pillow's readers raise over a file that is not what it says.
BROKEN = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, OverflowError,
    struct.error, UnidentifiedImageError, Image.DecompressionBombError,
)  # fmt: skip


class PictureTooLarge(Refusal):
    code = "too_large"
    status = 413


def redrawn(data: bytes) -> bytes:
    """The picture as a JPEG of our own. `Invalid` or `PictureTooLarge` says why it is not taken."""
    if len(data) > MAX_BYTES:
        raise PictureTooLarge(f"A picture has at most {MAX_BYTES:,} bytes.")
    try:
        with Image.open(BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            # A JPEG is decoded at a fraction of its size where that is enough.
            image.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            upright = ImageOps.exif_transpose(image)
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return _jpeg(upright)
    except BROKEN as error:
        raise Invalid(
            "This is no JPEG, PNG or WebP that can be read.", pointer="/picture"
        ) from error


def _check_size(image: Image.Image) -> None:
    """Opening reads the header only: what is said there is checked before any pixel is."""
    if image.width * image.height > MAX_PIXELS:
        raise PictureTooLarge(f"A picture has at most {MAX_PIXELS:,} pixels.")
    if min(image.size) < MIN_SIDE:
        raise Invalid(f"A picture is at least {MIN_SIDE} pixels wide and high.", pointer="/picture")


def _jpeg(image: Image.Image) -> bytes:
    """Only pixels are copied: on white where the picture was transparent."""
    coloured = image.convert("RGBA")
    plain = Image.new("RGB", image.size, "white")
    plain.paste(coloured, mask=coloured)
    file = BytesIO()
    plain.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()
