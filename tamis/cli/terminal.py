"""Text for a terminal: whatever a sender wrote, it moves no cursor and paints no lies."""

from __future__ import annotations

import json
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

import click

MIN_WIDTH, MAX_WIDTH = 80, 120
_BAD = "\ufffd"


def printable(text: str) -> str:
    """One line without control, format (bidirectional, zero-width) and unassigned characters."""
    shown = "".join(c if c.isprintable() else " " if c in "\t\r\n" else _BAD for c in text)
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    return shown.encode(encoding, "replace").decode(encoding)


def cells(text: str) -> int:
    """How many columns printable text takes."""
    return sum(map(_cells, text))


def fit(text: str, width: int) -> str:
    """Text made printable, and cut or filled to exactly `width` columns."""
    shown = printable(text)
    if cells(shown) > width:
        kept, used = [], 0
        for c in shown:
            if used + _cells(c) > width - 1:
                break
            kept.append(c)
            used += _cells(c)
        shown = "".join(kept) + "…"
    return shown + " " * (width - cells(shown))


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], shares: Sequence[int]) -> str:
    """Rows under heads, no wider than the terminal (80 to 120 columns); what goes into a pipe or a file is whole.

    A column whose share is 0 is as wide as its widest cell; the others divide what is left by their shares.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widest = [max(map(cells, column)) for column in zip(heads, *rows, strict=True)]
    total = min(max(shutil.get_terminal_size((MIN_WIDTH, 24)).columns, MIN_WIDTH), MAX_WIDTH)
    fixed = sum(w for w, share in zip(widest, shares, strict=True) if not share)
    left = total - fixed - 2 * (len(heads) - 1)
    parts = sum(shares) or 1
    widths = widest
    if _is_terminal():
        widths = [
            min(w, max(left * share // parts, 6)) if share else w
            for w, share in zip(widest, shares, strict=True)
        ]
    lines = ([fit(cell, w) for cell, w in zip(row, widths, strict=True)] for row in (heads, *rows))
    return "\n".join("  ".join(line).rstrip() for line in lines)


def _is_terminal() -> bool:
    """Whether somebody reads along."""
    return sys.stdout.isatty()


def print_json(data: Any) -> None:
    """Data as JSON, in ASCII, so that no control character gets through."""
    click.echo(json.dumps(data, indent=2, default=str))


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def progress(total: int) -> Callable[[int], None]:
    """Tells on standard error, every few seconds, how far the stream is."""
    began = last = time.monotonic()
    live = sys.stderr.isatty()

    def tell(done: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < (0.5 if live else 10) and not (live and done == total):
            return
        last = now
        rate = done / max(now - began, 1e-9)
        left = (total - done) / rate
        line = f"{done:,} of {total:,} messages, {rate:.0f} a second, {left:.0f} s left"
        click.echo(f"\r{line:<70}" if live and done < total else line.ljust(70), nl=not live, err=True)
        if live and done == total:
            click.echo(err=True)

    return tell
