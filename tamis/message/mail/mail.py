"""``Mail``: a message as it came, and what follows from it, derived when asked for and once."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_tz
from functools import lru_cache

from tamis.base.derived import derived
from tamis.message.mail.alternatives import opened
from tamis.message.mail.authors import check_authors, some_of
from tamis.message.mail.css import Room
from tamis.message.mail.defects import Defect, DefectKind, DefectReport
from tamis.message.mail.destinations import html_urls
from tamis.message.mail.drawings import Drawings, drawings_in
from tamis.message.mail.enriched import ENRICHED, enriched_markup
from tamis.message.mail.file_links import file_urls, may_be_legible
from tamis.message.mail.headers import Headers, scan
from tamis.message.mail.html import Budget, Html, parse_html
from tamis.message.mail.limits import LIMITS, Limits
from tamis.message.mail.mailboxes import Address, parse_addresses
from tamis.message.mail.mime import OUTSIDE, Container, Structure
from tamis.message.mail.part import Part
from tamis.message.mail.readings import CARD, further_readings
from tamis.message.mail.redirects import is_overfull
from tamis.message.mail.sampling import MessageChance, text_excerpt
from tamis.message.mail.scripts import Scripts, count_scripts
from tamis.message.mail.seen import NOTHING_SEEN, Seen
from tamis.message.mail.urls import Url, collect, has_too_many_defused, text_urls
from tamis.message.mail.visible import canonical, looks

# RFC 5322 3.6, RFC 2045 3: at most one of each.
_SINGLETONS = (
    *("date", "from", "sender", "reply-to", "to", "cc", "bcc", "message-id", "in-reply-to", "references"),
    *("subject", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
)
_ADDRESS_FIELDS = ("from", "sender", "reply-to", "to", "cc")
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,998})>")
_COMMENT = re.compile(r"\((?:[^()\\]|\\.)*\)")
_BEFORE_COMMA = re.compile(r"\s+,")
_DATE_CHARACTERS = 200  # characters of a date; beyond: `impossible_date`
# Text that readers' programs offer as a file, not as the message.
_FILE_TEXT = frozenset(
    {
        "text/calendar",
        "text/css",
        "text/csv",
        "text/directory",
        "text/rtf",
        "text/vcard",
        "text/x-vcard",
        "text/xml",
    }
)
_NOT_LEGIBLE = ("audio/", "video/", "font/", "application/pgp-", "application/pkcs7-")
# The readings by which a file comes to light; the others are of text.
_FILE_READINGS = frozenset({"structure", "encoding", "type", "padding", "name", "embedded"})


class Mail:
    """One message: its octets, and everything that is derived from them.

    Nothing here raises on whatever octets: what is wrong is in ``defects``. Memory is bounded by the message
    itself and ``limits``. Not for use by several threads at once.
    """

    def __init__(
        self, raw: bytes, *, complete: bool = True, size: int | None = None, limits: Limits = LIMITS
    ) -> None:
        """``raw`` has CRLF or LF lines. ``complete`` is false when the caller cut the message at its
        examination bound; ``size`` is the size of the whole then, in octets."""
        self.raw = raw
        self.size = len(raw) if size is None else size
        self.complete = complete
        self.limits = limits
        self.seen = NOTHING_SEEN
        self._report = DefectReport(limits.defects)
        self.headers: Headers
        self.headers, self._body = scan(raw, 0, len(raw), limits, self._report, complete=complete)

    def with_seen(self, seen: Seen) -> Mail:
        """The same message with what was read in its images and documents; its URLs are among ``urls`` then."""
        mail = copy.copy(self)
        mail.seen = seen
        for name in ("urls", "defects"):
            mail.__dict__.pop(name, None)
        return mail

    def chance(self, purpose: str) -> MessageChance:
        """Random numbers to choose with where a bound leaves something out; the same for a purpose each time."""
        return MessageChance(self.raw, purpose)

    @derived
    def subject(self) -> str | None:
        """The first Subject, decoded; ``None`` if there is none."""
        return self.headers.first("subject")

    @derived
    def from_addresses(self) -> tuple[Address, ...]:
        """Every mailbox that a reader's program could show as the author, at most ``Limits.addresses``; the likeliest
        first. They are those of all From fields, and of Sender where From has none: some programs show that then."""
        found = self.addresses("from")
        return found if any(one.address for one in found) else found + self.addresses("sender")

    @derived
    def some_authors(self) -> tuple[Address, ...]:
        """The authors with an address to ask others about: all, or of too many the first and a random choice, which
        is the same each time."""
        return some_of(self.from_addresses, self.chance("authors"))

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The mailboxes of every field of a name: To, Cc, Reply-To, Sender and the like, as readers could take them."""
        found = self._addresses.get(name := name.lower())
        if found is None:
            found = ()
            for field in self.headers.fields_of(name):
                room = self.limits.addresses - len(found)
                if room <= 0:
                    self._report.add(DefectKind.TOO_MANY_ADDRESSES, self.limits.addresses, field.where)
                    break
                found += parse_addresses(field.unfolded, room, self._report, field.where)
            self._addresses[name] = found
        return found

    @derived
    def _addresses(self) -> dict[str, tuple[Address, ...]]:
        return {}

    @derived
    def message_id(self) -> str | None:
        """The first Message-ID without its angle brackets; ``None`` if there is none."""
        value = self.headers.first("message-id")
        if value is None:
            return None
        found = _MESSAGE_ID.search(value)
        return (found[1] if found else value.strip("<> \t")[:998]) or None

    @derived
    def date(self) -> datetime | None:
        """The first Date, aware; ``None`` if there is none or it is impossible (RFC 5322 3.3)."""
        fields = self.headers.fields_of("date")
        if not fields:
            return None
        value = fields[0].unfolded
        date = read_date(value) if len(value) <= _DATE_CHARACTERS else None
        if date is None:
            self._report.add(DefectKind.IMPOSSIBLE_DATE, value, "date")
        return date

    @derived
    def _structure(self) -> Structure:
        return Structure(
            self.raw, self.headers, self._body, self.limits, self._report, complete=self.complete
        )

    @derived
    def parts(self) -> tuple[Part, ...]:
        """Every leaf, depth first; those of enclosed messages too."""
        return tuple(self._structure.parts)

    @derived
    def containers(self) -> tuple[Container, ...]:
        """Every multipart and every enclosed message, depth first."""
        return tuple(self._structure.containers)

    @derived
    def readings(self) -> tuple[Part, ...]:
        """The other ways in which readers take parts, where they differ; and the texts before and after parts."""
        return further_readings(self.parts, self._structure.further, self.limits, self._report)

    @derived
    def _files(self) -> tuple[Part, ...]:
        """The parts, and those readings by which other files come to light."""
        return (*self.parts, *(one for one in self.readings if one.why in _FILE_READINGS))

    @derived
    def attachments(self) -> tuple[Part, ...]:
        """The leaves with a file name, marked as attachment, or neither text nor message; files within text too."""
        return tuple(part for part in self._files if part.is_attachment)

    @derived
    def images(self) -> tuple[Part, ...]:
        """The leaves that are images by type or by their first octets."""
        return tuple(part for part in self._files if part.is_image)

    @derived
    def documents(self) -> tuple[Part, ...]:
        """The leaves that are PDF documents."""
        return tuple(part for part in self._files if part.is_pdf)

    @derived
    def drawings(self) -> Drawings:
        """What may be drawn in the message, for the reader of images."""
        return drawings_in(self, self.chance("drawings"))

    @derived
    def _budget(self) -> Budget:
        limits = self.limits
        return Budget(limits.html_characters, limits.html_tags, styles=Room(limits.style_characters))

    def _read(self, parts: Iterable[Part], *, alone: bool) -> tuple[tuple[Part, Html | None], ...]:
        """Those of parts that are read as text, and the parsed HTML of those that are HTML."""
        bodies: list[tuple[Part, Html | None]] = []
        for part in parts:
            if not part.content_type.startswith("text/") or part.content_type in _FILE_TEXT:
                continue
            if not (part.is_shown or alone or part.why == CARD):
                continue
            html = None
            if part.content_type == "text/html" or part.content_type in ENRICHED:
                source = part.text if part.content_type == "text/html" else enriched_markup(part.text)
                html = parse_html(source, self._budget, self.limits, self._report, part.path)
            bodies.append((part, html))
        return tuple(bodies)

    @derived
    def _bodies(self) -> tuple[tuple[Part, Html | None], ...]:
        return self._read(self.parts, alone=len(self.parts) == 1)

    @derived
    def _further_bodies(self) -> tuple[tuple[Part, Html | None], ...]:
        _ = self._bodies  # the budget is for them first
        return self._read(self.readings, alone=len(self.parts) == 1) if self.readings else ()

    @derived
    def html(self) -> tuple[Html, ...]:
        """The HTML parts that are read as text, parsed once."""
        return tuple(html for _, html in (*self._bodies, *self._further_bodies) if html is not None)

    @derived
    def text(self) -> str:
        """The visible text of the parts that are read as text, at most ``Limits.text_characters``."""
        pieces: list[str] = []
        room = self.limits.text_characters
        for part, html in self._bodies:
            piece = part.text if html is None else html.text
            if len(piece) > room:
                self._report.add(DefectKind.TEXT_TRUNCATED, len(piece), part.path)
                piece = piece[:room]
            room -= len(piece)
            pieces.append(piece)
        return "\n".join(piece for piece in pieces if piece)

    @derived
    def displayed(self) -> str:
        """The text that most readers' programs open with: visible, and one of alternatives."""
        bodies = opened(self._bodies, self.containers)
        pieces = [part.text if html is None else html.text for part, html in bodies]
        return "\n".join(piece for piece in pieces if piece)[: self.limits.text_characters]

    @derived
    def parts_beside_text(self) -> tuple[Part, ...]:
        """The leaves that are not read as the message's text."""
        read = {id(part) for part, _ in self._bodies}
        return tuple(part for part in self.parts if id(part) not in read)

    @derived
    def own_text(self) -> str:
        """`text` without that of enclosed messages."""
        enclosing = (one.path for one in self.containers if one.content_type.startswith("message/"))
        inside = tuple(f"{path}." if path else "" for path in enclosing)
        own = (
            part.text if html is None else html.text
            for part, html in self._bodies
            if not part.path.startswith(inside)
        )
        return "\n".join(piece for piece in own if piece)[: self.limits.text_characters]

    @derived
    def _other_text(self) -> str:
        """What of the text only some readers show."""
        pieces = [part.text if html is None else html.text for part, html in self._further_bodies]
        pieces += [html.other_text for html in self.html if html.other_text]
        return "\n".join(piece for piece in pieces if piece)[: self.limits.text_characters]

    @derived
    def card_text(self) -> str:
        """What programs show of invitations and cards; '' if there is none."""
        shown = ((part, html) for part, html in self._further_bodies if part.why == CARD)
        return "\n".join(part.text if html is None else html.text for part, html in shown)

    def _shortened(self, text: str) -> str:
        return text_excerpt(text, self.limits.searched_octets, self.chance("text"))

    @derived
    def visible(self) -> tuple[str, ...]:
        """The text as readers may see it, in the canonical form of ``tamis.message.mail.visible``: the way that most
        do first. Of a long one an excerpt, of at most ``Limits.searched_octets`` characters."""
        across = "\n".join(html.across for html in self.html if html.across)
        texts = (self.text, *filter(None, (self._other_text, across)))
        return tuple(dict.fromkeys(look for text in texts for look in looks(text, self._shortened)))

    @derived
    def hidden(self) -> str:
        """The text that HTML parts hide from the reader, in canonical form; an excerpt, as ``visible``."""
        pieces = [text for html in self.html for text in (html.hidden, html.unshown)]
        return canonical("\n".join(pieces), self._shortened)

    @derived
    def urls(self) -> tuple[Url, ...]:
        """The distinct URLs of visible text, of markup and of ``seen``, at most ``Limits.urls``."""
        return collect(self._found_urls(), self.limits, self._report)

    def _found_urls(self) -> Iterator[Url]:
        # Markup before text: it is what the reader clicks, and the bound must not be used up by text.
        yield from self.seen.urls
        for html in self.html:
            yield from html_urls(html, self.limits, self._report)
        yield from self._file_urls
        yield from text_urls(self.text, self.limits)
        if self._other_text:
            yield from text_urls(self._other_text, self.limits)
        if not self.text.isascii():  # by letters that look like others
            known = {url.host for url in text_urls(self.text, self.limits)}
            looks = (url for look in self.visible for url in text_urls(look, self.limits))
            yield from (url for url in looks if url.host not in known)

    @derived
    def _file_urls(self) -> tuple[Url, ...]:
        """The addresses in legible files, at most a quarter of ``Limits.urls``."""
        budget = Budget(self.limits.html_characters, self.limits.html_tags)
        read = {id(part) for part, _ in (*self._bodies, *self._further_bodies)}
        found: list[Url] = []
        most = self.limits.urls // 4
        for part in self._files:
            if id(part) in read or part.content_type.startswith(_NOT_LEGIBLE) or part.is_pdf:
                continue
            if part.is_image and "svg" not in part.content_type:
                continue
            name = part.filename or ""
            if not may_be_legible(part.head, name):
                continue
            for url in file_urls(part.payload, name, budget, self.limits, self._report, part.path):
                found.append(url)
                if len(found) >= most:
                    self._report.add(DefectKind.URL_LIMIT, most, part.path)
                    return tuple(found)
        return tuple(found)

    @derived
    def scripts(self) -> Scripts:
        """The letters of subject, visible text and the names of From and Reply-To, by script."""
        names = [mailbox.display for name in ("from", "reply-to") for mailbox in self.addresses(name)]
        others = [part.text for part, html in self._further_bodies if html is None and part.why != OUTSIDE]
        return count_scripts("\n".join([self.subject or "", *names, self.text, *others]))

    @derived
    def is_empty(self) -> bool:
        """Whether there is neither subject nor visible text nor attachment nor image nor link."""
        if (self.subject or "").strip() or self.attachments or self.images:
            return False
        if any(self.visible):
            return False
        return not any(html.links for html in self.html)

    @derived
    def is_dsn(self) -> bool:
        """Whether this is a delivery status notification (RFC 3464, RFC 6522)."""
        if (
            not self.containers
            or self.containers[0].path
            or self.containers[0].content_type != "multipart/report"
        ):
            return False
        if self.containers[0].parameters.get("report-type", "").lower() != "delivery-status":
            return False
        return any(part.content_type in _STATUS and part.depth == 1 for part in self.parts)

    @derived
    def defects(self) -> tuple[Defect, ...]:
        """Everything that is wrong with the message; to know it, all the rest is derived."""
        self._check_octets()
        self._check_header()
        for field in self.headers:
            _ = field.value
        for part in self.parts:
            _ = part.filename, part.payload, part.text
        _ = self.date, self.urls, self.scripts
        self._check_bounds()
        return self._report.defects

    def _check_header(self) -> None:
        report = self._report
        for name in self.headers.repeated(_SINGLETONS):
            report.add(DefectKind.DUPLICATE_SINGLETON, len(self.headers.fields_of(name)), name)
        if self.complete or self._body < len(self.raw):
            if "from" not in self.headers:
                report.add(DefectKind.MISSING_FROM)
            if "date" not in self.headers:
                report.add(DefectKind.MISSING_DATE)
            check_authors(self.headers.fields_of("from"), self.addresses("from"), report)
        for name in _ADDRESS_FIELDS:
            self.addresses(name)

    def _check_bounds(self) -> None:
        """What filters and rules will not look at all of."""
        report, limits = self._report, self.limits
        hosts = {url.host for url in self.urls}
        if self._body > limits.searched_octets:
            report.add(DefectKind.LONG_HEADER, self._body)
        for cut in sorted(self.seen.cuts):
            report.add(cut, "in files")
        if len(self.drawings.found) < self.drawings.number:
            report.add(DefectKind.TOO_MANY_IMAGES, self.drawings.number)
        if has_too_many_defused(self.text):
            report.add(DefectKind.URL_LIMIT, "defused")
        if any(is_overfull(url.raw) for url in self.urls):
            report.add(DefectKind.TOO_MANY_TARGETS)
        for kind, number, most in (
            (DefectKind.URL_LIMIT, len(self.urls), limits.opened),
            (DefectKind.TOO_MANY_FILES, len(self.attachments), limits.files),
            (DefectKind.TOO_MANY_HOSTS, len(hosts), limits.hosts),
            (DefectKind.LONG_TEXT, len(self.text), limits.searched_octets),
        ):
            if number > most:
                report.add(kind, number)

    def _check_octets(self) -> None:
        report, raw = self._report, self.raw
        if not self.complete:
            report.add(DefectKind.TRUNCATED, f"{len(raw)} of {self.size}")
        at = raw.find(b"\0")
        if at >= 0:
            report.add(DefectKind.NUL, at)
        returns = raw.count(b"\r")
        if returns:
            pairs = raw.count(b"\r\n")
            if returns > pairs + (raw.endswith(b"\r") and not self.complete):
                report.add(DefectKind.BARE_CR, returns - pairs)
            feeds = raw.count(b"\n")
            first = raw.find(b"\n")
            if feeds > pairs and raw[first - 1 : first] == b"\r":
                report.add(DefectKind.BARE_LF, feeds - pairs)

    def __repr__(self) -> str:
        return f"Mail({self.size} octets, {self.subject!r:.80})"


_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})


@lru_cache(maxsize=1024)  # servers and authors write the same second, and several ask for it
def read_date(value: str) -> datetime | None:
    """A date of RFC 5322 3.3, with obsolete forms and comments; without a zone it is taken for UTC (as "-0000")."""
    outside = _COMMENT.sub(" ", value)
    while outside != value:  # what was around a comment is one now
        value, outside = outside, _COMMENT.sub(" ", outside)
    value = _BEFORE_COMMA.sub(",", value)
    try:
        fields = parsedate_tz(value)
        if fields is None:
            return None
        year, month, day, hour, minute, second, *_, offset = fields
        zone = timezone(timedelta(seconds=offset)) if offset else UTC
        # A leap second (RFC 5322 3.3) is none for datetime.
        return datetime(
            year, month, day, hour, minute, min(second, 59) if second == 60 else second, tzinfo=zone
        )
    except (ValueError, TypeError, IndexError, OverflowError):
        # The standard library's parser takes garbage apart without checking what it gets.
        return None
