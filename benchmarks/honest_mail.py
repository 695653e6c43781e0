"""Legitimate mail that is made up: newsletters, receipts, notices and first letters, as many mail programs form them.

Real bulk mail is private, and what a filter loses of it is what people forgive least. Each family of texts
(benchmarks/honest) is written in the header and body forms of programs of its kind: their Message-ID, boundary,
encoding and Date, links to other hosts than the sender's, images with hardly a word. The families of some kinds are for
a fit, those of the others are never shown to it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import quopri
import random
import re
import string
import tomllib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.header import Header
from pathlib import Path
from typing import Any

ADDRESS = "marie@example.com"

_TEXTS = Path(__file__).parent / "honest"
_NAMES = ("Anna", "Paul", "Louise", "Karim", "Jean-Marc", "Emma", "Lars", "Giulia")
_SURNAMES = ("Martin", "Smith", "Petit", "Weber", "Rossi", "Okafor", "Larsen")
_DATE = "Mon, 2 Mar 2026 10:{minute}:{second} +0100"
_CHANCE = re.compile(r"\{(hex|HEX|letters|LETTERS|digits):(\d+)\}|\{(guid|GUID)\}")
_QUOTES = 0.5
"""The share of programs that quote names that need no quotes."""
_HOSTED = 0.1
"""The share of messages that lead to somebody's form or file."""
_FREE = {"bulk": 0.05, "machine": 0.05, "person": 0.5}
"""The shares of messages whose sender has an address at a free mail provider."""
_AT_HOME = {"bulk": 0.0, "machine": 0.03, "person": 0.02}
"""The shares of messages whose sender runs a server on a line of their own."""
_SUBMITTED = (
    "Received: from [192.168.1.{digits:2}] (lfbn-1-{digits:2}.dsl.provider.example [198.51.100.7])\n"
    "\tby smtp.provider.example (Postfix) with ESMTPSA id {letters:12}; Mon, 2 Mar 2026 10:59:58 +0100",
    "Received: from laptop (unknown [198.51.100.{digits:2}]) by smtp.provider.example with ESMTPA; "
    "Mon, 2 Mar 2026 10:59:58 +0100",
    "Received: by mail.provider.example with HTTP; Mon, 2 Mar 2026 10:59:58 +0100",
)
"""How the mail of people reached their provider."""
_TRACKERS = ("esp.example", "clicks.example", "mail-links.example")
_ODD_TRACKERS = (
    "mlsndtrk.example",
    "news-mail-links.example",
    "e24m7x.example",
    "customer-letters-delivery-network.example",
)
"""Services whose names look as if made by chance."""
_ODD = {"tracker": 0.05, "numbered": 0.04, "pictured": 0.04, "subject": 0.12, "copy": 0.06}
"""The shares of bulk mail with such a service, with a number in the sender's domain, with a pictogram in the sender's
name or in the subject; the share of pages that have their text a second time, hidden, for small screens."""
_PICTOGRAMS = ("\N{WRAPPED PRESENT}", "\N{FIRE}", "\N{SPARKLES}", "\N{PARTY POPPER}", "\N{WHITE MEDIUM STAR}")
_OLD = 0.3
"""The share of pages that are written as twenty years ago."""
_FRAGMENTS = 0.04
"""The share of pages that programs of a few lines write, scripts and forms: paragraphs without a head, and a link."""
_STYLE = "body{margin:0;padding:0} td{font-family:Arial;font-size:14px;color:#333333}"
_BEGINNINGS = (
    '<!DOCTYPE html><html><head><meta charset="utf-8"><title>{title}</title>'
    '<style type="text/css">{style}</style></head><body>',
    '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" '
    '"http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd"><html xmlns="http://www.w3.org/1999/xhtml" '
    'xmlns:v="urn:schemas-microsoft-com:vml"><head><title>{title}</title></head><body bgcolor="#ffffff">',
    '<html><head><meta name="viewport" content="width=device-width"><style>{style}</style></head><body>',
    "<HTML><HEAD><TITLE>{title}</TITLE></HEAD><BODY BGCOLOR=#FFFFFF>",
    "<html><body>",
)
_MIDDLES = ("<center>{}</center>", "{}", '<div style="mso-hide:all">{}</div>')


