"""The header: its fields in their order, decoded when asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tamis.message.mail.defects import DefectKind, DefectReport
from tamis.message.mail.limits import Limits
from tamis.message.mail.text import guess, is_utf8
from tamis.message.mail.words import decode_words, unfold

# RFC 5322 2.2: printable ASCII but the colon; obs-optional (4.5.8) has white space before the colon.
# The value runs over obs-fold lines too (4.2). Each alternative consumes, so matching is linear.
_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?")
_MBOX = re.compile(rb">?From (?![ \t]*+:)[^\n]*+\n")
_LINE_OCTETS = 998
_NAME_OCTETS = 998


class HeaderField:
    """One header field.

    ``name`` is lower-cased ASCII. ``raw_value`` is what follows the colon, folding and all, without the line
    end; ``Limits.header_octets`` of it are kept.
    """

    __slots__ = ("_report", "_unfolded", "_value", "_where", "name", "raw_name", "raw_value")

    def __init__(self, raw_name: bytes, raw_value: bytes, report: DefectReport, where: str) -> None:
        self.raw_name = raw_name
        self.raw_value = raw_value
        self.name = raw_name.decode("ascii", "replace").lower()
        self._report = report
        self._where = where
        self._value: str | None = None
        self._unfolded: str | None = None

    @property
    def where(self) -> str:
        """Where the field is, for defects: its part's path, if it is not the message's own, and its name."""
        return f"{self._where}:{self.name}" if self._where else self.name

    @property
    def unfolded(self) -> str:
        """The value unfolded, its octets decoded (UTF-8, else windows-1252), its encoded words not."""
        if self._unfolded is None:
            octets = unfold(self.raw_value)
            if octets.isascii():
                self._unfolded = octets.decode("ascii")
            else:
                if not is_utf8(octets):
                    self._report.add(DefectKind.RAW_8BIT_HEADER, octets[:40], self.where)
                self._unfolded = guess(octets)
        return self._unfolded

    @property
    def value(self) -> str:
        """The value unfolded, and its encoded words (RFC 2047) decoded."""
        if self._value is None:
            text = self.unfolded
            self._value = decode_words(text, self._report, self.where) if "=?" in text else text
        return self._value

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.value[:80]!r})"


class Headers:
    """The fields of one header, in their order; names are looked up without regard to case."""

    __slots__ = ("_by_name", "fields")

    def __init__(self, fields: tuple[HeaderField, ...]) -> None:
        self.fields = fields
        by_name: dict[str, list[HeaderField]] = {}
        for field in fields:
            by_name.setdefault(field.name, []).append(field)
        self._by_name = by_name

    def fields_of(self, name: str) -> list[HeaderField]:
        """The fields of a name, in their order."""
        return self._by_name.get(name.lower(), [])

    def all(self, name: str) -> tuple[str, ...]:
        """The decoded, unfolded values of every field of a name."""
        return tuple(field.value for field in self.fields_of(name))

    def first(self, name: str) -> str | None:
        """The decoded, unfolded value of the first field of a name, or ``None``."""
        fields = self._by_name.get(name.lower())
        return fields[0].value if fields else None

    def raw(self, name: str) -> tuple[bytes, ...]:
        """The octets after the colon of every field of a name, without the last line end."""
        return tuple(field.raw_value for field in self.fields_of(name))

    def names(self) -> tuple[str, ...]:
        """The fields' names, lower-cased, in their order."""
        return tuple(field.name for field in self.fields)

    def repeated(self, names: Iterable[str]) -> list[str]:
        """Those of lower-cased names that several fields have."""
        by_name = self._by_name
        return [name for name in names if name in by_name and len(by_name[name]) > 1]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._by_name

    def __iter__(self) -> Iterator[HeaderField]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


def scan(
    raw: bytes,
    start: int,
    end: int,
    limits: Limits,
    report: DefectReport,
    where: str = "",
    *,
    complete: bool = True,
) -> tuple[Headers, int]:
    """The header that begins at ``start``, and the offset of the body, at most ``end``.

    The header ends at the first empty line, or before the first line that is no field: there Postfix puts
    the empty line that is missing. Never raises; ``report`` has what is wrong.
    """
    fields: list[HeaderField] = []
    position = start
    mbox = _MBOX.match(raw, position, end)
    if mbox:
        report.add(DefectKind.MBOX_FROM, where=where)
        position = mbox.end()
    match = _FIELD.match
    stop = min(end, position + limits.header_block_octets)
    while True:
        found = match(raw, position, stop)
        if found is None:
            break
        value = found[2]
        if len(fields) >= limits.headers:
            report.add(DefectKind.TOO_MANY_HEADERS, limits.headers, where)
            return Headers(tuple(fields)), _body_after(raw, position, end)
        raw_name = found[1]
        if len(value) > _LINE_OCTETS or len(raw_name) > _NAME_OCTETS:
            raw_name, value = _bounded(raw_name, value, limits, report, where)
        elif value.endswith(b"\r"):
            value = value[:-1]
        fields.append(HeaderField(raw_name, value, report, where))
        position = found.end()
    if position >= stop < end:
        report.add(DefectKind.TOO_MANY_HEADERS, limits.header_block_octets, where)
        return Headers(tuple(fields)), _body_after(raw, position, end)
    if raw.startswith(b"\r\n", position, end):
        position += 2
    elif raw.startswith(b"\n", position, end):
        position += 1
    elif position < end and not complete and raw.find(b"\n", position, end) < 0:
        position = end  # a field that the caller cut
    elif position < end:
        report.add(DefectKind.HEADER_WITHOUT_COLON, raw[position : min(end, position + 60)], where)
    return Headers(tuple(fields)), position


def _bounded(
    raw_name: bytes, value: bytes, limits: Limits, report: DefectReport, where: str
) -> tuple[bytes, bytes]:
    """A long field's name and value within the bounds, and the defects of its length."""
    value = value.removesuffix(b"\r")
    place = f"{where}:" if where else ""
    place += raw_name[:60].decode("ascii", "replace").lower()
    if len(raw_name) > _NAME_OCTETS:
        report.add(DefectKind.LINE_TOO_LONG, len(raw_name), place)
        raw_name = raw_name[:_NAME_OCTETS]
    longest = max(map(len, value.split(b"\n")))
    if longest > _LINE_OCTETS:
        report.add(DefectKind.LINE_TOO_LONG, longest, place)
    if len(value) > limits.header_octets:
        report.add(DefectKind.HEADER_TOO_LONG, len(value), place)
        value = value[: limits.header_octets]
    return raw_name, value


_EMPTY_LINE = re.compile(rb"\n\r?\n")


def _body_after(raw: bytes, position: int, end: int) -> int:
    """Where the body begins when fields are left that are not examined."""
    empty = _EMPTY_LINE.search(raw, max(0, position - 1), end)
    return empty.end() if empty else end
