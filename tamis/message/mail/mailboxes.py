"""Mailboxes of an address field (RFC 5322 3.4), with every reading that readers' programs have of what senders write.

Programs differ in what they make of fields that break the grammar, and some of the grammar (comments within an address,
obsolete white space, routes) is unknown to many. So a field is not read in one way: each mailbox that some program
could show is among the result, the one that the grammar means first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tamis.message.address import address_key, domain_key
from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.visible import as_turned
from tamis.message.mail.words import decode_words
from tamis.message.names import host_name, is_host_name
from tamis.message.unseen import without_invisible

# Each branch begins with a character of its own and consumes: linear. A quoted string or an angle address
# may lack its end.
_QUOTED = r'"(?:[^"\\]|\\.)*+("?)'
_TOKEN = re.compile(
    _QUOTED + r'|<(?:[^<>"]|"(?:[^"\\]|\\.)*+")*+>?|[(),:;\\]|[^"<(),:;\\]+',
    re.DOTALL,
)
_TOKEN_WITHOUT_QUOTES = re.compile(r"()<[^<>]*+>?|[(),:;\\]|[^<(),:;\\]+", re.DOTALL)
_QUOTED_OR_NOT = re.compile(_QUOTED + r'|\(|[^"(]+', re.DOTALL)
_COMMENT = re.compile(r"[^()\\]+|\\.?|[()]", re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_UNSEEN_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f]+")
_CUT = re.compile(r"[\0\r]")
ANY_AT = frozenset("@\uff20\ufe6b")
"""Signs that readers take for the at sign."""
_AT = str.maketrans("\uff20\ufe6b", "@@")
"""Full-width and small commercial at, which readers take for the sign that they look like."""
# White space around an at sign, and around a dot (RFC 5322 4.4); no run of it is looked at twice.
_AROUND_AT = re.compile(r"(?<!\s)\s*+@\s*+")
_AROUND_DOT = re.compile(r"(?<!\s)\s*+([.\u3002\uff0e\uff61])\s*+")
_RUN = re.compile(r'(?:"(?:[^"\\]|\\.)*+"?|[^\s"<>(),;])++', re.DOTALL)
_PLAIN = re.compile(r"([A-Za-z0-9._+=-]++)@([A-Za-z0-9.-]*[A-Za-z0-9])")
_NO_SIGN = r"[^\x00-\x1f\x7f-\U0010ffff\"\\<>(),:;@=]"
_NAMED = re.compile(rf' *+(?:"({_NO_SIGN}*+)"|({_NO_SIGN}*+)) *+<{_PLAIN.pattern}> *+')
_SIMPLE_CHARACTERS = 300
"""Characters of a field that may be read at a glance. Beyond: read in every way: that is the slow one."""
_LEADING_QUOTED = re.compile(_QUOTED, re.DOTALL)
_HOST_CHARACTERS = re.compile(r"[^\W_](?:[\w.\u3002\uff0e\uff61-]*[^\W_])?")
_SIGN = re.compile(r"[^\w\s.@-]")
"""What stands in no name that somebody registers, though UTS 46 has it: quotes and brackets of typography."""
_REWRITTEN = re.compile(r"([^\s%!]++)(?:%([^\s%!]++)|!([^\s%!]++))")
_LOCAL_CHARACTERS = 500  # characters of a local part; beyond: cut: no mailbox has so many
_DOMAIN_CHARACTERS = 1000  # characters of an address's domain; beyond: cut: no domain, `unusable_author`
_DISPLAY_CHARACTERS = 2000  # characters of one display name; beyond: cut: nobody sees so much


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox: the name shown, decoded, and ``local@domain`` with the domain lower-cased ('' if none)."""

    display: str
    address: str

    @property
    def local(self) -> str:
        """What is before the last at sign, as written."""
        return self.address.rpartition("@")[0]

    @property
    def domain(self) -> str:
        """What is after the last at sign, in its comparing form (A-labels); '' if there is none."""
        return domain_key(self.address.rpartition("@")[2])

    @property
    def is_usable(self) -> bool:
        """Whether the DNS could have the domain; else nobody can be asked who may use it."""
        name = host_name(self.address.rpartition("@")[2])
        return not name.problem and is_host_name(name.key)


@dataclass(slots=True)
class _Chunk:
    """What stands between two commas. Tokens are as written, quotes and all; `before` is how many of the phrase's stand
    before the first angle address."""

    phrase: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    angles: list[str] = field(default_factory=list)
    before: int = 0

    def __bool__(self) -> bool:
        return bool(self.phrase or self.comments or self.angles)


