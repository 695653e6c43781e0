"""Unwanted mail that is made up: what everybody gets, as programs that send it form it.

The sources of spam that a fit can have hold few messages of most kinds, and so rules against those would earn nothing,
however sure they are. Each kind (benchmarks/unwanted) is written in many wordings by many programs. It proves nothing
of how much real spam is caught. What a rule may be worth is still bounded by real legitimate mail. Half of the kinds
are for a fit, the others are never shown to it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import quopri
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.header import Header
from pathlib import Path
from typing import Any

from benchmarks.honest_mail import ADDRESS, Dice, World

_TEXTS = Path(__file__).parent / "unwanted"
_CHOICE = re.compile(r"<([^<>@]*\|[^<>@]*)>")
_WORDS = (
    *("garden", "river", "which", "under", "paper", "morning", "never", "stone", "walked", "about", "green"),
    *("letter", "window", "seven", "quiet", "between", "harbour", "against", "winter", "bread", "follow"),
)
_NAMES = ("Alina Petrova", "John Miller", "Support", "Dr. Okafor", "Kevin", "Info", "Mary Jones", "Admin", "")
_DAY = "Mon, 2 Mar 2026 {hour}:{minute}:{second} {zone}"
_FREE = 0.4
_PAGES = (
    "<html><body>{}</body></html>",
    "<HTML><BODY bgcolor=#ffffff><FONT face=Arial size=2>{}</FONT></BODY></HTML>",
    "{}",
    '<div dir="ltr">{}</div>',
    "<html><head><meta http-equiv=Content-Type content='text/html'></head><body><center>{}</center></body></html>",
)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is written: alternatives of subjects, and lines with alternatives within."""

    name: str
    subject: tuple[str, ...]
    lines: tuple[str, ...]
    shape: str = ""
    attached: str = ""
    charset: str = ""
    brand: bool = False

    @property
    def held_out(self) -> bool:
        """Whether no fit may see it."""
        return hashlib.sha256(f"unwanted {self.name}".encode()).digest()[0] % 2 == 1


@dataclass(frozen=True, slots=True)
class Sender:
    """What writes it: the forms of its header and body."""

    name: str
    received: tuple[str, ...]
    boundary: str
    message_id: str = ""
    extra: tuple[str, ...] = ()
    encoding: str = "7bit"
    charset: str = "utf-8"
    free: bool = False


def kinds() -> list[Kind]:
    """All kinds."""
    return [Kind(**_tuples(one)) for one in _read("kinds")["kind"]]


def senders() -> list[Sender]:
    """All programs."""
    return [Sender(**_tuples(one)) for one in _read("senders")["sender"]]


def _read(name: str) -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((_TEXTS / f"{name}.toml").read_text(encoding="utf-8"))


def _tuples(one: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in one.items()}


