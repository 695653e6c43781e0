"""What a program does with an image of a code before it gives it to tesseract. Pure, but for tesseract itself."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from PIL import Image
from scipy import ndimage

Grey: TypeAlias = np.ndarray
"""An image as rows of 0 (black) to 255."""

PSM = (7, 8, 13)
"""How tesseract is told to look: one line, one word, one line as it is."""
_SEPARATOR = "\f"


def otsu(grey: Grey) -> int:
    """The level that best parts dark from light (Otsu 1979)."""
    counts = np.bincount(grey.ravel(), minlength=256).astype(float)
    levels = np.arange(256)
    below, above = np.cumsum(counts), counts.sum() - np.cumsum(counts)
    total = np.cumsum(counts * levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = below * above * (total / below - (total[-1] - total) / above) ** 2
    return int(np.nanargmax(np.where(np.isfinite(apart), apart, -1)))


def dark(grey: Grey) -> Grey:
    """Where there is ink."""
    return grey <= otsu(grey)


def inked(mask: Grey) -> Grey:
    """Black where a mask is true, on white."""
    return np.where(mask, 0, 255).astype(np.uint8)


def larger(grey: Grey, times: int) -> Grey:
    """Upscaled."""
    size = (grey.shape[1] * times, grey.shape[0] * times)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.LANCZOS))


def _square(side: int) -> Grey:
    return np.ones((side, side), bool)


def _adaptive(grey: Grey) -> Grey:
    return inked(grey < ndimage.uniform_filter(grey.astype(float), 25) - 10)


def _gradient(grey: Grey) -> Grey:
    return inked(ndimage.morphological_gradient(grey.astype(float), size=(3, 3)) > 90)


def _without_specks(grey: Grey) -> Grey:
    labels, number = ndimage.label(dark(grey))
    sizes = ndimage.sum_labels(np.ones_like(labels), labels, range(1, number + 1))
    return inked(np.isin(labels, 1 + np.flatnonzero(sizes > 60)))


def _unlined(grey: Grey) -> Grey:
    """Thin strokes taken away in every direction, and what remains grown back inside the ink that was there."""
    ink = dark(grey)
    core = ndimage.binary_opening(ink, _square(5))
    return inked(ndimage.binary_dilation(core, _square(3)) & ink)


def _turned(grey: Grey) -> Grey:
    """Regions where ink and paper are exchanged are turned back: a wide neighbourhood that is mostly dark is one."""
    ink = dark(grey)
    return inked(ink ^ (ndimage.uniform_filter(ink.astype(float), 31) > 0.5))


PREPARED: Mapping[str, Callable[[Grey], Grey]] = MappingProxyType(
    {
        "as it is": lambda g: g,
        "threshold 80": lambda g: inked(g < 80),
        "threshold Otsu": lambda g: inked(dark(g)),
        "threshold 190": lambda g: inked(g < 190),
        "adaptive threshold": _adaptive,
        "median 3": lambda g: inked(dark(ndimage.median_filter(g, 3))),
        "median 7": lambda g: inked(dark(ndimage.median_filter(g, 7))),
        "blur": lambda g: inked(dark(ndimage.gaussian_filter(g.astype(float), 2).astype(np.uint8))),
        "opening 3": lambda g: inked(ndimage.binary_opening(dark(g), _square(3))),
        "opening 5": lambda g: inked(ndimage.binary_opening(dark(g), _square(5))),
        "opening 7": lambda g: inked(ndimage.binary_opening(dark(g), _square(7))),
        "closing 3": lambda g: inked(ndimage.binary_closing(dark(g), _square(3))),
        "erosion 3": lambda g: inked(ndimage.binary_erosion(dark(g), _square(3))),
        "lines taken out": _unlined,
        "specks taken out": _without_specks,
        "outlines": _gradient,
        "inversions turned back": _turned,
        "upscaled 2": lambda g: larger(g, 2),
        "upscaled 3, Otsu": lambda g: inked(dark(larger(g, 3))),
        "median 3, upscaled 2": lambda g: larger(inked(dark(ndimage.median_filter(g, 3))), 2),
        "opening 3, upscaled 2": lambda g: larger(inked(ndimage.binary_opening(dark(g), _square(3))), 2),
    }
)
"""Ways to prepare a whole image, by name."""


def equal_slices(grey: Grey, number: int) -> list[Grey]:
    """The inked part in so many pieces of one width."""
    columns = np.flatnonzero(dark(grey).any(axis=0))
    if not len(columns):
        return [grey] * number
    edges = np.linspace(columns[0], columns[-1] + 1, number + 1).astype(int)
    return [_framed(grey[:, a:b]) for a, b in pairwise(edges)]


def valley_slices(grey: Grey, number: int) -> list[Grey]:
    """The inked part cut where there is least ink near the equal cuts."""
    profile = ndimage.uniform_filter1d(dark(grey).sum(axis=0).astype(float), 5)
    columns = np.flatnonzero(profile > 1)
    if not len(columns):
        return [grey] * number
    edges = np.linspace(columns[0], columns[-1] + 1, number + 1).astype(int)
    reach = max(1, (edges[1] - edges[0]) // 3)
    cuts = [edges[0]]
    for edge in edges[1:-1]:
        near = profile[edge - reach : edge + reach]
        cuts.append(edge - reach + int(near.argmin()))
    cuts.append(edges[-1])
    return [_framed(grey[:, a : max(b, a + 2)]) for a, b in pairwise(cuts)]


def component_slices(grey: Grey, number: int) -> list[Grey]:
    """The largest connected pieces of ink, from left to right."""
    labels, found = ndimage.label(ndimage.binary_opening(dark(grey), _square(3)))
    boxes = ndimage.find_objects(labels)
    sizes = [int((labels[box] == n).sum()) for n, box in enumerate(boxes, 1)]
    best = sorted(range(found), key=lambda n: -sizes[n])[:number]
    some = [inked(labels[boxes[n]] == n + 1) for n in sorted(best, key=lambda n: boxes[n][1].start)]
    return [_framed(one) for one in some] + [_framed(grey[:, :2])] * (number - len(some))


SEGMENTED: Mapping[str, Callable[[Grey, int], list[Grey]]] = MappingProxyType(
    {"equal slices": equal_slices, "cut in valleys": valley_slices, "connected pieces": component_slices}
)
"""Ways to take an image apart into its characters, each of which tesseract reads by itself (psm 10)."""


def _framed(grey: Grey) -> Grey:
    return np.pad(grey, 12, constant_values=255)


def read_all(images: Sequence[Grey], psm: int, characters: str) -> list[str]:
    """What tesseract reads in each of the images; only `characters` are wanted. Where it dies on one, ""."""
    try:
        return _read_together(images, psm, characters)
    except subprocess.CalledProcessError:
        if len(images) == 1:
            return [""]
    half = len(images) // 2
    return read_all(images[:half], psm, characters) + read_all(images[half:], psm, characters)


def _read_together(images: Sequence[Grey], psm: int, characters: str) -> list[str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = [folder / f"{number:05}.png" for number in range(len(images))]
        for path, image in zip(paths, images, strict=True):
            Image.fromarray(image).save(path)
        listed = folder / "all.txt"
        listed.write_text("\n".join(map(str, paths)))
        done = subprocess.run(
            [
                *("tesseract", str(listed), "-", "--psm", str(psm), "--dpi", "150", "-l", "eng"),
                *("-c", f"tessedit_char_whitelist={characters}", "-c", "page_separator=\f"),
            ],
            env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            capture_output=True,
            check=True,
            text=True,
        )
    return ["".join(page.split()) for page in done.stdout.split(_SEPARATOR)[: len(images)]]


def readings(images: Sequence[Grey], length: int, characters: str) -> dict[str, list[str]]:
    """What each way of preparing and reading makes of the images."""
    jobs: dict[str, Callable[[], list[str]]] = {}
    for name, prepare in PREPARED.items():
        prepared = [prepare(image) for image in images]
        for psm in PSM:
            jobs[f"{name}, psm {psm}"] = partial(read_all, prepared, psm, characters)
    for name, cut in SEGMENTED.items():
        pieces = [larger(piece, 2) for image in images for piece in cut(image, length)]

        def joined(some: list[Grey] = pieces) -> list[str]:
            read = read_all(some, 10, characters)
            return ["".join(one[:1] for one in read[n : n + length]) for n in range(0, len(read), length)]

        jobs[f"{name}, psm 10"] = joined
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(jobs, pool.map(lambda job: job(), jobs.values()), strict=True))
