"""S33: malformed headers and MIME."""

from __future__ import annotations

from ipaddress import ip_address
from types import MappingProxyType
from typing import Annotated

from pydantic import Field as Option
from pydantic import field_validator

from tamis.base.errors import nearest_name
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Opinion, Scopes
from tamis.contract.finding import Finding, Status
from tamis.language.translation import marked
from tamis.message.envelope import IPAddress
from tamis.message.mail import DefectKind

POINTS = MappingProxyType(
    {
        DefectKind.DUPLICATE_SINGLETON: 2.0,
        DefectKind.MISSING_FROM: 2.0,
        DefectKind.MISSING_DATE: 1.0,
        DefectKind.IMPOSSIBLE_DATE: 1.5,
        DefectKind.BAD_ADDRESS: 0.5,
        DefectKind.UNUSABLE_AUTHOR: 3.0,
        DefectKind.TOO_MANY_AUTHORS: 3.0,
        DefectKind.AMBIGUOUS_ADDRESS: 1.5,
        DefectKind.INVALID_HOST: 1.0,
        DefectKind.UNDECODABLE_WORD: 1.0,
        DefectKind.UNKNOWN_CHARSET: 0.5,
        DefectKind.RAW_8BIT_HEADER: 0.5,
        DefectKind.NUL: 2.0,
        DefectKind.BARE_CR: 1.0,
        DefectKind.LINE_TOO_LONG: 0.5,
        DefectKind.HEADER_WITHOUT_COLON: 1.5,
        DefectKind.INVALID_CONTENT_TYPE: 1.0,
        DefectKind.MULTIPART_WITHOUT_BOUNDARY: 2.0,
        DefectKind.INVALID_BOUNDARY: 1.0,
        DefectKind.BOUNDARY_MISSING: 1.0,
        DefectKind.MULTIPART_TRUNCATED: 1.0,
        DefectKind.ENCODED_CONTAINER: 1.0,
        DefectKind.UNKNOWN_ENCODING: 1.0,
        DefectKind.BAD_BASE64: 1.0,
        DefectKind.BAD_QP: 0.25,
        DefectKind.DUPLICATE_PARAMETER: 1.0,
        DefectKind.MISLABELLED_CONTENT: 1.0,
        DefectKind.PARTIAL_MESSAGE: 2.0,
        DefectKind.EXTERNAL_BODY: 1.0,
        # What we do not examine to its end: only bounds that honest mail does not meet.
        DefectKind.HEADER_TOO_LONG: 0.5,
        DefectKind.TOO_MANY_HEADERS: 1.0,
        DefectKind.TOO_MANY_PARTS: 1.0,
        DefectKind.TOO_DEEP: 1.0,
        DefectKind.TOO_MANY_READINGS: 1.0,
        DefectKind.LONG_HEADER: 0.5,
        DefectKind.TEXT_TRUNCATED: 0.5,
        DefectKind.TOO_MANY_FILES: 0.5,
        DefectKind.TOO_MANY_TARGETS: 0.5,
        DefectKind.SCRIPT_TRUNCATED: 0.5,
        DefectKind.FILE_TRUNCATED: 0.5,
        DefectKind.TOO_MANY_PARAMETERS: 1.0,
    }
)
"""Points a kind of defect adds; the others are so common in legitimate mail that they add none."""


class MalformedOptions(FilterOptions):
    """Adds the points of each kind of defect."""

    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {}, description="points by kind of defect, overriding the defaults, e.g. { nul = 5.0, bad_qp = 0.0 }"
    )
    most: float = Option(5.0, gt=0, le=100, description="maximum points for all defects of a message")
    spam_from: float = Option(
        3.0, gt=0, le=100, description="with effect spam: points from which a message is spam"
    )

    @field_validator("points")
    @classmethod
    def _known(cls, points: dict[str, float]) -> dict[str, float]:
        for kind in points:
            if kind not in {k.value for k in DefectKind}:
                nearest = nearest_name(kind, [k.value for k in DefectKind])
                hint = f"; did you mean {nearest!r}?" if nearest else ""
                raise ValueError(f"no kind of defect is called {kind!r}{hint}")
        return points


class Malformed(Filter[MalformedOptions]):
    """Adds points for what breaks the rules of headers and MIME (RFC 5322, 2045-2047).

    Duplicate fields that may stand once, encoded words that can't be decoded, impossible dates, raw 8-bit octets, NUL,
    bare CR, broken multiparts and more. Each kind counts once a message. Where the examination stopped at one of
    Tamis's own [bounds](bounds.md), that is among the kinds, and adds points if honest mail does not go so far; so are
    `too_many_images`, `long_file` and `file_truncated`, which tell of images and documents once they have been read.

    Some kinds are about who wrote it ([authors](authors.md)). `unusable_author`: From has an at sign but no domain
    that the DNS could have ("service@bank..example", "root@webserver1"), so nobody can be asked who may use it; own
    networks and users, delivery status notifications and the sending client's own address ("scan@[192.0.2.7]") are
    exempt. `too_many_authors`: more than the ten that are checked. `ambiguous_address`: mail programs take it for
    different addresses. `invalid_host`: a link to a host with characters that no host name may have.
    """

    name = "malformed"
    spec_id = "S33"
    summary = "headers or MIME that break the rules"
    plain_reason = marked("its structure is invalid")
    effect = Effect.SCORE
    looks_again = True
    options = MalformedOptions

    def examine(self, message: Message) -> Finding:
        """Which kinds of defects the message has."""
        mail = message.mail
        found = {defect.kind for defect in mail.defects}
        if message.is_own or (not message.envelope.sender and mail.is_dsn):
            found.discard(DefectKind.UNUSABLE_AUTHOR)  # "MAILER-DAEMON@host", as programs within a site write
        unusable = [one for one in mail.from_addresses if one.address and not one.is_usable]
        if unusable and all(_literal(one.address) == message.envelope.ip for one in unusable):
            found.discard(DefectKind.UNUSABLE_AUTHOR)  # "scan@[192.0.2.7]", and that is who sends it
        kinds = sorted(map(str, found))
        if not kinds:
            return self.clear("well-formed")
        return self.hit("{names}", names=", ".join(kinds), kinds=kinds)

    def judge(self, finding: Finding, options: MalformedOptions, scopes: Scopes) -> Opinion:
        """The points of all kinds together, up to `most`."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        points = sum(
            options.points.get(kind, POINTS.get(DefectKind(kind), 0.0)) for kind in finding.facts["kinds"]
        )
        least = options.spam_from if options.effect is Effect.SPAM else 0.0
        return self.opinion(
            finding, options, hit=points > 0 and points >= least, points=min(points, options.most)
        )


def _literal(address: str) -> IPAddress | None:
    """What an address literal stands for (RFC 5321 4.1.3); None for any other domain."""
    domain = address.rpartition("@")[2]
    if not (domain.startswith("[") and domain.endswith("]")):
        return None
    try:
        return ip_address(domain[1:-1].lower().removeprefix("ipv6:"))
    except ValueError:
        return None
