"""rspamd's Bayes under the same protocol: one rspamd with nothing but its classifier, and a private Redis.

The classifier is configured as Debian's `statistic.conf` has it (OSB tokens, Redis, 200 messages of each label at
least, a message is refused that it is sure of already); without `condition` it is taught every message and speaks
from the first one on. All other filters are off, and no other symbol counts. The score is the classifier's own,
BAYES_SPAM less BAYES_HAM; a message it says nothing of has 0.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil

from tamis.models.corpora import Place
from tests.real import PrivateRedis
from tests.real.support import LOOPBACK, Server, accepts_connections, free_port, private_directory, wait_until

_CONFIGURATION = """
options {{
    pidfile = "{folder}/rspamd.pid";
    url_tld = "/usr/share/rspamd/effective_tld_names.dat";
    cache_file = "{folder}/symbols.cache";
    filters = [];
    dns {{ nameserver = ["{host}:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "file"; filename = "{folder}/rspamd.log"; level = "error"; }}
worker "controller" {{ bind_socket = "{host}:{port}"; count = 1; secure_ip = ["127.0.0.1"]; }}
actions {{ reject = 10000; }}
group "statistics" {{
    symbols {{
        "BAYES_SPAM" {{ weight = 1000.0; }}
        "BAYES_HAM" {{ weight = -1000.0; }}
    }}
}}
classifier "bayes" {{
    tokenizer {{ name = "osb"; }}
    cache {{ }}
    new_schema = true;
    store_tokens = false;
    signatures = false;
    min_tokens = 11;
    backend = "redis";
    servers = "{host}:{redis}";
    min_learns = {least};
    statfile {{ symbol = "BAYES_HAM"; spam = false; }}
    statfile {{ symbol = "BAYES_SPAM"; spam = true; }}
    {condition}
}}
lua = "/usr/share/rspamd/rules/rspamd.lua"
"""
_CONDITION = """learn_condition = 'return require("lua_bayes_learn").can_learn';"""
_TEACHES_ALL = 'learn_condition = "return function() return true end";'
_LEAST = 200


@dataclass(slots=True)
class RspamdRun:
    """Scores in the stream's order; mean CPU milliseconds of rspamd and Redis together; memory and store at the end."""

    scores: list[float] = field(default_factory=list)
    learned: int = 0
    score_ms: float = 0.0
    train_ms: float = 0.0
    resident_kib: int = 0
    store_octets: int = 0


def install() -> str:
    """Have rspamd, from Debian if need be; returns its version."""
    if shutil.which("rspamd") is None:
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "rspamd"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    shown = subprocess.run(["rspamd", "--version"], check=True, capture_output=True, text=True).stdout
    return shown.split("\n", 1)[0].rpartition(" ")[2]


def run(places: Sequence[Place], *, condition: bool) -> RspamdRun:
    """Run a stream of single-message files, with nothing learned at first."""
    result = RspamdRun()
    with PrivateRedis() as redis, _Rspamd(redis.port, condition=condition) as rspamd:
        watched = _Watched("rspamd", "redis-server")
        for place in places:
            raw = place.path.read_bytes()
            before = watched.cpu_ms()
            symbols: dict[str, Any] = rspamd.ask("/checkv2", raw)[1].get("symbols", {})
            between = watched.cpu_ms()
            result.scores.append(sum(float(symbols[s]["score"]) for s in symbols if s.startswith("BAYES_")))
            status, _ = rspamd.ask("/learnspam" if place.spam else "/learnham", raw)
            result.learned += status == http.client.OK
            result.score_ms += between - before
            result.train_ms += watched.cpu_ms() - between
        result.score_ms /= len(places)
        result.train_ms /= len(places)
        result.resident_kib = watched.resident_kib("rspamd")
        result.store_octets = 1024 * watched.resident_kib("redis-server")
    return result


class _Rspamd:
    """The server; its controller scans and learns."""

    def __init__(self, redis: int, *, condition: bool) -> None:
        self._folder = private_directory("rspamd")
        self._port = free_port()
        (self._folder / "rspamd.conf").write_text(
            _CONFIGURATION.format(
                folder=self._folder,
                host=LOOPBACK,
                port=self._port,
                redis=redis,
                least=_LEAST if condition else 1,
                condition=_CONDITION if condition else _TEACHES_ALL,
            )
        )
        self._server = Server("rspamd", self._folder / "output.log")

    def __enter__(self) -> _Rspamd:
        self._server.start(["rspamd", "--no-fork", "--insecure", "-c", str(self._folder / "rspamd.conf")])
        wait_until(lambda: accepts_connections(self._port), timeout=60, what="rspamd")
        self._connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=60)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ask(self, path: str, raw: bytes) -> tuple[int, dict[str, Any]]:
        """What it answers to a message."""
        self._connection.request("POST", path, raw)
        answer = self._connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text.strip() else {}


class _Watched:
    """Our own child processes of some names."""

    def __init__(self, *names: str) -> None:
        children = psutil.Process(os.getpid()).children(recursive=True)
        self._processes = [one for one in children if any(name in " ".join(one.cmdline()) for name in names)]

    def cpu_ms(self) -> float:
        """CPU milliseconds that they took so far."""
        return 1000 * sum(sum(one.cpu_times()[:2]) for one in self._processes)

    def resident_kib(self, name: str) -> int:
        """The largest resident set."""
        found = [one for one in self._processes if name in " ".join(one.cmdline())]
        return max((one.memory_info().rss // 1024 for one in found), default=0)
