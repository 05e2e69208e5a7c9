from functools import lru_cache
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from campaigns import images
from campaigns.images import SCENES, draw

HEADLINE = "Alex, your trail before term"


def picture(**changes: Any) -> bytes:
    asked: dict[str, Any] = {
        "scene": "trail",
        "headline": HEADLINE,
        "interest": "hiking",
        "seed": 7,
    } | changes
    return draw(**asked)


def opened(png: bytes) -> Image.Image:
    image = Image.open(BytesIO(png))
    image.load()
    return image


def written(headline: str, **changes: Any) -> tuple[int, int, int, int] | None:
    """The box of all that a headline changes in the picture."""
    with_it = opened(picture(headline=headline, interest="", **changes))
    without = opened(picture(headline="", interest="", **changes))
    return ImageChops.difference(with_it, without).getbbox()


@pytest.mark.parametrize("scene", SCENES)
def test_picture_of_a_scene_is_a_light_png_for_a_mail(scene: str) -> None:
    png = picture(scene=scene)
    image = opened(png)
    assert (image.format, image.mode, image.size) == ("PNG", "RGB", (1200, 628))
    assert len(png) < 250_000


@pytest.mark.parametrize("scene", SCENES)
def test_picture_is_the_same_every_time(scene: str) -> None:
    assert picture(scene=scene) == picture(scene=scene)


def test_picture_of_each_scene_is_another() -> None:
    assert len({picture(scene=scene) for scene in SCENES}) == len(SCENES)


def test_picture_of_each_seed_is_another() -> None:
    assert len({picture(seed=seed) for seed in (0, 1, 2, -1, 10**30)}) == 5


@pytest.mark.parametrize(
    ("interest", "scene"),
    [
        ("hiking", "trail"),
        ("climbing", "wall"),
        ("snow", "snow"),
        ("camping", "camp"),
        ("trail-running", "ridge"),
        ("Trail Running", "ridge"),
        ("trail_running", "ridge"),
    ],
)
def test_picture_without_a_scene_is_the_one_of_its_interest(interest: str, scene: str) -> None:
    assert picture(scene="", interest=interest) == picture(scene=scene, interest=interest)


@pytest.mark.parametrize("interest", ["", "chess", "../../etc", "\0", "\ud800"])
def test_picture_of_an_unknown_scene_and_interest_is_the_default(interest: str) -> None:
    assert picture(scene="moon", interest=interest) == picture(scene="valley", interest="")


def test_picture_names_an_interest_it_knows() -> None:
    assert picture(interest="hiking") != picture(interest="climbing")


def test_headline_stays_in_the_sky_at_the_left() -> None:
    box = written(HEADLINE)
    assert box is not None
    left, top, right, bottom = box
    assert 40 <= left < right <= 760
    assert 30 <= top < bottom <= 300


@pytest.mark.parametrize(
    "headline", ["x" * 10_000, "W" * 60 + " " + "M" * 60, "word " * 2_000, "a" * 199 + "\u0301"]
)
def test_headline_too_long_stays_in_its_place(headline: str) -> None:
    box = written(headline)
    assert box is not None
    assert (box[2] <= 760, box[3] <= 300) == (True, True)


@pytest.mark.parametrize(
    "headline", ["", "   ", "\0\x1b\u202e", "\ud800", "שלום", "👋🏽", "\u0301"]
)
def test_headline_that_cannot_be_drawn_is_left_out(headline: str) -> None:
    assert written(headline) is None


@pytest.mark.parametrize(
    ("headline", "drawn"),
    [
        ("\0Alex,\u202e your\x1b trail", "Alex, your trail"),
        ("Alex,\n\tyour   trail", "Alex, your trail"),
        ("Alex, your trail 🥾", "Alex, your trail"),
        ("محمد, your trail", "Your trail"),
        ("Z\u0335\u0321\u0334oe, your trail", "Zoe, your trail"),
        ("Jose\u0301, your trail", "José, your trail"),
        ("\uff21\uff22 \ufb01eld day", "AB field day"),
        ("-20 % on tents", "-20 % on tents"),
    ],
)
def test_headline_is_drawn_without_what_the_font_lacks(headline: str, drawn: str) -> None:
    assert picture(headline=headline) == picture(headline=drawn)


def test_headline_keeps_its_accents() -> None:
    assert picture(headline="José") != picture(headline="Jose")


def test_headline_without_the_admins_font_is_drawn_in_pillows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = picture()
    monkeypatch.setattr(images, "find_spec", lambda name: None)
    for cache in (images._font, images._has_glyph):
        monkeypatch.setattr(images, cache.__name__, lru_cache(cache.__wrapped__))
    assert picture() not in (usual, picture(headline=""))
    assert picture(headline="José 👋") == picture(headline="Jose")


@settings(deadline=None, max_examples=25)
@given(headline=st.text(max_size=300))
def test_headline_may_be_any_text(headline: str) -> None:
    assert opened(picture(headline=headline, width=300, height=157)).size == (300, 157)


@pytest.mark.parametrize("size", [(100, 100), (600, 600), (300, 600), (1200, 100), (2400, 1256)])
def test_picture_of_another_size_has_that_size(size: tuple[int, int]) -> None:
    width, height = size
    assert opened(picture(width=width, height=height)).size == size


@pytest.mark.parametrize("size", [(99, 100), (100, 2401), (0, 0), (-5, 200)])
def test_picture_of_an_absurd_size_is_an_error(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="100 to 2400 pixels"):
        picture(width=size[0], height=size[1])
