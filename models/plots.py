"""ROC and learning curves as PNG and SVG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tamis.models.measures import Ranking, curve

Scored = Mapping[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]]
"""Scores and labels of each run, in the stream's order, by the name it is shown under."""

_COLOURS = ("#005f9e", "#c25400", "#5b7f00", "#7a3f9d")
_LEAST = 0.02
"""Percent at which the logarithmic axes begin."""


def plot_roc(runs: Scored, folder: Path, name: str = "roc") -> list[Path]:
    """Spam missed against ham misclassified, both in percent on logarithmic axes; returns the files."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for colour, (title, (scores, spam)) in zip(_COLOURS, runs.items(), strict=False):
        hm, sm = Ranking(scores, spam).roc()
        axes.step(
            np.maximum(100 * hm, _LEAST),
            np.maximum(100 * sm, _LEAST),
            where="post",
            label=title,
            color=colour,
        )
    axes.set(xscale="log", yscale="log", xlim=(_LEAST, 100), ylim=(_LEAST, 100))
    axes.set(xlabel="ham misclassified (hm %)", ylabel="spam missed (sm %)")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    return _saved(figure, folder, name)


def plot_learning(runs: Scored, folder: Path, name: str = "learning") -> list[Path]:
    """(1-ROCA)% over the first n messages of the stream; returns the files."""
    figure = Figure(figsize=(6.4, 4.8), layout="constrained")
    axes = figure.add_subplot()
    for colour, (title, (scores, spam)) in zip(_COLOURS, runs.items(), strict=False):
        ns, values = curve(scores, spam, lambda found: found.roca)
        axes.plot(ns, np.maximum(values, 1e-3), label=title, color=colour)
    axes.set(xscale="log", yscale="log", xlabel="messages", ylabel="(1-ROCA) %")
    axes.grid(visible=True, which="both", alpha=0.25)
    axes.legend()
    return _saved(figure, folder, name)


def _saved(figure: Figure, folder: Path, name: str) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{name}.png", folder / f"{name}.svg"]
    # Without dates and random ids in them, the same run gives the same file.
    with mpl.rc_context({"svg.hashsalt": "tamis"}):
        figure.savefig(files[0], dpi=120, metadata={"Software": None})
        figure.savefig(files[1], metadata={"Date": None})
    return files