@dataclass(frozen=True, slots=True)
class Family:
    """Texts of one kind, from one sender, in one language."""

    kind: str
    sender: str
    subjects: tuple[str, ...]
    lines: tuple[str, ...]
    of: tuple[str, ...]
    """Which mailers write it."""
    button: str = ""
    attached: str = ""

    @property
    def held_out(self) -> bool:
        """Whether no fit may see it. All families of a kind go together."""
        return hashlib.sha256(self.kind.encode()).digest()[0] % 2 == 1


@dataclass(frozen=True, slots=True)
class Mailer:
    """How one kind of program writes a message; `of`: for whom, "bulk", "machine" or "person"."""

    name: str
    of: str
    message_id: str
    boundary: str
    extra: tuple[str, ...] = ()
    encoding: str = "quoted-printable"
    charset: str = "utf-8"
    date: str = _DATE
    shapes: tuple[str, ...] = ("alternative", "html")
    links: str = "sender"
    """Where links lead: to the "sender", to a host of the "service", or to "both"."""
    local: str = ""
    """The sender's local part where the program writes a new one for each message."""
    named: str = "name"
    """What stands before the sender's address: the "name", the "address" with it, or "nothing"."""
    editor: str = ""
    """The program that its HTML names as its generator."""
    inline: bool = False
    """Whether images are parts of the message."""
    bare: bool = False
    """Whether its HTML is lines without a head, as people's mail programs write them."""
    label: str = ""
    """The character set that it names, where it is not the one that it writes."""


class Dice(random.Random):
    """Chance that is the same each time."""

    def filled(self, text: str) -> str:
        """A text with "{hex:8}" and the like replaced."""
        return _CHANCE.sub(self._one, text)

    def _one(self, found: re.Match[str]) -> str:
        kind, length, guid = found.groups()
        if guid:
            made = str(uuid.UUID(int=self.getrandbits(128)))
            return made.upper() if guid.isupper() else made
        signs = {"hex": string.hexdigits[:16], "digits": string.digits}.get(
            kind.lower(), string.ascii_letters + string.digits
        )
        made = "".join(self.choices(signs, k=int(length)))
        return made.upper() if kind.isupper() else made


def families() -> list[Family]:
    """All texts."""
    return [
        _family(one)
        for name in ("letters", "notices", "trades")
        for one in tomllib.loads((_TEXTS / f"{name}.toml").read_text(encoding="utf-8"))["family"]
    ]


def _family(one: Mapping[str, Any]) -> Family:
    return Family(
        one["kind"],
        one["from"],
        tuple(one["subject"]),
        tuple(one["lines"]),
        tuple(one["of"]),
        one.get("button", ""),
        one.get("attached", ""),
    )


def mailers() -> list[Mailer]:
    """All programs."""
    read = tomllib.loads((_TEXTS / "mailers.toml").read_text(encoding="utf-8"))["mailer"]
    return [_mailer(one) for one in read]


def _mailer(one: dict[str, Any]) -> Mailer:
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in one.items()}
    return Mailer(**values)


@dataclass(frozen=True, slots=True)
class World:
    """What legitimate mail has to do with: names of brands, as of ways to pay, hosts where anybody can leave forms,
    files and pages, and domains where anybody can have an address."""

    brands: Sequence[str]
    hosts: Sequence[str]
    free_mail: Sequence[str]


def honest_mail(world: World, *, held_out: bool, each: int = 2) -> Iterator[tuple[str, bytes]]:
    """Name and octets of each message: every family of a half by every mailer of its kind, `each` times."""
    programs = mailers()
    for number, family in enumerate(families()):
        for mailer in programs:
            if family.held_out is held_out and not {mailer.of, mailer.name}.isdisjoint(family.of):
                for turn in range(each):
                    dice = Dice(f"{family.kind} {number} {mailer.name} {turn}")
                    name = f"{family.kind}-{number}-{mailer.name.replace(' ', '-')}-{turn}"
                    yield name, _message(family, mailer, dice, world)


