"""Tables as files: CSV (RFC 4180) that a spreadsheet opens and never runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from starlette.responses import Response

_RUNS = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")
"""What a spreadsheet takes for the beginning of a formula, or of a command."""


def inert(cell: str) -> str:
    """A cell that is text and nothing else, whatever a stranger wrote into it."""
    shown = "".join(c if c.isprintable() else " " for c in cell)
    return f"'{shown}" if cell.lstrip(" ").startswith(_RUNS) or shown.lstrip().startswith(_RUNS) else shown


def csv_file(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Response:
    """A CSV file; `name` is ours, of ASCII."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(heads)
    writer.writerows([inert(cell) for cell in row] for row in rows)
    disposition = {"content-disposition": f'attachment; filename="{name}.csv"'}
    # the mark tells spreadsheets that it is UTF-8
    return Response("\ufeff" + written.getvalue(), media_type="text/csv; charset=utf-8", headers=disposition)
