"""A private spamd that asks a DNS of ours, with rules that are equivalents of Tamis's."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.real.support import LOOPBACK, PrivateServer, accepts_connections, find_program, free_port

OURS = "EYES_"
"""With this begin the names of rules that are equivalents of ours."""
URI = f"{OURS}URI"
"""With this the names of those that are met when a list has what the message links to."""
DMARC = f"{OURS}DMARC"
"""The one that is met when the author's domain has a policy, and neither SPF nor DKIM speaks for it."""

_SECONDS = 120
# Its plugin for DMARC asks the system's resolver and nobody else; this is what it would say by policy and alignment.
_DMARC = (
    f"askdns {OURS}POLICY _dmarc._AUTHORDOMAIN_ TXT /^v=DMARC1.*\\bp=(?:reject|quarantine)/i",
    f"score {OURS}POLICY 0.001",
    f"meta {DMARC} {OURS}POLICY && !DKIM_VALID_AU && !(SPF_PASS && !HEADER_FROM_DIFFERENT_DOMAINS)",
    f"score {DMARC} 3",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What SpamAssassin says of a message."""

    score: float
    rules: frozenset[str]


class SpamAssassin(PrivateServer):
    """Debian's rules and plugins without Bayes, with network tests, and `rules`: lines of its configuration."""

    def __init__(self, *, dns: str, lists: Sequence[str], rules: Sequence[str]) -> None:
        super().__init__("spamd", "spamd")
        self.port = free_port()
        self._dns = dns
        self._lists = lists
        self._rules = rules

    def prepare(self) -> None:
        """Write its configuration. The top-level domains of examples have to be told, for they are none."""
        site = self._site
        site.mkdir()
        for plugins in Path("/etc/spamassassin").glob("*.pre"):
            shutil.copy(plugins, site)
        lines = [
            *("use_bayes 0", "use_razor2 0", "use_pyzor 0", "use_dcc 0", "dns_available yes"),
            *(f"dns_server {self._dns}", "rbl_timeout 5", "clear_uridnsbl_skip_domain"),
            *(
                "util_rb_tld example test",
                "internal_networks 203.0.113.0/24",
                "trusted_networks 203.0.113.0/24",
            ),
        ]
        for number, zone in enumerate(self._lists):
            name = f"{URI}_{number}"
            lines += [f"urirhsbl {name} {zone}. A", f"body {name} eval:check_uridnsbl('{name}')"]
            lines += [f"tflags {name} net", f"score {name} 3"]
        (site / "local.cf").write_text("\n".join([*lines, *_DMARC, *self._rules]) + "\n")

    @property
    def _site(self) -> Path:
        return self.directory / "site"

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        self._server.start(
            [
                *(find_program("spamd"), "--nouser-config", "--max-children", "1", "--port", str(self.port)),
                *("--listen", f"{LOOPBACK}:{self.port}", "--siteconfigpath", self._site),
                *("--helper-home-dir", self.directory, "--syslog", "stderr"),
            ]
        )
        self._server.await_ready(lambda: accepts_connections(self.port), timeout=90, log=self.log)

    def check(self, raw: bytes) -> Told:
        """Its score of a message, and the names of the rules that are met (SYMBOLS of its protocol)."""
        with socket.create_connection((LOOPBACK, self.port), timeout=_SECONDS) as connection:
            connection.sendall(f"SYMBOLS SPAMC/1.2\r\nContent-length: {len(raw)}\r\n\r\n".encode() + raw)
            connection.shutdown(socket.SHUT_WR)
            with connection.makefile("rb") as answer:
                header, _, names = answer.read().decode("utf-8", "replace").partition("\r\n\r\n")
        found = re.search(r"(?m)^Spam: *\w+ *; *(-?[\d.]+) */", header)
        if found is None:
            raise RuntimeError(f"spamd: {header}")
        return Told(float(found[1]), frozenset(name.strip() for name in names.split(",")))


def pattern_rules(name: str, patterns: Mapping[str, Sequence[str]]) -> list[str]:
    """Rules OURS + `name` + _N for patterns by place: what Tamis calls subject, text, headers, urls, raw."""
    kinds = {"subject": "header {} Subject =~", "text": "body {}", "headers": "header {} ALL =~"}
    kinds |= {"urls": "uri {}", "raw": "rawbody {}"}
    lines: list[str] = []
    for place, several in patterns.items():
        for pattern in several:
            if place in kinds:
                rule = f"{OURS}{name}_{len(lines)}"
                escaped = re.sub(r"(?<!\\)((?:\\\\)*)/", r"\1\\/", pattern).replace("#", r"\#")
                lines += [f"{kinds[place].format(rule)} /{escaped}/i", f"score {rule} 3"]
    return lines
