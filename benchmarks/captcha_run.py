"""Codes read by programs, and the cost of answers (see benchmarks/captcha)."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import altcha
import click
import numpy as np
from PIL import Image

from benchmarks.captcha_attack import readings
from benchmarks.captcha_ears import Recogniser, samples
from tamis.challenge.captcha import Captcha
from tamis.challenge.code_media import CHARACTERS, LENGTH, drawn, new_code, spoken
from tests.memory_state import MemoryState

_ANSWERS = 10


@dataclass(frozen=True, slots=True)
class Read:
    """How many codes were read by each way, in percent; `vote` is what most of the ways agree on, the best that a
    program with one answer can do without knowing which of them was right."""

    codes: int
    ways: Mapping[str, float]
    vote: float
    cpu_seconds: float

    @property
    def best(self) -> tuple[str, float]:
        """The way that read most."""
        return max(self.ways.items(), key=lambda one: one[1])

    @property
    def most(self) -> float:
        """Percent that is held against the bound."""
        return max(self.vote, self.best[1])


def images_read(number: int) -> Read:
    """Images, by tesseract."""
    codes = [new_code() for _ in range(number)]
    images = [np.asarray(Image.open(io.BytesIO(drawn(one))).convert("L")) for one in codes]
    return _read(codes, lambda: readings(images, LENGTH, CHARACTERS))


def sounds_read(number: int) -> Read:
    """Sounds in English, by pocketsphinx."""
    codes = [new_code() for _ in range(number)]
    sounds = [samples(spoken(one, "en")) for one in codes]
    recogniser = Recogniser(CHARACTERS, LENGTH)
    ways = {"whole": recogniser.whole, "loudest pieces": recogniser.pieces}
    return _read(codes, lambda: {name: [hear(one) for one in sounds] for name, hear in ways.items()})


def _read(codes: Sequence[str], read: Callable[[], Mapping[str, Sequence[str]]]) -> Read:
    began = time.process_time()
    read_by = read()
    spent = time.process_time() - began
    votes = [
        Counter(one for one in of_one if len(one) == LENGTH).most_common(1)
        for of_one in zip(*read_by.values(), strict=True)
    ]
    voted = [vote[0][0] if vote else "" for vote in votes]
    ways = {name: _percent(codes, answers) for name, answers in read_by.items()}
    return Read(len(codes), ways, _percent(codes, voted), round(spent / len(codes), 2))


def _percent(codes: Sequence[str], answers: Sequence[str]) -> float:
    right = sum(code == answer for code, answer in zip(codes, answers, strict=True))
    return round(100 * right / len(codes), 2)


def work_seconds() -> float:
    """CPU seconds of a proof of work, mean of ten, by a program on one core."""
    captcha = Captcha(b"k" * 32, MemoryState())
    asked = [asyncio.run(captcha.work(f"challenge {number}", "192.0.2.0/24")) for number in range(_ANSWERS)]
    began = time.process_time()
    for one in asked:
        assert altcha.solve_challenge(altcha.Challenge.from_dict(one)) is not None
    return round((time.process_time() - began) / _ANSWERS, 2)


@click.command()
@click.option("--images", default=200, show_default=True)
@click.option("--sounds", default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(images: int, sounds: int, as_json: bool) -> None:
    """Read, and print the table."""
    seen, heard, work = images_read(images), sounds_read(sounds), work_seconds()
    if as_json:
        print(json.dumps({"images": asdict(seen), "sounds": asdict(heard), "work": work}, indent=2))
        return
    print(f"{'':<34}{'codes':>8}{'best way %':>12}{'vote %':>8}   best way")
    for what, read in (("images, tesseract", seen), ("sounds, pocketsphinx", heard)):
        way, share = read.best
        print(f"{what:<34}{read.codes:>8}{share:>12.1f}{read.vote:>8.1f}   {way if share else '-'}")
    print(f"\na proof of work: {work} CPU s; a thousand: {work * 1000 / 60:.0f} CPU minutes")
    print(f"a code by all ways of tesseract: {seen.cpu_seconds} CPU s beside tesseract's own")


if __name__ == "__main__":
    main()
