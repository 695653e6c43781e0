"""What a worker does not need is not in its memory."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("alembic", "matplotlib", "numpy", "oletools", "PIL", "psycopg", "redis", "sklearn", "sqlalchemy")


def test_a_worker_carries_no_database_and_no_libraries_for_files() -> None:
    program = (
        "import sys, tamis.milter.worker\n"
        "from tamis.chain.registry import load_filters\n"
        "load_filters()\n"
        f"print(*[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