def _message(family: Family, mailer: Mailer, dice: Dice, world: World) -> bytes:
    values = _values(dice) | {"free": dice.choice(world.free_mail)}

    def filled(text: str) -> str:
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return dice.filled(text)

    name, _, address = filled(family.sender).rpartition(" <")
    address = address.rstrip(">").lower()
    local, _, host = address.rpartition("@")
    if dice.random() < _FREE[mailer.of]:
        host = dice.choice(world.free_mail)
    elif mailer.of == "bulk" and dice.random() < _ODD["numbered"]:
        host = dice.filled(f"{dice.choice(('mail', 'news', 'e'))}{{digits:2}}.{host}")
    address = values["sender"] = f"{filled(mailer.local) or local}@{host}"
    lines = [filled(line) for line in family.lines]
    subject = filled(dice.choice(family.subjects))
    if mailer.of == "bulk":
        name, subject = _pictured(name, "pictured", dice), _pictured(subject, "subject", dice)
        lines.append("Pay with {}, follow us on {} and {}.".format(*dice.sample(world.brands, 3)))
    links = _links(mailer, host, dice)
    if dice.random() < _HOSTED:
        links[0] = dice.filled(f"https://{dice.choice(world.hosts)}/{{letters:16}}")
        lines.append(links[0])
    server = f"{mailer.name.split()[0]}.{host}"
    if dice.random() < _AT_HOME[mailer.of]:
        server = dice.filled("host-192-0-2-{digits:2}.dsl.provider.example")
    fields = [
        f"Received: from {server} ({server} [192.0.2.{values['small']}])",
        filled("\tby mx.example.com (Postfix) with ESMTPS id {letters:14}"),
        f"\tfor <{ADDRESS}>; Mon, 2 Mar 2026 10:59:59 +0100",
        *([dice.filled(dice.choice(_SUBMITTED))] if mailer.of == "person" else []),
        f"From: {_sender(mailer, name, address, dice)}",
        f"To: {dice.choice((ADDRESS, f'Marie Martin <{ADDRESS}>', f'<{ADDRESS}>'))}",
        f"Subject: {_encoded(subject, mailer.charset)}",
        f"Date: {filled(mailer.date)}",
        f"Message-ID: <{filled(mailer.message_id).replace('sender.example', host)}>",
        *map(filled, mailer.extra),
    ]
    if not any(field.startswith("Mime-Version") for field in fields):
        fields.append("MIME-Version: 1.0")
    body = _body(family, mailer, lines, links, dice)
    return "\n".join(fields).encode("utf-8") + b"\n" + body


def _pictured(text: str, where: str, dice: Dice) -> str:
    return f"{dice.choice(_PICTOGRAMS)} {text}" if dice.random() < _ODD[where] else text


def _sender(mailer: Mailer, name: str, address: str, dice: Dice) -> str:
    if mailer.named == "nothing":
        return address
    shown = (
        f"{name} {address}"
        if mailer.named == "address"
        else dice.choice((name, name, name.split(maxsplit=1)[0]))
    )
    return f"{_encoded(shown, mailer.charset, dice)} <{address}>"


def _values(dice: Dice) -> dict[str, str]:
    amount = f"{dice.randint(5, 900)}.{dice.randint(10, 99)}"
    return {
        "name": dice.choice(_NAMES),
        "surname": dice.choice(_SURNAMES),
        "number": dice.filled("{digits:9}"),
        "code": dice.filled("{LETTERS:6}"),
        "small": f"{dice.randint(10, 99)}",
        "money": f"${amount}",
        "money_large": f"{dice.randint(90, 600)} 000",
        "euros": f"{amount} €".replace(".", ","),
        "minute": f"{dice.randint(10, 59)}",
        "second": f"{dice.randint(10, 59)}",
        "address": ADDRESS,
    }


