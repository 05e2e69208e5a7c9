"""The member's card: a number to read out and a QR code to scan at the till. Pure.

The code holds the bare number, nothing personal: a photographed card tells a stranger nothing.
"""

import io

import segno


def qr_svg(*, text: str) -> str:
    """A short text as an SVG that fills its box; the page leaves the quiet zone around it white."""
    picture = io.BytesIO()
    _code(text).save(
        picture, kind="svg", xmldecl=False, border=0, omitsize=True, svgclass=None, nl=False
    )
    return picture.getvalue().decode()


def qr_png(*, text: str, scale: int = 10) -> bytes:
    """A short text as a PNG for a phone's screen, with the quiet zone scanners need."""
    picture = io.BytesIO()
    _code(text).save(picture, kind="png", scale=scale, border=4)
    return picture.getvalue()


def grouped(*, number: str) -> str:
    """The number as people read it out: 1000 0011."""
    return " ".join(number[n : n + 4] for n in range(0, len(number), 4))


def _code(text: str) -> segno.QRCode:
    return segno.make_qr(text, error="m", boost_error=False)
