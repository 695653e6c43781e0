"""S26b: attachments of dangerous types."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Annotated

from pydantic import Field as Option
from pydantic import field_validator

from tamis.base.errors import nearest_name
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, NoChallenge, Opinion, Scopes
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.questions import Asks
from tamis.filters.shared.attached import FoundFile, inspected, links_in, shown_path
from tamis.language.translation import marked
from tamis.message.file_names import Risk
from tamis.message.mail.defects import DefectKind, DefectReport

POINTS = MappingProxyType(
    {
        Risk.EXECUTABLE: 4.0,
        Risk.DISGUISED: 8.0,
        Risk.DANGEROUS_NAME: 3.0,
        Risk.EXECUTABLE_IN_ARCHIVE: 4.0,
        Risk.DOUBLE_EXTENSION: 8.0,
        Risk.RTLO_NAME: 8.0,
        Risk.MACRO: 1.0,
        Risk.MACRO_AUTO: 3.0,
        Risk.ENCRYPTED_ARCHIVE: 1.0,
        Risk.ENCRYPTED_DOCUMENT: 0.5,
        Risk.ARCHIVE_LIMIT: 1.0,
        Risk.BROKEN_ARCHIVE: 0.5,
        Risk.RISKY_NAME: 1.0,
        Risk.AMBIGUOUS_ARCHIVE: 2.0,
        Risk.EMBEDDED_FILE: 1.0,
        Risk.SMUGGLING: 4.0,
        Risk.ACTIVE_IMAGE: 4.0,
        Risk.REMOTE_TEMPLATE: 3.0,
        Risk.DDE: 3.0,
        Risk.CLOSED: 1.0,
        Risk.LINKS_LEFT_OUT: 0.5,
        Risk.PICTURES_LEFT_OUT: 0.0,
        Risk.LONG_FILE: 0.0,
        Risk.NOT_READ: 0.5,
    }
)
"""Points that a kind of risk adds."""

EVIDENT = frozenset(kind for kind, points in POINTS.items() if points >= 3)
"""Kinds that harm: nobody is asked to confirm such a message, and no sender has earned it. Honest files have the others
as well."""


def _known(kinds: Annotated[object, Option()]) -> None:
    for kind in kinds if isinstance(kinds, (dict, tuple)) else ():
        if kind not in {risk.value for risk in Risk}:
            nearest = nearest_name(kind, [risk.value for risk in Risk])
            raise ValueError(
                f"no risk is called {kind!r}" + (f"; did you mean {nearest!r}?" if nearest else "")
            )


class AttachmentTypesOptions(FilterOptions):
    """Adds the points of each kind of risk, and those that decide alone."""

    points: dict[str, Annotated[float, Option(ge=-100, le=100)]] = Option(
        {},
        description="points by kind of risk, overriding the defaults, e.g. { macro = 5.0, encrypted_archive = 0.0 }",
    )
    most: float = Option(10.0, gt=0, le=100, description="maximum points for all attachments of a message")
    spam: tuple[str, ...] = Option(
        ("disguised", "double_extension", "rtlo_name"),
        description="kinds of risk that alone make a message spam",
    )

    @field_validator("points")
    @classmethod
    def _known_points(cls, points: dict[str, float]) -> dict[str, float]:
        _known(points)
        return points

    @field_validator("spam")
    @classmethod
    def _known_spam(cls, spam: tuple[str, ...]) -> tuple[str, ...]:
        _known(spam)
        return spam


class AttachmentTypes(Filter[AttachmentTypesOptions]):
    """Checks what attachments really are, whatever their names say, and what is in archives.

    The kinds of risk: `executable` (a program by its content), `disguised` (a program under a harmless name),
    `dangerous_name` (a name that makes a system run the file), `risky_name` (the name of what often carries programs
    or code), `executable_in_archive` (a program or a dangerous name inside another file), `double_extension`
    (invoice.pdf.exe), `rtlo_name` (directional controls in such a name), `macro` and `macro_auto` (office macros; those
    that run by themselves), `dde` (a field or formula that starts a program), `remote_template` (an office document
    that fetches another file when it is opened), `embedded_file` (a file in a document, for a click to open),
    `smuggling` (a page whose script builds a file), `active_image` (a drawing with a script), `encrypted_archive`,
    `encrypted_document` (an office file or PDF that needs a password), `ambiguous_archive` (programs differ in what
    they find in it: behind something else, several in one, names that don't agree), `archive_limit` (more, deeper or
    larger than is unpacked), `broken_archive`, `closed` (an archive, a disk image or a message of a kind that nobody
    here can open, such as ACE), `links_left_out` (more addresses in files than are looked at), `pictures_left_out`
    (more pictures within files than are read for codes, or too large ones: no points), `long_file` (more text in a
    file than is looked at: no points), `not_read` (a file that can't be read). Each kind counts once a message; those
    named in `spam` decide alone. [Which names](links-and-files.md#names-of-files) are dangerous or risky.

    Looked into are archives (zip, rar, 7z, tar, gz, bz2, xz, zst, cab, lha, arj, rpm), disk images (iso, udf, vhd,
    vhdx, vmdk, wim, dmg and others, by 7-Zip), office documents (OOXML, OLE, RTF, OpenDocument), PDF, OneNote,
    winmail.dat, messages (.eml, .msg, .mht, .mbox), pages, drawings, invitations and encoded files in text, also within
    each other. The links in them are looked at by the filters that judge links. All of it happens in a helper process,
    to 4 levels, 1,000 members, 64 MiB, 200 times their size and 5 seconds for a message.

    Of more than 100 attachments of a message those with a dangerous name are looked into first, the others by lot;
    `left_out` says how many were not.
    """

    name = "attachment_types"
    spec_id = "S26b"
    summary = "dangerous attachments, by content and by name, also in archives"
    plain_reason = marked("a file in it is of a dangerous kind")
    forbids_challenge = NoChallenge.ATTACHMENT
    effect = Effect.SCORE
    expensive = True
    options = AttachmentTypesOptions

    def examine(self, message: Message) -> Asks[Finding | Revealed]:
        """Which kinds of risk the attachments have, and in which file each was seen first; and the links in them."""
        if not message.mail.attachments:
            return self.clear("no attachment")
        files = yield from inspected(message)
        report = DefectReport(1)
        urls = tuple(links_in(files, report))
        cuts = [DefectKind.LONG_FILE] if report.defects else []
        return Revealed(self._found(message, files), message.mail.seen.joined(urls, cuts))

    def _found(self, message: Message, files: Sequence[FoundFile]) -> Finding:
        left_out = max(0, len(message.mail.attachments) - message.mail.limits.files)
        first: dict[str, str] = {}
        for file in files:
            for risk in file["risks"]:
                first.setdefault(risk, shown_path(file))
        if not first:
            return self.clear("{number} files, none suspicious", number=len(files), left_out=left_out)
        seen = ", ".join(f"{risk} ({path})" for risk, path in first.items())
        return self.hit("{seen}", seen=seen, risks=first, number=len(files), left_out=left_out)

    def challenge_barred_by(self, finding: Finding) -> NoChallenge | None:
        """Kinds that harm forbid it."""
        return self.forbids_challenge if EVIDENT.intersection(finding.facts.get("risks", ())) else None

    def judge(self, finding: Finding, options: AttachmentTypesOptions, scopes: Scopes) -> Opinion:
        """Spam when a kind says so; else the points of all kinds together, up to `most`."""
        if finding.status is not Status.HIT:
            return self.opinion(finding, options, hit=False)
        kinds = finding.facts["risks"]
        if options.effect is Effect.SCORE and any(kind in options.spam for kind in kinds):
            options = options.model_copy(update={"effect": Effect.SPAM})
        points = sum(options.points.get(kind, POINTS.get(kind, 0.0)) for kind in kinds)
        return self.opinion(
            finding,
            options,
            hit=points > 0 or options.effect is Effect.SPAM,
            points=min(points, options.most),
        )
