"""Pictures for messages: a landscape drawn for one member, with a headline in it.

Pure and deterministic: the same arguments give the same bytes, so pictures need not be stored.
Any headline is safe: what the font cannot draw (control characters, emoji, other scripts) is left
out, what is too long ends in an ellipsis. An unknown scene or interest gives the default landscape.
"""

import random
import re
import unicodedata
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import cast

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from campaigns import scenery
from campaigns.painting import DARK, HEIGHT, WHITE, WIDTH, Painter

MIN_SIDE, MAX_SIDE = 100, 2400
MAX_HEADLINE = 200  # letters; the three lines hold about a hundred
SCENES: tuple[str, ...] = tuple(scenery.SCENES)


def draw(
    *, scene: str, headline: str, interest: str, seed: int, width: int = WIDTH, height: int = HEIGHT
) -> bytes:
    """A PNG of `width` x `height` pixels: the scene, else that of the interest, and the headline.

    `scene` is one of `SCENES`, `interest` a slug, which is also written above the headline where
    it is known here; `seed` varies light and landscape (take the member's number). Raises
    ValueError unless both sides lie between `MIN_SIDE` and `MAX_SIDE`.
    """
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise ValueError(f"A picture is {MIN_SIDE} to {MAX_SIDE} pixels wide and high.")
    slug = "-".join(interest.casefold().replace("_", " ").split())
    paint, lights = scenery.SCENES[
        scene if scene in scenery.SCENES else scenery.BY_INTEREST.get(slug, "valley")
    ]
    dice = random.Random(str(seed))  # noqa: S311  # no secret; numbers near each other start alike
    painter = Painter(dice.choice(lights), dice)
    paint(painter)
    image = painter.image
    if image.size != (width, height):
        image = ImageOps.fit(image, (width, height), centering=(0.9, 1))
    _letter(image, headline, slug.replace("-", " ").upper() if slug in scenery.BY_INTEREST else "")
    file = BytesIO()
    image.save(file, "PNG", compress_level=1)  # 6 takes twice the time for a third fewer bytes
    return file.getvalue()


def _letter(image: Image.Image, headline: str, label: str) -> None:
    """Write the headline into the sky, upper left, on a soft shadow."""
    wide = image.width > 1.4 * image.height
    scale = min(image.width / WIDTH, image.height / (HEIGHT if wide else WIDTH))
    text, room = _drawable(headline), image.width * (0.56 if wide else 0.88)
    margin = round(60 * scale)
    for points in (66, 56, 46, 38):
        font = _font(max(10, round(points * scale)))
        lines, is_whole = _wrapped(text, font, room)
        if is_whole:
            break
    if not (text or label):
        return
    y, mask = float(margin), Image.new("L", image.size)
    pen = ImageDraw.Draw(mask)
    if label:
        small, x = _font(max(9, round(22 * scale))), float(margin)
        for letter in label:
            pen.text((x, y), letter, fill=230, font=small)
            x += small.getlength(letter) + 3 * scale
        y += max(40 * scale, small.size * 1.5)
    for line in lines:
        pen.text((margin, y), line, fill=255, font=font)
        y += font.size * 1.18
    band = (0, 0, image.width, min(image.height, round(y + 20 * scale)))
    letters = mask.crop(band)
    shadow = letters.filter(ImageFilter.BoxBlur(5 * scale)).point(lambda level: level * 0.6)
    image.paste(DARK, band, shadow)
    image.paste(WHITE, band, letters)


def _wrapped(text: str, font: ImageFont.FreeTypeFont, room: float) -> tuple[list[str], bool]:
    """At most three lines of about equal length, and whether all of the text is in them."""
    lines = _lines(text, font, room)
    for share in (90, 80, 70, 60):
        narrower = _lines(text, font, room * share / 100)
        if len(narrower) > len(lines):
            break
        lines = narrower
    if len(lines) > 3:
        lines = [*lines[:2], f"{lines[2]}…"]
    fitting = [_trimmed(line, font, room) for line in lines]
    return fitting, not any(line.endswith("…") for line in fitting)


def _lines(text: str, font: ImageFont.FreeTypeFont, room: float) -> list[str]:
    lines = [""]
    for word in re.findall(r"\S{1,24}", text):  # a longer word would run out of the picture
        line = f"{lines[-1]} {word}".strip()
        if font.getlength(line) <= room or not lines[-1]:
            lines[-1] = line
        else:
            lines.append(word)
    return lines


def _trimmed(line: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    while font.getlength(line) > room and len(line) > 1:
        line = line.rstrip("…")[:-1].rstrip() + "…"
    return line


def _drawable(text: str) -> str:
    """What the font can draw of a text: "José" as it is, "Łukasz 🎉\\0" as "Łukasz"."""
    kept = []
    for char in unicodedata.normalize("NFC", text[:MAX_HEADLINE]):
        if char.isspace():
            kept.append(" ")
        elif unicodedata.category(char)[0] not in "CM":
            plain = unicodedata.normalize("NFKD", char)
            kept += [char] if _has_glyph(char) else [each for each in plain if _has_glyph(each)]
    clean = " ".join("".join(kept).split())
    bare = clean.lstrip(" ,;:")  # what a name that could not be drawn leaves behind
    return clean if bare == clean else bare[:1].upper() + bare[1:]


@lru_cache(maxsize=4096)
def _has_glyph(char: str) -> bool:
    missing, drawn = (_font(24).getmask(each) for each in ("\uffff", char))
    return drawn.getbbox() is not None and bytes(drawn) != bytes(missing)


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    """Inter, which the admin's theme brings: Latin, Greek, Cyrillic. Without it Pillow's own."""
    theme = find_spec("unfold")
    for folder in (theme.submodule_search_locations or []) if theme else []:
        path = Path(folder) / "static/unfold/fonts/inter/Inter-Bold.woff2"
        if path.exists():
            # Pillow's other engine, raqm, cannot read WOFF2.
            return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)
    return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