def _links(mailer: Mailer, host: str, dice: Dice) -> list[str]:
    """Where the text leads, where its images do, and where one unsubscribes."""
    trackers = _ODD_TRACKERS if dice.random() < _ODD["tracker"] else _TRACKERS
    service = f"https://click.{{hex:4}}.{dice.choice(trackers)}/ls/click?upn={{letters:60}}"
    path = dice.choice(("account", "orders", "login", "news"))
    address = ADDRESS.replace("@", "%40")
    own = [
        f"https://www.{host}/{path}?id={{hex:12}}",
        f"http://{host}/",
        f"https://www.{host}/unsubscribe?e={address}&t={{hex:16}}",
    ]
    found = {"service": [service] * 3, "sender": own, "both": [service, *own[1:]]}[mailer.links]
    return [dice.filled(link) for link in found]


def _encoded(text: str, charset: str, quoting: Dice | None = None) -> str:
    if text.isascii():
        return f'"{text}"' if quoting and quoting.random() < _QUOTES else text
    try:
        return Header(text, charset).encode(maxlinelen=200)
    except UnicodeEncodeError:
        return Header(text, "utf-8").encode(maxlinelen=200)


def _body(family: Family, mailer: Mailer, lines: Sequence[str], links: Sequence[str], dice: Dice) -> bytes:
    shape = dice.choice(mailer.shapes)
    pressed = [f"{family.button}: {links[0]}"] if family.button else []
    plain = "\n\n".join([*lines[:-1], *pressed, lines[-1]]) + "\n"
    page = (
        _bare_page(lines, pressed, dice)
        if mailer.bare
        else _page(family, lines, links, dice, picture=shape == "picture")
    )
    parts = [_part("text/plain", plain, mailer)] if shape in ("plain", "alternative") else []
    parts += [_html_part(page, mailer, dice)] if shape != "plain" else []
    body = parts[0] if len(parts) == 1 else _multipart("alternative", parts, mailer, dice)
    if family.attached and shape != "picture":
        head = (
            f'Content-Type: application/octet-stream; name="{family.attached}"\nContent-Transfer-Encoding: base64\n'
            f'Content-Disposition: attachment; filename="{family.attached}"\n\n'
        )
        file = head.encode() + base64.encodebytes(dice.randbytes(600))
        body = _multipart("mixed", [body, file], mailer, dice)
    return body


def _html_part(page: str, mailer: Mailer, dice: Dice) -> bytes:
    if mailer.editor:
        page = re.sub("(?i)<head>", f'<head><meta content="{mailer.editor}" name=GENERATOR>', page, count=1)
    if not mailer.inline:
        return _part("text/html", page, mailer)
    number = dice.filled("part{digits:1}.{hex:8}.{hex:8}@{letters:8}")
    page = re.sub(r'(<img src=")https://img\.[^"]*', rf"\1cid:{number}", page)
    head = f"Content-Type: image/gif; name=logo.gif\nContent-Transfer-Encoding: base64\nContent-ID: <{number}>\n\n"
    image = head.encode() + base64.encodebytes(b"GIF89a" + dice.randbytes(500))
    return _multipart("related", [_part("text/html", page, mailer), image], mailer, dice)


def _multipart(kind: str, parts: Sequence[bytes], mailer: Mailer, dice: Dice) -> bytes:
    boundary = dice.filled(mailer.boundary)
    inner = b"".join(b"--" + boundary.encode() + b"\n" + part + b"\n" for part in parts)
    head = f'Content-Type: multipart/{kind}; boundary="{boundary}"\n\n'
    return head.encode() + inner + f"--{boundary}--\n".encode()


