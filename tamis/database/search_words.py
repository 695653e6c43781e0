"""What somebody types into the search box of messages, read: words, and operators in English or French. Pure.

    marie@ from:garage ip:192.0.2.7 is:held by:spf before:22/11 score>5 "votre devis"

text -> terms (a chip each) -> Wanted | problems, said kindly; what is no operator is a word
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from tamis.base.errors import nearest_name
from tamis.database.history_search import ANY, Wanted
from tamis.database.searching import words
from tamis.judging.verdict import SCORE
from tamis.language.translation import marked
from tamis.message.address import address_key
from tamis.message.envelope import parse_ip

MAX_QUERY = 500
"""Characters of a search that are read (beyond: a problem says that it is too long, and nothing is searched)."""
MAX_TERMS = 20
"""Words and operators of a search (beyond: as above)."""

TOO_LONG = marked("This is too long to search for: at most {characters} characters and {terms} words.")
NO_DATE = marked("“{text}” is no date: write 22/11, 22/11/2026, 2026-11-22, yesterday, or 7d for a week ago.")
NO_NUMBER = marked("“{text}” is no number to compare the score with: write score>5.")
NO_CLIENT = marked("“{text}” is no IP address.")
NO_FILTER = marked("There is no filter “{text}”.")
NO_FILTER_BUT = marked("There is no filter “{text}”. Did you mean “{near}”?")
NO_STATE = marked("“{text}” is none of: {known}.")
EMPTY = marked("Something is missing behind “{text}”.")

_OPERATORS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("from", "de", "expediteur"), "from"),
        **dict.fromkeys(("to", "a", "pour", "destinataire"), "to"),
        **dict.fromkeys(("subject", "objet", "sujet"), "subject"),
        **dict.fromkeys(("ip", "client", "serveur"), "ip"),
        **dict.fromkeys(("is", "est", "in", "dans"), "is"),
        **dict.fromkeys(("by", "par", "filter", "filtre"), "by"),
        **dict.fromkeys(("before", "avant", "until"), "before"),
        **dict.fromkeys(("after", "since", "apres", "depuis"), "after"),
        **dict.fromkeys(("on", "le"), "on"),
        **dict.fromkeys(("id", "message-id", "queue"), "id"),
        **dict.fromkeys(("score", "points"), "score"),
    }
)
"""The operators' names, without accents, and what they are here."""

_STATES: Mapping[str, tuple[str, Mapping[str, Any]]] = MappingProxyType(
    {
        name: (known, wanted)
        for names, known, wanted in (
            (("held", "quarantine", "retenu", "attente", "quarantaine"), "held", {"outcome": "quarantine"}),
            (("inbox", "delivered", "reception", "recu", "remis"), "inbox", {"outcome": "inbox"}),
            (("junk", "indesirables"), "junk", {"outcome": "junk"}),
            (("tag", "tagged", "marque"), "tag", {"outcome": "tag"}),
            (("deferred", "differe", "defer"), "deferred", {"decision": "defer"}),
            (("spam", "indesirable"), "spam", {"decision": "spam"}),
            (("ham", "desirable"), "ham", {"decision": "ham"}),
            (("incoming", "entrant"), "incoming", {"side": "in"}),
            (("outgoing", "sent", "sortant", "envoye"), "outgoing", {"side": "out"}),
            (("observed", "observe"), "observed", {"observed": True}),
        )
        for name in names
    }
)
STATES = tuple(dict.fromkeys(known for known, _ in _STATES.values()))
"""What `is:` knows, by the first name of each."""

_OPERATOR = re.compile(r"(?P<name>[^\W\d_][\w-]{0,20})(?P<sign>:|[<>]=?)")
_TERM = re.compile(_OPERATOR.pattern + r'|"(?P<quoted>[^"]*)"?|(?P<word>[^\s"]+)')
_VALUE = re.compile(r'"([^"]*)"?|[^\s"]+')
_DAY = re.compile(r"(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}))?")
_ISO = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})")
_SPAN = re.compile(r"(\d{1,4})([hdjws])")
_SPANS = {"h": 1, "d": 24, "j": 24, "w": 168, "s": 168}  # hours; French: jours, semaines
_TODAY, _YESTERDAY = ("today", "aujourd'hui", "aujourd\u2019hui"), ("yesterday", "hier")


