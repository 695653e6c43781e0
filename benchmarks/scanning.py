"""What `tamis scan` of any checkout says of messages, with a configuration and a DNS made for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.made_up_dns import URI_LIST, MadeUpDNS
from benchmarks.measuring import ROOT

RECIPIENT = "marie@example.com"
RULES = r"""
[[rule]]
name = "casino"
match = ['\bonline[ -]casino\b', '\bfree spins\b']
where = ["subject", "text"]
action = "spam"
hits = ["Subject: Online casino\n\n"]

[[rule]]
name = "badword"
match = ["buy viagra now"]
where = ["subject", "text"]
action = "score"
points = 3.0
hits = ["Subject: x\n\nbuy viagra now\n"]
"""
"""The two keyword rules."""

_AT_ONCE = 500  # files that one call is given


@dataclass(frozen=True, slots=True)
class Said:
    """What a filter said of one message: its status, what it does to the recipient, its sentence."""

    status: str
    effect: str
    points: float
    text: str


def scanned(
    checkout: Path, config: Path, paths: Sequence[Path], *options: str
) -> Iterator[Mapping[str, Any]]:
    """What `tamis scan --json` of a checkout says of each message, in their order; the program ends where it fails."""
    program = checkout / ".venv" / "bin" / "tamis"
    for at in range(0, len(paths), _AT_ONCE):
        files = [str(path) for path in paths[at : at + _AT_ONCE]]
        done = subprocess.run(
            [program, "--config", config, "scan", "--json", "--rcpt", RECIPIENT, *options, *files],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYTHONPATH": str(checkout)},
        )
        lines = done.stdout.splitlines()
        if done.returncode > 2 or len(lines) != len(files):
            sys.exit(f"{program} scan ended with {done.returncode}:\n{done.stderr[-2000:]}")
        yield from map(json.loads, lines)


def by_content(paths: Sequence[Path], settings: str = "") -> Iterator[Mapping[str, Any]]:
    """What came of each message for the one recipient, with no state, no lessons, no lists, and a DNS that does not
    answer."""
    with tempfile.TemporaryDirectory(prefix="tamis-scan-") as made:
        config = Path(made) / "tamis.toml"
        config.write_text(
            f'state_directory = "{made}/state"\nrun_directory = "{made}/run"\n'
            '[platform]\ndomains = ["example.com"]\ndnsbl = []\nrhsbl = []\nuribl = []\n'
            f'[dns]\nservers = ["127.0.0.1:9"]\ndeadline = 0.2\n{settings}'
        )
        for told in scanned(ROOT, config, paths):
            (recipient,) = told["recipients"]
            yield recipient


def scan(
    checkout: Path, paths: Sequence[Path], dns: MadeUpDNS, *, client: str, name: str
) -> Iterator[Mapping[str, Said]]:
    """For each message what each filter said, in the order of `paths`; `client` sent it, whose `name` is that."""
    with tempfile.TemporaryDirectory(prefix="tamis-scan-") as made:
        config = _configuration(Path(made), dns)
        yield from map(_read, scanned(checkout, config, paths, "--ip", client, "--helo", name))


def _configuration(folder: Path, dns: MadeUpDNS) -> Path:
    rules, config = folder / "rules.toml", folder / "tamis.toml"
    rules.write_text(RULES)
    config.write_text(
        f'state_directory = "{folder}/state"\nrun_directory = "{folder}/state/run"\n'
        f'[platform]\ndomains = ["example.com"]\nuribl = ["{URI_LIST}+ip=127.0.0.2"]\ndnsbl = []\nrhsbl = []\n'
        f'[dns]\nservers = ["{dns.address}"]\n[rules]\nfiles = ["{rules}"]\n'
    )
    return config


def _read(told: Mapping[str, Any]) -> Mapping[str, Said]:
    (recipient,) = told["recipients"]
    opinions = {one["filter"]: one for one in recipient["opinions"]}
    found = {}
    for one in told["findings"]:
        opinion = opinions.get(one["filter"], {})
        shadow = opinion.get("shadow", False)
        found[one["filter"]] = Said(
            status=one["status"],
            effect="" if shadow else opinion.get("effect") or "",
            points=0.0 if shadow else opinion.get("points") or 0.0,
            text=one["text"],
        )
    return found