def _part(content_type: str, text: str, mailer: Mailer) -> bytes:
    charset, encoding = mailer.charset, mailer.encoding
    try:
        octets = text.encode(charset)
    except UnicodeEncodeError:
        charset, octets = "utf-8", text.encode("utf-8")
    if encoding == "7bit" and not text.isascii():
        encoding = "quoted-printable"
    if encoding == "base64":
        octets = base64.encodebytes(octets)
    elif encoding == "quoted-printable":
        octets = quopri.encodestring(octets)
    head = f"Content-Type: {content_type}; charset={mailer.label or charset}\nContent-Transfer-Encoding: {encoding}\n\n"
    return head.encode() + octets


def _bare_page(lines: Sequence[str], pressed: Sequence[str], dice: Dice) -> str:
    """What people's mail programs write: their lines, and a link only where they put one."""
    shown = [html.escape(line) for line in [*lines, *pressed]]
    if dice.random() < _OLD:
        return (
            f"<HTML><BODY><DIV><FONT face=Arial size=2>{'<BR><BR>'.join(shown)}</FONT></DIV></BODY></HTML>\n"
        )
    return f'<div dir="ltr">{"<br><br>".join(shown)}</div>\n'


def _page(family: Family, lines: Sequence[str], links: Sequence[str], dice: Dice, *, picture: bool) -> str:
    """The same text as a newsletter's HTML: a preview line nobody sees, nested tables, a tracking image, the habits of
    several decades; as a `picture`, hardly a word."""
    host = links[0].split("/")[2]
    first, *_ = shown = [html.escape(line) for line in lines]
    if not picture and dice.random() < _FRAGMENTS:
        link = f'<a href="{links[0]}">{html.escape(family.button) or links[0]}</a>'
        seen = f'<img src="{links[0]}&o=1">' if dice.random() < _OLD else ""
        return (
            "".join(f"<p>{line}</p>" for line in shown[: dice.randint(1, len(shown))])
            + f"<p>{link}</p>{seen}\n"
        )
    image = dice.filled(f'<img src="https://img.{host}/{{hex:8}}.png" alt="{first}" width="600">')
    preview = (
        f'<div style="display:none;font-size:1px;max-height:0;overflow:hidden">{shown[1][:80]}'
        f"{'&zwnj;&nbsp;' * dice.choice((0, 20, 60, 150))}</div>"
    )
    old = dice.random() < _OLD
    cell = '<td bgcolor="#ffffff" align="left"><font face="Arial" color="#333333">' if old else "<td>"
    text = "".join(f"<tr>{cell}{line}</td></tr>" for line in shown)
    if picture:
        text = f'<tr><td><a href="{links[0]}">{image}</a><a href="{links[1]}">{image}</a></td></tr>'
    elif old:
        text = f'<tr><td><font size="5" color="#ff0000"><b>{first}</b></font></td></tr>{text}'
    if dice.random() < _ODD["copy"]:
        text += f'<tr><td><div style="display:none;max-height:0">{" ".join(shown) * 3}</div></td></tr>'
    if family.button:
        text += (
            f'<tr><td align="center"><a href="{links[0]}" style="background:#0066cc;color:#ffffff;padding:12px">'
            f"{html.escape(family.button)}</a></td></tr>"
        )
    table = (
        f'<table width="100%" cellpadding="0" cellspacing="0" border="0" bgcolor="#f4f4f4"><tr><td align="center">'
        f'<table width="600"><tr><td><a href="{links[1]}">{image}</a></td></tr>{text}<tr><td style="font-size:10px">'
        f'<a href="{links[2]}">Unsubscribe</a> | <a href="{links[1]}">click here</a> | '
        f'<a href="mailto:info@{host}">Contact</a></td></tr></table></td></tr></table>'
    )
    begin = dice.choice(_BEGINNINGS).format(title=first, style=_STYLE)
    middle = dice.choice(_MIDDLES).format(table)
    image_of_one_dot = f'<img src="{links[0]}&o=1" width="1" height="1" alt="">'
    return f"{begin}{preview}{middle}{image_of_one_dot}</body></html>\n"