class Problem(NamedTuple):
    """What can't be searched for: an English sentence with `{places}` for its facts."""

    sentence: str
    facts: Mapping[str, str]

    def text(self, translate: Callable[[str], str] = str) -> str:
        """The sentence in the reader's language."""
        return translate(self.sentence).format_map(self.facts)


@dataclass(frozen=True, slots=True)
class Term:
    """One part of a search, written as it is understood; `kind` is "word" or the operator."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Search:
    """A search: what it asks for, its terms, and what is wrong with it (then nothing is to be searched)."""

    wanted: Wanted = ANY
    terms: tuple[Term, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def text(self) -> str:
        """The search as it is understood; reading this gives the same one."""
        return " ".join(one.text for one in self.terms)

    def without(self, place: int) -> str:
        """The text without one of its terms."""
        return " ".join(one.text for at, one in enumerate(self.terms) if at != place)

    @property
    def has_dates(self) -> bool:
        """Whether it says itself when."""
        return any(one.kind in ("before", "after", "on") for one in self.terms)


@dataclass(slots=True)
class _Reading:
    """What stands while the terms are read one after the other."""

    now: datetime
    filters: Mapping[str, str]
    wanted: Wanted = ANY
    terms: list[Term] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(self, kind: str, text: str, **wanted: Any) -> None:
        """A term, and what it asks for."""
        self.terms.append(Term(kind, text))
        self.wanted = replace(self.wanted, **wanted)

    def wrong(self, kind: str, text: str, sentence: str, /, **facts: str) -> None:
        """A term of which no sense can be made."""
        self.terms.append(Term(kind, text))
        self.problems.append(Problem(sentence, facts))


def read_search(text: str, now: datetime, filters: Mapping[str, str]) -> Search:
    """A search as it was typed. `now` is the reader's, with the reader's time zone; `filters` are spec ids by name."""
    reading = _Reading(now, filters)
    parts = list(_parts(text[: MAX_QUERY + 1]))
    if len(text) > MAX_QUERY or len(parts) > MAX_TERMS:
        facts = {"characters": str(MAX_QUERY), "terms": str(MAX_TERMS)}
        parts = parts[:MAX_TERMS]
        reading.problems.append(Problem(TOO_LONG, facts))
    for name, sign, value in parts:
        kind = _OPERATORS.get(_plain(name)) if name else None
        if kind == "score":
            _score(reading, sign, value)
        elif kind is not None and sign == ":":
            _READERS[kind](reading, value) if value else reading.wrong(
                kind, f"{kind}:", EMPTY, text=f"{kind}:"
            )
        else:
            _word(reading, f"{name}{sign}{value}")
    return Search(reading.wanted, tuple(reading.terms), tuple(reading.problems))


def _parts(text: str) -> Iterable[tuple[str, str, str]]:
    """name, sign and value of each operator; ("", "", word) of all else."""
    at = 0
    while found := _TERM.search(text, at):
        at = found.end()
        if not found["name"]:
            if word := (found["quoted"] or found["word"] or "").strip():
                yield "", "", word
            continue
        value = _VALUE.match(text, at)
        at = value.end() if value else at
        told = "" if value is None else value[1] if value[0].startswith('"') else value[0]
        yield found["name"], found["sign"], (told or "").strip()


def _plain(text: str) -> str:
    """A name of ours, without case and accents: à is a, après is apres."""
    return "-".join(words(text)) if text else ""


def _quoted(text: str) -> str:
    bare = text.replace('"', " ").strip()
    plain = bool(bare) and not any(c.isspace() for c in bare) and not _OPERATOR.match(bare)
    return bare if plain else f'"{bare}"'


def _word(reading: _Reading, text: str) -> None:
    before = reading.wanted
    if text.endswith("@") and text.count("@") == 1 and len(text) > 1:
        reading.add("to", _quoted(text), local=address_key(text))
    elif _is_address(text):
        reading.add("word", _quoted(text), party=address_key(text))
    else:
        reading.add("word", _quoted(text), words=f"{before.words} {text}".strip())


def _from(reading: _Reading, text: str) -> None:
    if text == "<>":
        reading.add("from", "from:<>", sender="<>")
    else:
        reading.add("from", f"from:{_quoted(text)}", author=f"{reading.wanted.author} {text}".strip())


def _to(reading: _Reading, text: str) -> None:
    shown = f"to:{_quoted(text)}"
    if text.endswith("@") and text.count("@") == 1 and len(text) > 1:
        reading.add("to", shown, local=address_key(text))
    else:
        reading.add("to", shown, to=address_key(text) if "@" in text else text.lower())


def _subject(reading: _Reading, text: str) -> None:
    reading.add("subject", f"subject:{_quoted(text)}", subject=f"{reading.wanted.subject} {text}".strip())


def _ip(reading: _Reading, text: str) -> None:
    client = parse_ip(text.strip("[]"))
    if client is None:
        reading.wrong("ip", f"ip:{_quoted(text)}", NO_CLIENT, text=text)
    else:
        reading.add("ip", f"ip:{client}", client_ip=str(client))


def _is(reading: _Reading, text: str) -> None:
    known, wanted = _STATES.get(_plain(text), ("", {}))
    if known:
        reading.add("is", f"is:{known}", **wanted)
    else:
        reading.wrong("is", f"is:{_quoted(text)}", NO_STATE, text=text, known=", ".join(STATES))


def _by(reading: _Reading, text: str) -> None:
    asked = text.strip().lower().replace(" ", "_").replace("-", "_")
    ids = {spec_id.lower(): name for name, spec_id in reading.filters.items()}
    name = SCORE if asked in (SCORE, "points") else asked if asked in reading.filters else ids.get(asked, "")
    if name:
        reading.add("by", f"by:{name}", decided_by=name)
        return
    near = nearest_name(asked, [SCORE, *reading.filters])
    sentence = NO_FILTER_BUT if near else NO_FILTER
    reading.wrong("by", f"by:{_quoted(text)}", sentence, text=text, near=near or "")


def _id(reading: _Reading, text: str) -> None:
    reading.add("id", f"id:{_quoted(text)}", named=text)


def _asked_moment(reading: _Reading, word: str, text: str) -> datetime | None:
    """What somebody means by a date; where it is none, that is said."""
    at = _moment(reading.now, text)
    if at is None:
        reading.wrong(word, f"{word}:{_quoted(text)}", NO_DATE, text=text)
    return at


def _before(reading: _Reading, text: str) -> None:
    if at := _asked_moment(reading, "before", text):
        reading.add("before", f"before:{_quoted(text)}", until=at)


def _after(reading: _Reading, text: str) -> None:
    if at := _asked_moment(reading, "after", text):
        reading.add("after", f"after:{_quoted(text)}", since=at)


def _on(reading: _Reading, text: str) -> None:
    if at := _asked_moment(reading, "on", text):
        begin = datetime.combine(at.date(), time(), at.tzinfo)
        end = datetime.combine(at.date() + timedelta(days=1), time(), at.tzinfo)
        reading.add("on", f"on:{_quoted(text)}", since=begin, until=end)


_READERS: Mapping[str, Callable[[_Reading, str], None]] = MappingProxyType(
    {
        "from": _from,
        "to": _to,
        "subject": _subject,
        "ip": _ip,
        "is": _is,
        "by": _by,
        "before": _before,
        "after": _after,
        "on": _on,
        "id": _id,
    }
)


def _score(reading: _Reading, sign: str, text: str) -> None:
    how = ">=" if sign == ":" else sign
    shown = f"score{how}{text}"
    if not re.fullmatch(r"-?\d{1,6}([.,]\d{1,3})?", text):
        reading.wrong("score", shown, NO_NUMBER, text=f"score{sign}{text}")
        return
    reading.add("score", shown, scores=(*reading.wanted.scores, (how, float(text.replace(",", ".")))))


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and "." in domain and not any(c.isspace() for c in text))


def _moment(now: datetime, text: str) -> datetime | None:
    """The begin of a day, or the moment of a span ago, in the zone of `now`; None for what is neither. A day without a
    year is the latest one that is not to come."""
    asked = text.strip().lower()
    midnight = datetime.combine(now.date(), time(), now.tzinfo)
    if asked in _TODAY:
        return midnight
    try:
        if asked in _YESTERDAY:
            return datetime.combine(now.date() - timedelta(days=1), time(), now.tzinfo)
        if span := _SPAN.fullmatch(asked):
            return now - timedelta(hours=int(span[1]) * _SPANS[span[2]])
        if day := _ISO.fullmatch(asked):
            return midnight.replace(year=int(day[1]), month=int(day[2]), day=int(day[3]))
        if day := _DAY.fullmatch(asked):
            at = midnight.replace(year=int(day[3] or now.year), month=int(day[2]), day=int(day[1]))
            return at if day[3] or at <= now else at.replace(year=now.year - 1)
    except (ValueError, OverflowError):
        return None
    return None