def parse_addresses(value: str, limit: int, report: DefectReport, where: str) -> tuple[Address, ...]:
    """The mailboxes of an unfolded address field whose encoded words are not yet decoded: every one that some reader
    could show, each once, and names without an address.

    At most ``limit`` of them, in linear time; never raises. Where a mailbox can be read as several, that is reported.
    """
    if (alone := _alone(value)) is not None and limit:
        return (alone,)
    reader = _Reader(limit, report, where)
    reader.read(value)
    reader.read_otherwise(value)
    if reader.ambiguous:
        report.add(DefectKind.AMBIGUOUS_ADDRESS, value, where)
    if len(reader.found) > limit:
        report.add(DefectKind.TOO_MANY_ADDRESSES, limit, where)
    return tuple(reader.found.values())[:limit]


def _alone(value: str) -> Address | None:
    """The mailbox of a field that every program reads alike, as most are: a plain address, or a name without any sign
    of the grammar and one in angle brackets. None: the field has to be read."""
    if len(value) > _SIMPLE_CHARACTERS:
        return None
    if named := _NAMED.fullmatch(value):
        quoted, phrase, local, domain = named.groups()
        display = " ".join((quoted or phrase or "").split())
    elif plain := _PLAIN.fullmatch(value.strip(" ")):
        (local, domain), display = plain.groups(), ""
    else:
        return None
    spec = f"{local}@{domain.lower()}"
    return Address(display, spec) if _is_usable(spec) else None


