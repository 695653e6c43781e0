"""A seeded structural fuzzer for ``Mail``: ``python -m tests.message.mail.fuzz --seconds 120 --seed 1``.

It mutates well-formed and hostile messages at the places where mail has a grammar, and reports exceptions,
examinations of more than a second of CPU time, and growth of memory. An offending message is saved;
``--replay FILE`` examines it again.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gc
import random
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

from tamis.message.mail import Mail
from tests.message.mail.hostile_cases import CASES

CPU_SECONDS = 1.0
GROWTH_OCTETS = 256 * 1024 * 1024
SEED_OCTETS = 200_000

PROPERTIES = (
    *(
        "subject",
        "from_addresses",
        "some_authors",
        "message_id",
        "date",
        "parts",
        "containers",
        "attachments",
    ),
    *(
        "images",
        "text",
        "html",
        "urls",
        "scripts",
        "is_empty",
        "is_dsn",
        "readings",
        "visible",
        "hidden",
        "defects",
    ),
)

GOOD = (
    b"From: =?utf-8?q?Andr=C3=A9?= <a@example.com>\r\nTo: Team: b@example.org, \"C, D\" <c@example.net>;\r\n"
    b"Subject: =?utf-8?b?5pel5pys?= =?iso-2022-jp?B?GyRCRnxLXBsoQg==?=\r\nMIME-Version: 1.0\r\n"
    b"Date: Thu, 22 Aug 2002 18:26:25 +0700\r\nMessage-ID: <1@example.com>\r\n"
    b"Content-Type: multipart/mixed; boundary=\"outer\"\r\n\r\npreamble\r\n--outer\r\n"
    b"Content-Type: multipart/alternative; boundary=outer1\r\n\r\n--outer1\r\n"
    b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"caf=E9 http://www.example.com/a=3Fb www.example.org example.net/x\r\n--outer1\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body style='x'><a href=\"http://e.example.com/\">go</a>"
    b"<table><tr><td><font color=red><img src=//i.example.com/></font><div style=\"display:none\">h</div>\r\n"
    b"--outer1--\r\n--outer\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9.gif\r\n\r\nR0lGODlhAQABAAAA\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--outer--\r\nepilogue"
)  # fmt: skip

TOKENS = (
    *(
        b"<style>.a{display:none}",
        b"@media screen{",
        b"}</style>",
        b" class=a",
        b" style='font:0/0 a;",
        b"color:#fff",
    ),
    *(
        b"\\6e ",
        b"/*",
        b"*/",
        b"text-indent:-9999px",
        b"opacity:0",
        b"begin 644 a.exe\n",
        b"#86)C\n",
        b"\nend\n",
    ),
    *(
        b"=ybegin line=1 name=a\n",
        b"\xe2\x80\x8b",
        b"\xe2\x80\xae",
        b"\xcc\x81",
        b"\xd0\xb0",
        b"\xff\xfe",
        b"utf-7",
        b"delsp=yes",
    ),
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b"\r\n ",
        b"\r\n\r\n",
        b":",
        b";",
        b",",
        b"<",
        b">",
        b"(",
        b")",
    ),
    *(b'"', b"\\", b"=", b"=?", b"?=", b"=?utf-8?b?", b"=?utf-7?q?+ADw-?=", b"--", b"--outer", b"--outer--"),
    *(
        b"\r\n--outer1\r\n",
        b"\r\n--outer--\r\n",
        b"&",
        b"&#",
        b"&#x0;",
        b"<!--",
        b"-->",
        b"<script>",
        b"<b x>",
    ),
    *(
        b"<table><td>",
        b"<a href=http://",
        b"http://",
        b"://",
        b"www.",
        b".com",
        b"@",
        b"xn--",
        b"[",
        b"]",
        b"%00",
    ),
    *(
        b"<template>",
        b"<svg><style>",
        b"<select><option>",
        b"style=display:none",
        b"\xff",
        b"\xc3",
        b"\xe2\x80\x8b",
    ),
    *(b"\x1b$B", b"\xef\xbb\xbf", b"\xd8\x00", b"*0*=", b"*9999999=", b"charset=", b"boundary=", b"\xc4\xb0"),
)
ADDRESSES = (
    *(b"a", b"b@o.example", b"a@g.example", b"@", b"<", b">", b"(", b")", b'"', b",", b";", b":", b" ", b"."),
    *(
        b"\\",
        b"\r\n ",
        b"<a@g.example>",
        b"(c)",
        b'"q"',
        b"\0",
        b"\r",
        b"%",
        b"!",
        b"[",
        b"]",
        b"'",
        b"mailto:",
    ),
    *(b"xn--", b"xn--strae-oqa", b"=?utf-8?q?a=40g=2Eexample?=", b"=?utf-8?b?PGFAZy5leGFtcGxlPg==?="),
    *(b"\xef\xbc\xa0", b"\xe2\x80\x8d", b"\xc2\xad", b"\xe2\x80\xae", b"\xc3\x9f", b"\xe3\x80\x82"),
    *(b"\xd7\x90", b"\xcc\x81", b"\xff", b"\xe2\x80\xa8"),
)
"""What address fields are made of."""
VALUES = (
    *(b"Content-Type: multipart/mixed; boundary=outer", b"Content-Type: message/rfc822", b"Content-Type: text/html"),
    *(b"Content-Type: multipart/digest; boundary=outer1", b"Content-Type: /", b"Content-Type: text/plain; charset=hex"),
    *(b"Content-Type: text/html; charset=utf-16", b"Content-Type: text/plain; charset=iso-2022-kr"),
    *(b"Content-Transfer-Encoding: base64", b"Content-Transfer-Encoding: quoted-printable", b"Date: 1"),
    *(b"From: <<>>,((", b"Content-Disposition: attachment; filename=\"x", b"Date: 0 Jan 0000 00:00:00 +9999"),
    *(b"Content-Type: multipart/report; report-type=delivery-status; boundary=outer", b"Subject: =?a?q?"),
)  # fmt: skip
CHARSETS = (
    b"utf-8",
    b"utf-16",
    b"utf-32",
    b"gb18030",
    b"hz",
    b"iso-2022-jp",
    b"iso-2022-kr",
    b"big5",
    b"euc-jp",
    b"hex",
)
_LINE = re.compile(rb"[^\n]*\n?")
_CHARSET = re.compile(rb"charset=\"?[\w-]+")

Mutation = Callable[[random.Random, bytes], bytes]


def _cut(rng: random.Random, raw: bytes) -> tuple[int, int]:
    start = rng.randrange(len(raw) + 1)
    return start, min(len(raw), start + int(rng.expovariate(1 / 40)))


def delete(rng: random.Random, raw: bytes) -> bytes:
    start, end = _cut(rng, raw)
    return raw[:start] + raw[end:]


def insert_token(rng: random.Random, raw: bytes) -> bytes:
    at = rng.randrange(len(raw) + 1)
    times = rng.choice((1, 1, 1, 2, 50, 3000))
    return raw[:at] + rng.choice(TOKENS) * times + raw[at:]


def repeat(rng: random.Random, raw: bytes) -> bytes:
    start, end = _cut(rng, raw)
    return raw[:end] + raw[start:end] * rng.choice((1, 2, 10, 500)) + raw[end:]


def flip(rng: random.Random, raw: bytes) -> bytes:
    octets = bytearray(raw)
    for _ in range(rng.randrange(1, 12)):
        if octets:
            octets[rng.randrange(len(octets))] = rng.randrange(256)
    return bytes(octets)


def line_ends(rng: random.Random, raw: bytes) -> bytes:
    return rng.choice(
        (
            raw.replace(b"\r\n", b"\n"),
            raw.replace(b"\n", b"\r\n"),
            raw.replace(b"\r\n", b"\r"),
            raw.replace(b"\n", b""),
        )
    )


def shuffle_lines(rng: random.Random, raw: bytes) -> bytes:
    lines = _LINE.findall(raw)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def insert_field(rng: random.Random, raw: bytes) -> bytes:
    lines = _LINE.findall(raw)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(VALUES) + b"\r\n")
    return b"".join(lines)


def readdress(rng: random.Random, raw: bytes) -> bytes:
    """An address field of such pieces before everything else."""
    pieces = [rng.choice(ADDRESSES) * rng.choice((1, 1, 1, 1, 2, 300)) for _ in range(rng.randrange(1, 25))]
    name = rng.choice((b"From", b"From", b"Sender", b"Reply-To", b"To"))
    return name + b": " + b"".join(pieces) + b"\r\n" + raw


def nest(rng: random.Random, raw: bytes) -> bytes:
    boundary = rng.choice((b"outer", b"o", b"outer11", b"-", b"a b"))
    head = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\n--' + boundary + b"\r\n"
    return head + raw + rng.choice((b"", b"\r\n--" + boundary + b"--\r\n"))


def enclose(rng: random.Random, raw: bytes) -> bytes:
    if rng.random() < 0.5:
        return b"Content-Type: message/rfc822\r\n\r\n" + raw
    return b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(
        raw
    )


def encode_body(rng: random.Random, raw: bytes) -> bytes:
    head, empty, rest = raw.partition(b"\r\n\r\n")
    if rng.random() < 0.5:
        return head + b"\r\nContent-Transfer-Encoding: base64" + empty + base64.encodebytes(rest)
    return head + b"\r\nContent-Transfer-Encoding: quoted-printable" + empty + binascii.b2a_qp(rest)


def recharset(rng: random.Random, raw: bytes) -> bytes:
    return _CHARSET.sub(lambda _: b"charset=" + rng.choice(CHARSETS), raw)


def splice(rng: random.Random, raw: bytes) -> bytes:
    other = rng.choice(seeds())
    return raw[: rng.randrange(len(raw) + 1)] + other[rng.randrange(len(other) + 1) :]


MUTATIONS: tuple[Mutation, ...] = (
    *(delete, insert_token, insert_token, insert_token, repeat, flip, line_ends, shuffle_lines, insert_field),
    *(readdress, readdress, nest, enclose, encode_body, recharset, splice),
)

_seeds: list[bytes] = []


def seeds() -> list[bytes]:
    """The messages that are mutated: one with everything in it, and the smaller hostile ones."""
    if not _seeds:
        _seeds.extend([GOOD] * 20)
        _seeds.extend(raw for each in CASES if len(raw := each.build()) <= SEED_OCTETS)
    return _seeds


def mutant(rng: random.Random) -> bytes:
    """A message some mutations away from a seed."""
    raw = rng.choice(seeds())
    for _ in range(rng.randrange(1, 9)):
        raw = rng.choice(MUTATIONS)(rng, raw)
    return raw[: 4 * SEED_OCTETS]


def examine(raw: bytes, names: Iterable[str] = PROPERTIES) -> Mail:
    """Derive everything there is of a message."""
    mail = Mail(raw)
    for name in names:
        getattr(mail, name)
    for part in mail.parts:
        _ = part.payload, part.text, part.filename, part.disposition, part.charset, part.head
    for html in mail.html:
        _ = html.tags
    for url in mail.urls:
        _ = url.unicode_host
    return mail


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _timed(raw: bytes) -> tuple[Mail, float]:
    """The message examined, and the seconds of CPU time that it took."""
    start = time.process_time()
    return examine(raw), time.process_time() - start


def trial(raw: bytes) -> str | None:
    """What is wrong with the examination of ``raw``; ``None`` when nothing is."""
    before = _memory()
    try:
        mail, spent = _timed(raw)
        if (
            spent > CPU_SECONDS
        ):  # a full look for cycles among all that a long run has made takes as much by itself
            gc.collect()
            mail, spent = _timed(raw)
    except Exception:  # noqa: BLE001 - that none is raised is what is tested
        return traceback.format_exc()
    if spent > CPU_SECONDS:
        return f"{spent:.2f} s of CPU time"
    grown = _memory() - before
    if grown > GROWTH_OCTETS:
        return f"{grown} octets more of memory"
    for defect in mail.defects:
        if not (defect.detail + defect.where).isprintable():
            return f"{defect!r} is not printable"
    return None


def run(seconds: float, seed: int, save: Path, limit: int | None = None) -> int:
    """Examine mutants until the time is up; returns the number of offenders, which are saved."""
    rng = random.Random(seed)
    end = time.monotonic() + seconds
    offenders = number = 0
    slowest = 0.0
    while time.monotonic() < end and (limit is None or number < limit):
        raw = mutant(rng)
        number += 1
        start = time.process_time()
        fault = trial(raw)
        slowest = max(slowest, time.process_time() - start)
        if fault:
            offenders += 1
            save.mkdir(parents=True, exist_ok=True)
            file = save / f"seed-{seed}-{number}.eml"
            file.write_bytes(raw)
            sys.stdout.write(f"{file}: {fault}\n")
        if number % 1000 == 0:
            gc.collect()
    sys.stdout.write(
        f"{number} messages, {offenders} offenders, slowest {slowest:.3f} s, {_memory() // 1_048_576} MiB at most\n"
    )
    return offenders


def main() -> int:
    """The command line; the exit status is 1 when anything is found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--save", type=Path, default=Path("fuzz-offenders"))
    parser.add_argument("--replay", type=Path)
    arguments = parser.parse_args()
    if arguments.replay:
        fault = trial(arguments.replay.read_bytes())
        sys.stdout.write(f"{fault or 'nothing is wrong'}\n")
        return 1 if fault else 0
    return 1 if run(arguments.seconds, arguments.seed, arguments.save) else 0


if __name__ == "__main__":
    sys.exit(main())
