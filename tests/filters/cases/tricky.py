"""The messages that no editor writes as they are: `python -m tests.filters.cases.tricky` writes them anew."""

from __future__ import annotations

from pathlib import Path

from tests.filters.cases.attached import ATTACHED
from tests.filters.cases.signed import SIGNED

HEADER = (
    b"From: Stranger <stranger@example.net>\r\nTo: marie@example.com\r\nSubject: Hello\r\n"
    b"Date: Sun, 1 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@example.net>\r\n"
)

MESSAGES: dict[str, bytes] = {
    "45-malformed-nul": HEADER + b"\r\nA NUL\0 in the text.\r\n",
    "46-malformed-raw-8bit": HEADER.replace(b"Hello", "Été".encode("latin-1")) + b"\r\nGood day.\r\n",
    "47-malformed-bare-cr": HEADER + b"\r\nA line\rand another.\r\n",
    "48-malformed-everything": (
        b"From: a@example.net\r\nFrom: b@example.net\r\nSubject: =?utf-8?b?/w==?=\r\nSubject: again\r\n"
        b"Date: Sun, 31 Feb 2026 25:00:00 +0000\r\nContent-Type: multipart/mixed\r\n\r\nNUL\0\rand CR\r\n"
    ),
    "29-empty-invisible": (
        HEADER.replace(b"Subject: Hello\r\n", b"Subject: \r\n")
        + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
        + "\u200b \u00a0\ufeff\r\n\t\r\n".encode()
    ),
    **ATTACHED,
    **SIGNED,
}

if __name__ == "__main__":
    for name, octets in MESSAGES.items():
        (Path(__file__).parent / name / "message.eml").write_bytes(octets)
