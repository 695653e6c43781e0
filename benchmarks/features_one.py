"""The features that the checkout which it is run in reads: paths on its input, a line each; for each on its output the
number of octets, as a line, and the arrays of indices and counts. Run as a file by benchmarks/features_run.py, with
another checkout's Python, so it imports only what that has as well.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np

from tamis.models.corpora import Place
from tamis.models.features import extract


def main() -> None:
    """Read and extract."""
    for line in sys.stdin:
        features = extract(Place(Path(line.rstrip("\n")), spam=False).read())
        written = io.BytesIO()
        for array in (features.indices, features.counts):
            np.save(written, array, allow_pickle=False)
        octets = written.getvalue()
        sys.stdout.buffer.write(f"{len(octets)}\n".encode() + octets)


if __name__ == "__main__":
    main()
