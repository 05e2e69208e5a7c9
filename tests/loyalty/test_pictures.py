"""Pictures from strangers: what is taken, what it becomes, and what never gets as far as pixels."""

import struct
import zlib
from io import BytesIO

import pytest
from PIL import Image

from config.errors import Invalid
from loyalty import pictures
from tests.factories import picture


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_each_listed_format_becomes_a_jpeg(kind: str) -> None:
    image = opened(pictures.redrawn(picture(kind)))
    assert (image.format, image.size, image.mode) == ("JPEG", (64, 48), "RGB")


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_refused(kind: str) -> None:
    with pytest.raises(Invalid):
        pictures.redrawn(picture(kind))


def test_where_and_with_what_it_was_taken_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Her Phone"
    exif.get_ifd(0x8825)[1] = "N"
    kept = pictures.redrawn(picture("JPEG", exif=exif, comment=b"secret", icc_profile=b"profile"))
    image = opened(kept)
    assert (dict(image.getexif()), image.info.keys() & {"exif", "comment", "icc_profile"}) == (
        {}, set(),
    )  # fmt: skip
    assert b"Her Phone" not in kept


def test_picture_lies_as_it_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # Turned by a quarter
    assert opened(pictures.redrawn(picture("JPEG", exif=exif))).size == (48, 64)


def test_large_one_is_made_smaller_in_its_shape() -> None:
    assert opened(pictures.redrawn(picture("JPEG", size=(4096, 1024)))).size == (2048, 512)


def test_transparent_one_lies_on_white() -> None:
    file = BytesIO()
    Image.new("RGBA", (64, 64), (0, 0, 0, 0)).save(file, "PNG")
    assert opened(pictures.redrawn(file.getvalue())).getpixel((5, 5)) == (255, 255, 255)


def test_same_picture_gives_the_same_bytes() -> None:
    assert pictures.redrawn(picture()) == pictures.redrawn(picture())


def claiming(width: int, height: int) -> bytes:
    """A PNG of a hundred bytes that says it is as large as this."""

    def chunk(name: bytes, body: bytes) -> bytes:
        sum_ = struct.pack(">I", zlib.crc32(name + body))
        return struct.pack(">I", len(body)) + name + body + sum_

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("size", [(100_000, 100_000), (7_747, 7_747), (60_000_001, 32)])
def test_bomb_is_refused_by_what_its_header_says(size: tuple[int, int]) -> None:
    with pytest.raises((pictures.PictureTooLarge, Invalid)):
        pictures.redrawn(claiming(*size))


def test_file_that_is_too_large_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 100)
    with pytest.raises(pictures.PictureTooLarge):
        pictures.redrawn(b"x" * 101)


def test_tiny_one_is_refused() -> None:
    with pytest.raises(Invalid):
        pictures.redrawn(picture(size=(31, 500)))


@pytest.mark.parametrize(
    "data",
    [
        b"", b"text", b"\xff\xd8\xff", b"<svg/>", picture()[:60], picture("JPEG")[:200],
        picture("WEBP")[:40], claiming(0, 0), claiming(64, 64), b"\x89PNG\r\n\x1a\n" + b"\0" * 99,
    ],
)  # fmt: skip
def test_broken_one_is_refused_as_such(data: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        pictures.redrawn(data)
    assert refused.value.pointer == "/picture"