class _Reader:
    """Reads one field, in several ways where readers' programs would."""

    def __init__(self, limit: int, report: DefectReport, where: str) -> None:
        self.found: dict[str, Address] = {}
        self.ambiguous = False
        self._limit = limit
        self._report = report
        self._where = where
        self._unclosed: int | None = None
        self._unread = False

    def read(self, text: str, *, marks: bool = True, again: bool = False) -> None:
        """Take the mailboxes of a text, in which quoted strings and comments are such if they are marked."""
        surname = ""  # "Doe, Jane <...>" without quotes, as some programs write: the name's first half is no address
        for chunk in self._chunks(text, marks):
            found = self._mailboxes(chunk)
            if surname and not (found and found[0].address and chunk.angles):
                self._report.add(DefectKind.BAD_ADDRESS, surname, self._where)
            surname = ""
            domains = {one.domain for one in found if one.is_usable}
            self._unread = self._unread or not domains
            if len(domains) > 1:
                self.ambiguous = True
            if not again and found and not found[0].address and chunk.angles != [""]:
                surname = found[0].display
                if chunk.angles or ANY_AT.intersection(surname):
                    self._report.add(DefectKind.BAD_ADDRESS, surname, self._where)
                    surname = ""
            for one in found:
                if again and not one.is_usable:
                    continue
                key = address_key(one.address) if one.address else f"\0{one.display}"
                if again and key not in self.found:
                    self.ambiguous = True
                self.found.setdefault(key, one)
            if len(self.found) > self._limit:
                break
        if surname:
            self._report.add(DefectKind.BAD_ADDRESS, surname, self._where)

    def read_otherwise(self, value: str) -> None:
        """Take what other programs make of a text that was read."""
        texts = [value]
        if (
            self._unclosed is not None
        ):  # to some an opening mark without its end opens nothing, to others none does
            texts += [f"{value[: self._unclosed]} {value[self._unclosed + 1 :]}", value.replace('"', " ")]
            for text in texts[1:]:
                self.read(text, again=True)
            self.read(value, marks=False, again=True)
        cut = _CUT.search(value)
        if cut:  # where programs in C end a text, and those end a line that do not know of bare CR
            self.read(value[: cut.start()], again=True)
        for text in texts:
            if "<" in text and "(" in text:  # a comment within angle brackets may hold some itself
                self.read(_without_comments(text), again=True)
        if self._unread and "=?" in value:
            decoded = decode_words(value, DefectReport(0), self._where)
            if (
                decoded != value
            ):  # they hide no structure (RFC 2047 5), but some programs decode before they parse
                self.read(decoded, again=True)

    def _chunks(self, value: str, marks: bool) -> Iterator[_Chunk]:
        chunk = _Chunk()
        position = 0
        tokens = _TOKEN if marks else _TOKEN_WITHOUT_QUOTES
        while position < len(value):
            token = tokens.match(value, position)
            if token is None:  # pragma: no cover - one branch or another matches any character
                break
            start = position
            text = token[0]
            position = token.end()
            first = text[0]
            if first == "(":
                if marks:
                    comment, position, closed = _comment(value, position)
                    chunk.comments.append(comment)
                    self._note(start, closed)
                chunk.phrase.append(" ")
            elif first == "<":
                chunk.before = chunk.before if chunk.angles else len(chunk.phrase)
                chunk.angles.append(text[1:].removesuffix(">"))
                chunk.phrase.append(" ")
            elif first in ",;" or (first == ":" and (chunk.angles or _has_at(chunk.phrase))):
                if chunk:
                    yield chunk
                chunk = _Chunk()
            elif first == ":":
                # A group's name (RFC 5322 3.4) is no mailbox; what stands before "mailto:" is none either.
                chunk = _Chunk()
            else:
                if first == '"' and marks:
                    self._note(start, bool(token[1]))
                chunk.phrase.append(text)
        if chunk:
            yield chunk

    def _note(self, start: int, closed: bool) -> None:
        if not closed and self._unclosed is None:
            self._unclosed = start

    def _mailboxes(self, chunk: _Chunk) -> list[Address]:
        """The mailboxes that a chunk can be read as, the grammar's first; a name alone where there is none."""
        phrase = "".join(chunk.phrase)
        specs: dict[str, None] = {}
        for angle in chunk.angles:
            specs.update(dict.fromkeys(_specs(_without_comments(angle), angle=True)))
        shown = phrase
        if specs:
            specs.update(dict.fromkeys(_beside_angles(chunk)))
        else:
            specs.update(dict.fromkeys(_specs(phrase)))
            if specs:
                shown = _RUN.sub(lambda run: "" if _at_signs(run[0]) else run[0], _joined(phrase))
        if not any(map(_is_usable, specs)):
            inner = [spec for text in (phrase.replace('"', " "), *chunk.comments) for spec in _specs(text)]
            specs.update(dict.fromkeys(spec for spec in inner if not specs or _is_usable(spec)))
        if not specs:
            specs = dict.fromkeys(_rewritten(chunk.angles[0] if chunk.angles else phrase))
        shown = " ".join(shown.split())
        # some programs show comments beside a name, and an address there is meant to be seen
        beside = (one for one in chunk.comments if not shown or not ANY_AT.isdisjoint(one))
        display = self._display(" ".join([shown, *beside]))
        if specs:
            return [Address(display, spec) for spec in specs]
        if not display:
            return []
        return [Address(display, "")]

    def _display(self, shown: str) -> str:
        """A display name without quotes, quoted pairs and encoding."""
        shown = shown[:_DISPLAY_CHARACTERS].strip()
        if '"' in shown:
            if "\\" in shown:
                shown = _QUOTED_PAIR.sub(lambda pair: "\x00" if pair[1] == '"' else pair[1], shown)
            shown = shown.replace('"', "").replace("\x00", '"')
        # Encoded words within quoted strings are none (RFC 2047 5), but readers decode them all the same.
        return _CONTROLS.sub(" ", decode_words(shown, self._report, self._where)).strip()


def shown_domains(text: str) -> Iterator[str]:
    """The domains of addresses in a name, in their comparing form, as a reader sees them: whatever at sign is between
    local part and domain, blanks around it, and with what can't be seen left out."""
    text = without_invisible(as_turned(text)).translate(_AT).replace('"', " ")
    if "@" in text:
        for run in _RUN.finditer(_AROUND_AT.sub("@", text)):
            yield from (domain_key(spec.rpartition("@")[2]) for spec in _specs_of(run[0]))


def _comment(value: str, position: int) -> tuple[str, int, bool]:
    """A comment's text, where it ends, and whether it does; comments nest (RFC 5322 3.2.2)."""
    depth = 1
    pieces: list[str] = []
    while depth:
        token = _COMMENT.match(value, position)
        if token is None:
            break
        position = token.end()
        text = token[0]
        depth += (text == "(") - (text == ")")
        if depth:
            pieces.append(text)
    return "".join(pieces), position, not depth


def _without_comments(text: str) -> str:
    """A text with a blank for each comment outside quoted strings (RFC 5322 A.5)."""
    if "(" not in text:
        return text
    pieces: list[str] = []
    position = 0
    while position < len(text):
        token = _QUOTED_OR_NOT.match(text, position)
        if token is None:  # pragma: no cover - one branch or another matches any character
            break
        position = token.end()
        if token[0] == "(":
            _, position, _ = _comment(text, position)
            pieces.append(" ")
        else:
            pieces.append(token[0])
    return "".join(pieces)


