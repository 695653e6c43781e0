"""What a worker needs for the model: run as a process of its own, prints one JSON object.

Usage: python -m benchmarks.statistics_memory MODEL MESSAGE
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path

from tamis.message.mail import Mail


def _kib() -> dict[str, int]:
    """This process's memory in KiB: private (dirty) and in shared mappings of files."""
    text = Path("/proc/self/smaps_rollup").read_text("ascii")
    found = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
    return {"private": int(found["Private_Dirty"]), "resident": int(found["Rss"])}


def main() -> None:
    """Measure before and after the scoring path is loaded, the model mapped and one message scored."""
    raw = Path(sys.argv[2]).read_bytes()
    _ = Mail(raw).text
    before = _kib()
    from tamis.models.features import extract  # noqa: PLC0415 # loaded between two measurements
    from tamis.models.model_file import Model  # noqa: PLC0415

    code = _kib()
    began = time.perf_counter()
    model = Model(Path(sys.argv[1]))
    load_ms = 1000 * (time.perf_counter() - began)
    model.score(extract(Mail(raw)))
    after = _kib()
    print(
        json.dumps(
            {
                "code_private_kib": code["private"] - before["private"],
                "model_private_kib": after["private"] - code["private"],
                "model_shared_kib": (after["resident"] - code["resident"])
                - (after["private"] - code["private"]),
                "load_ms": load_ms,
            }
        )
    )


if __name__ == "__main__":
    main()
