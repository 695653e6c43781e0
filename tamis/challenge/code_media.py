"""A code as an image and as sound, for people; pure, but for chance and for the fonts and voices that are read once.

The image is judged by both sides. For people: black and white at 18:1, digits of half the image's height in two plain
fonts, no letter that looks or sounds like another, nothing drawn over them. For programs: the digits touch, and a wave
runs through them on one side of which ink and paper are exchanged, so that no threshold, filter or cut leaves their
shapes on one ground. `benchmarks/captcha` measures how many of them tesseract and pocketsphinx read.
"""

from __future__ import annotations

import io
import math
import random
import secrets
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from captcha.audio import AudioCaptcha
    from PIL.Image import Image as Picture
    from PIL.ImageFont import FreeTypeFont, ImageFont

CHARACTERS = "02479"
"""Digits that neither look nor sound like one another, in English and in French: without 3, 5, 6, 8 and 1 (as 7)."""
LENGTH = 6
SIZE = (320, 120)
"""Width and height of the image in pixels: a phone shows it whole."""

_TWICE = 2  # drawn at twice the size: smooth edges
_PAPER, _INK = 255, 20
_LEAST, _MOST = 74, 86  # size of the letters
_TURN, _SHIFT, _TOUCH = 15, 9, 5  # degrees; pixels up and down; pixels into the neighbour
_VOICES = Path(__file__).parent / "voices"
_chance = random.SystemRandom()


def new_code() -> str:
    """A code that nobody knows."""
    return "".join(secrets.choice(CHARACTERS) for _ in range(LENGTH))


def drawn(code: str) -> bytes:
    """The code as a PNG image, drawn anew each time."""
    from PIL import Image, ImageChops  # noqa: PLC0415 - only where it is used

    exchanged = ImageChops.logical_xor(_written(code).convert("1"), _wave().convert("1"))
    ink = exchanged.convert("L").resize(SIZE, Image.Resampling.LANCZOS)
    made = io.BytesIO()
    ink.point([_PAPER + (_INK - _PAPER) * level // 255 for level in range(256)]).save(made, "PNG")
    return made.getvalue()


def spoken(code: str, language: str) -> bytes:
    """The code as sound (WAV), read in a language amid other voices. 0.3 s of CPU."""
    return bytes(_speaker(language).generate(code))


def _written(code: str) -> Picture:
    """The digits in white on black, side by side and touching."""
    from PIL import Image  # noqa: PLC0415 - see above

    width, height = (length * _TWICE for length in SIZE)
    letters = [_letter(one) for one in code]
    canvas = Image.new("L", (width, height))
    left = (width - sum(one.width for one in letters)) // 2 + (len(letters) - 1) * _TOUCH * _TWICE // 2
    for letter in letters:
        shift = _chance.randint(-_SHIFT, _SHIFT) * _TWICE
        canvas.paste(255, (left, (height - letter.height) // 2 + shift), letter)
        left += letter.width - _TOUCH * _TWICE
    return canvas


def _letter(character: str) -> Picture:
    from PIL import Image, ImageDraw  # noqa: PLC0415 - see above

    font = _chance.choice(_fonts(_chance.randint(_LEAST, _MOST) * _TWICE))
    left, top, right, bottom = map(int, font.getbbox(character, stroke_width=_TWICE))
    picture = Image.new("L", (right - left + 8, bottom - top + 8))
    draw = ImageDraw.Draw(picture)
    draw.text((4 - left, 4 - top), character, 255, font, stroke_width=_TWICE, stroke_fill=255)
    turned = picture.rotate(_chance.uniform(-_TURN, _TURN), Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getbbox())


def _wave() -> Picture:
    """What lies on one side of a wave through the middle."""
    from PIL import Image, ImageDraw  # noqa: PLC0415 - see above

    width, height = (length * _TWICE for length in SIZE)
    middle, high = _chance.uniform(0.42, 0.58) * height, _chance.uniform(14, 26) * _TWICE
    long, begun = _chance.uniform(90, 150) * _TWICE, _chance.uniform(0, math.tau)
    crest = [(x, middle + high * math.sin(x / long * math.tau + begun)) for x in range(0, width + 4, 4)]
    side = _chance.choice((0, height))
    picture = Image.new("L", (width, height))
    ImageDraw.Draw(picture).polygon([(0, side), *crest, (width, side)], fill=255)
    return picture


@cache
def _fonts(size: int) -> tuple[FreeTypeFont | ImageFont, ...]:
    from captcha.image import DEFAULT_FONTS  # noqa: PLC0415 - loads fonts: only where it is used
    from PIL import ImageFont  # noqa: PLC0415 - see above

    return (*(ImageFont.truetype(path, size) for path in DEFAULT_FONTS), ImageFont.load_default(size))


@cache
def _speaker(language: str) -> AudioCaptcha:
    from captcha.audio import AudioCaptcha  # noqa: PLC0415 - see above

    own = _VOICES / language
    speaker = AudioCaptcha(str(own) if own.is_dir() else None)
    speaker.load()
    return speaker