def _has_at(phrase: list[str]) -> bool:
    return any("@" in token and not token.startswith('"') for token in phrase)


def _is_usable(spec: str) -> bool:
    return Address("", spec).is_usable


def _joined(text: str) -> str:
    """A text with what may stand around an at sign, and around the dots behind one, taken out (obs-domain, RFC 5322
    4.4)."""
    first, *rest = _AROUND_AT.sub("@", text).split("@")
    return "@".join([first, *(_AROUND_DOT.sub(r"\1", one) for one in rest)])


def _specs(text: str, *, angle: bool = False) -> Iterator[str]:
    """Each ``local@domain`` in a text, the domain lower-cased, and what else readers may take it for."""
    if not text.isascii():
        text = text.translate(_AT)
    if "@" not in text:
        return
    plain = _PLAIN.fullmatch(text)
    if plain and _is_usable(spec := f"{plain[1]}@{plain[2].lower()}"):  # nearly always
        yield spec
        return
    text = _UNSEEN_CONTROLS.sub("", text)
    if angle and text.lstrip().startswith("@"):  # a route (obs-route, RFC 5322 4.4)
        colon = text.rfind(":", 0, text.rfind("@"))
        text = text[colon + 1 :]
    meant = _joined(text)
    for run in _RUN.finditer(meant):
        yield from _specs_of(run[0])
    others = [_AROUND_AT.sub("@", text)]
    if angle and '"' not in text:
        others.append("".join(text.split()))
    if text.count('"') % 2:  # a quote that nothing ends
        others.append(text.replace('"', ""))
    for other in others:
        if other != meant:
            for run in _RUN.finditer(other):
                yield from filter(_is_usable, _specs_of(run[0]))


def _beside_angles(chunk: _Chunk) -> Iterator[str]:
    """The mailboxes that a phrase begins with (Dovecot takes them, if nothing else comes before), and that follow an
    angle address; neither is a phrase by the grammar, unless it is quoted."""
    before, after = "".join(chunk.phrase[: chunk.before]), "".join(chunk.phrase[chunk.before :])
    if "@" in before:
        first = _RUN.match(_AROUND_DOT.sub(r"\1", _AROUND_AT.sub("@", before)).lstrip())
        yield from _specs(first[0]) if first else ()
    yield from _specs(after)


def _at_signs(run: str) -> tuple[int, int] | None:
    """Where the first and the last at sign are behind a quoted local part."""
    quoted = _LEADING_QUOTED.match(run)
    start = quoted.end() if quoted else 0
    first = run.find("@", start)
    return None if first < 0 else (first, run.rfind("@", start))


def _specs_of(run: str) -> Iterator[str]:
    """The mailboxes of one word: with several at signs the last counts for most readers, for some the first."""
    if run[:7].lower() == "mailto:":
        run = run[7:]
    signs = _at_signs(run)
    if signs is None:
        return
    first, last = signs
    yield from _spec(run[:last], run[last + 1 :])
    if first != last:
        yield from _spec(run[:first], run[first + 1 :].partition("@")[0])


def _spec(local: str, domain: str) -> Iterator[str]:
    if not local.startswith('"'):
        local = local.lstrip("'")
    local = local[:_LOCAL_CHARACTERS]
    domain = domain[:_DOMAIN_CHARACTERS].strip("'\"").removesuffix(".").strip("'").lower()
    usable = _is_usable(f"@{domain}")
    if domain and (local or usable):
        yield f"{local}@{domain}"
    if not usable or _SIGN.search(domain):
        beginning = _HOST_CHARACTERS.match(without_invisible(domain))
        for other in (domain.replace("\\", ""), beginning[0] if beginning else ""):
            if other != domain and _is_usable(f"@{other}"):
                yield f"{local}@{other}"


def _rewritten(text: str) -> Iterator[str]:
    """What mail servers make of an address without an at sign (Postfix: allow_percent_hack, swap_bangpath)."""
    found = _REWRITTEN.fullmatch(text.strip())
    if found:
        local, domain = (found[1], found[2]) if found[2] else (found[3], found[1])
        if _is_usable(f"@{domain.lower()}"):
            yield f"{local}@{domain.lower()}"
