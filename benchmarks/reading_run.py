"""What reading costs (S22): CPU ms of the helper and of what it starts (tesseract), by kind of file."""

from __future__ import annotations

import json
import resource
import statistics
from collections.abc import Callable, Mapping
from functools import partial

import click
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from tamis.services.files.reading import read_job
from tests.documents import pdf, qr_code, scanned, written
from tests.services.files.test_images import picture, saved
from tests.services.files.test_images import written as image_of

_LINE = "Your parcel could not be delivered, please confirm your address within 24 hours. "


def _letter(canvas: Canvas) -> None:
    for line in range(45):
        canvas.drawString(40, 800 - 16 * line, _LINE)


def _coded(canvas: Canvas) -> None:
    _letter(canvas)
    canvas.drawImage(ImageReader(qr_code("https://login.example.org/")), 400, 20, 90, 90)


def _files() -> Mapping[str, bytes]:
    return {
        "a picture": saved(picture()),
        "an image with two words": image_of("CHEAP PILLS"),
        "an image of a QR code": saved(qr_code("https://login.example.org/")),
        "a PDF of one line": pdf(written("Hello")),
        "a PDF, three pages of text": pdf(_letter, _letter, _letter),
        "a PDF, a page with a QR code": pdf(_coded),
        "a PDF, a scanned page": pdf(scanned("CHEAP PILLS")),
    }


@click.command()
@click.option("--rounds", default=15, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, *, as_json: bool) -> None:
    """Measure."""
    files = _files()
    ways = {"with OCR": ("fra", "eng"), "without": ()}
    taken: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds + 1):
        for name, octets in files.items():
            for way, languages in ways.items():
                request = {"seconds": 20, "languages": languages, "pages": 3}
                milliseconds = _cpu(partial(read_job, request, [octets]))
                if number:  # the first round warms up
                    taken.setdefault((name, way), []).append(milliseconds)
    medians = {key: statistics.median(values) for key, values in taken.items()}
    if as_json:
        click.echo(json.dumps({f"{name}, {way}": round(value, 1) for (name, way), value in medians.items()}))
        return
    click.echo(f"{'CPU ms, median of ' + str(rounds) + ' rounds':<36}{'with OCR':>10}{'without':>10}")
    for name in files:
        click.echo(f"{name:<36}{medians[name, 'with OCR']:>10.1f}{medians[name, 'without']:>10.1f}")


def _cpu(work: Callable[[], object]) -> float:
    before = _used()
    work()
    return (_used() - before) * 1000


def _used() -> float:
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in told)


if __name__ == "__main__":
    main()