def unwanted_mail(world: World, *, held_out: bool, each: int = 4) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each message: every kind of a half by every program, `each` times."""
    for kind in kinds():
        for sender in senders():
            if kind.held_out is held_out:
                for turn in range(each):
                    dice = Dice(f"{kind.name} {sender.name} {turn}")
                    name = f"{kind.name}-{sender.name.replace(' ', '-')}-{turn}"
                    yield name, _Letter(kind, sender, dice, world).octets()


class _Letter:
    """One message at work."""

    def __init__(self, kind: Kind, sender: Sender, dice: Dice, world: World) -> None:
        self._kind, self._sender, self._dice = kind, sender, dice
        self._values = _values(dice, world)
        self._brand = dice.choice(world.brands) if kind.brand else ""
        free = sender.free or dice.random() < _FREE / 4
        self._host = (
            dice.choice(world.free_mail) if free else f"{dice.filled('{letters:9}').lower()}.example.net"
        )

    def filled(self, text: str) -> str:
        """A text with one of each alternatives, and values for names."""
        while found := _CHOICE.search(text):
            text = text[: found.start()] + self._dice.choice(found[1].split("|")) + text[found.end() :]
        for name, value in self._values.items():
            text = text.replace(f"{{{name}}}", value)
        return self._dice.filled(text)

    def octets(self) -> bytes:
        """The whole message."""
        dice, sender = self._dice, self._sender
        display = self._brand or dice.choice(_NAMES)
        address = f"{dice.filled('{letters:7}').lower()}@{self._host}"
        subject = self.filled(dice.choice(self._kind.subject))
        if self._brand and dice.random() < _FREE:
            subject = f"{self._brand}: {subject}"
        fields = [
            f"Received: {self.filled(dice.choice(sender.received))}",
            self.filled(
                "\tby mx.example.com with <ESMTP|SMTP> id {letters:12}; Mon, 2 Mar 2026 10:30:00 +0000"
            ),
            f"From: {_encoded(display)} <{address}>" if display else f"From: {address}",
            f"To: {dice.choice((ADDRESS, f'<{ADDRESS}>', 'undisclosed-recipients:;'))}",
            f"Subject: {_encoded(subject)}",
            f"Date: {self.filled(_DAY)}",
        ]
        if sender.message_id:
            fields.append(f"Message-ID: <{self.filled(sender.message_id)}>")
        fields += [*map(self.filled, sender.extra), "MIME-Version: 1.0"]
        return "\n".join(fields).encode() + b"\n" + self._body()

    def _body(self) -> bytes:
        lines = [self.filled(line) for line in self._kind.lines]
        shape = self._kind.shape or self._dice.choice(("plain", "html", "alternative"))
        if shape == "picture":
            body = self._part("text/html", self._picture(lines))
        else:
            plain, page = (
                self._part("text/plain", "\n\n".join(lines) + "\n"),
                self._part("text/html", self._page(lines)),
            )
            body = {"plain": plain, "html": page}.get(shape) or self._multipart("alternative", [plain, page])
        if self._kind.attached:
            name = self.filled(self._kind.attached)
            head = (
                f'Content-Type: application/octet-stream; name="{name}"\nContent-Transfer-Encoding: base64\n'
                f'Content-Disposition: attachment; filename="{name}"\n\n'
            )
            file = head.encode() + base64.encodebytes(self._dice.randbytes(600))
            body = self._multipart("mixed", [body, file])
        return body

    def _page(self, lines: Sequence[str]) -> str:
        shown = "<br>\n".join(
            f'<a href="{line}">{self.filled("<Click here|Verify now|Open|More>")}</a>'
            if line.startswith("http")
            else html.escape(line)
            for line in lines
        )
        return self._dice.choice(_PAGES).format(shown) + "\n"

    def _picture(self, lines: Sequence[str]) -> str:
        """A linked image, and little else."""
        link = self._values["link"]
        text = " ".join(html.escape(line) for line in lines if not line.startswith("http"))
        image = self._dice.choice((f"{link}/{self.filled('{letters:6}')}.jpg", "cid:1"))
        return self._dice.choice(_PAGES).format(
            f'<a href="{link}"><img src="{image}" border=0></a><p>{text}</p>'
        )

    def _multipart(self, kind: str, parts: Sequence[bytes]) -> bytes:
        boundary = self.filled(self._sender.boundary)
        inner = b"".join(b"--" + boundary.encode() + b"\n" + part + b"\n" for part in parts)
        head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'
        return head.encode() + inner + f"--{boundary}--\n".encode()

    def _part(self, content_type: str, text: str) -> bytes:
        charset, encoding = self._kind.charset or self._sender.charset, self._sender.encoding
        try:
            octets = text.encode(charset)
        except UnicodeEncodeError:
            charset, octets = "utf-8", text.encode()
        if encoding == "7bit" and not octets.isascii():
            encoding = "quoted-printable"
        written = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)
        head = f"Content-Type: {content_type}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n\n"
        return head.encode() + written(octets)


def _encoded(text: str) -> str:
    return text if text.isascii() else Header(text, "utf-8").encode(maxlinelen=200)


def _values(dice: Dice, world: World) -> dict[str, str]:
    local, _, domain = ADDRESS.partition("@")
    strange = f"{dice.filled('{letters:8}').lower()}@{dice.choice(world.free_mail)}"
    site = dice.filled("{letters:9}").lower() + dice.choice((".example", ".test", ".example.net"))
    hosted = f"https://{dice.choice((f'{site}', *dice.sample(list(world.hosts), 3)))}/{dice.filled('{letters:10}')}"
    return {
        "local": local,
        "domain": domain,
        "address": ADDRESS,
        "strange": strange,
        "link": f"http://{dice.choice(('', 'www.'))}{site}"
        + dice.choice(("", "/", "/?{letters:6}", "/{letters:8}/")),
        "hosted": hosted,
        "ip": f"203.0.113.{dice.randint(1, 250)}",
        "number": dice.filled("{digits:7}"),
        "code4": dice.filled("{LETTERS:4}"),
        "letters4": dice.choice(_WORDS),
        "small": f"{dice.randint(10, 99)}",
        "hour": f"{dice.randint(4, 16):02}",
        "minute": f"{dice.randint(10, 59)}",
        "second": f"{dice.randint(10, 59)}",
        "zone": dice.choice(("+0000", "-0500", "+0800", "+0300", "-1600", "+0530")),
        "salad2": " ".join(dice.choices(_WORDS, k=3)),
        "salad": " ".join(dice.choices(_WORDS, k=40)).capitalize() + ".",
    }
