"""Rule files: TOML, checked, with the file, line and column of what is wrong and the nearest name that is right."""

from __future__ import annotations

import math
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tamis.base.errors import ConfigError, nearest_name
from tamis.message.mail import Mail, Seen
from tamis.rules.book import PATTERNS_OF, Claim, Measure, Rule, RuleBook, RuleSource, TableLook
from tamis.rules.engine import PatternError, program_size
from tamis.rules.expression import Expression, ExpressionError, parse, reduce, size
from tamis.rules.message_measures import MEASURES
from tamis.rules.places import MAX_OCTETS, PLACES, is_place
from tamis.rules.tables import BRAND_PLACES, HOSTS, NO_TABLES, Tables

MAX_FILE = 1024 * 1024  # octets of a rule file; beyond: it is refused
MAX_RULES = 5000  # rules of all files; beyond: they are refused
MAX_EXPANDED = 2000  # nodes of an expression once what it names is put in; beyond: the rule file is refused
_NAME = r"^[a-z][a-z0-9_]{1,39}$"
_NAME_RULE = "must be 2 to 40 lower case letters, digits and _, a letter first"
_HEADING = re.compile(r"(?m)^[ \t]*\[\[[ \t]*rule[ \t]*\]\]")

_KINDS = ("match", "when", "measure", "table", "brand_at")
_ONLY_FOR = {
    **dict.fromkeys(("where", "ignore_case", "least", "times", "within"), "match"),
    **dict.fromkeys(("at_least", "at_most"), "measure"),
    **dict.fromkeys(("of", "absent"), "table"),
    "elsewhere": "brand_at",
}
"""Of which kind of rule a key is part."""

Pattern = Annotated[str, Field(min_length=1, max_length=1000)]
Example = Annotated[str, Field(max_length=64 * 1024)]


class RuleTable(BaseModel):
    """A `[[rule]]` table."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=_NAME)
    description: str = Field("", max_length=1000)
    match: list[Pattern] = Field([], max_length=200)
    where: list[str] = Field(["subject", "text"], min_length=1, max_length=8)
    ignore_case: bool = True
    least: int = Field(1, ge=1, le=200)
    times: int = Field(1, ge=1, le=1000)
    within: int = Field(0, ge=0, le=MAX_OCTETS)
    when: str = Field("", max_length=4000)
    measure: str = Field("", max_length=60)
    at_least: float = Field(-math.inf, allow_inf_nan=True)
    at_most: float = Field(math.inf, allow_inf_nan=True)
    table: str = Field("", max_length=60)
    of: list[str] = Field([], max_length=8)
    absent: bool = False
    brand_at: list[str] = Field([], max_length=8)
    elsewhere: bool = False
    action: Literal["none", "score", "spam", "accept"] = "none"
    points: float = Field(0.0, ge=-100, le=100, allow_inf_nan=False)
    shadow: bool = False
    group: str = Field("", pattern=r"^([a-z][a-z0-9_]{1,39})?$")
    says: dict[Literal["en", "fr"], Annotated[str, Field(min_length=1, max_length=200)]] = {}
    family: str = Field("", pattern=r"^([a-z][a-z0-9_]{1,39})?$")
    since: str = Field("", max_length=20)
    hits: list[Example] = Field([], max_length=50)
    clear: list[Example] = Field([], max_length=50)


def read_sources(paths: Sequence[Path]) -> tuple[RuleSource, ...]:
    """The files' texts. Raises ConfigError."""
    sources = []
    for path in paths:
        try:
            with path.open("rb") as file:
                octets = file.read(MAX_FILE + 1)
            if len(octets) > MAX_FILE:
                raise ConfigError(str(path), "", f"larger than {MAX_FILE} octets")
            sources.append(RuleSource(str(path), octets.decode("utf-8")))
        except FileNotFoundError:
            raise ConfigError(str(path), "", "no such file") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(str(path), "", f"can't be read: {error}") from None
    return tuple(sources)


@lru_cache(maxsize=4)
def compile_book(
    sources: tuple[RuleSource, ...], filters: frozenset[str], tables: Tables = NO_TABLES
) -> RuleBook:
    """The rules of some files. `filters` are the names that expressions may use beside rules, `tables` what rules may
    look things up in. Raises ConfigError."""
    known: dict[str, Rule] = {}
    expanded: dict[str, Expression] = {}
    for source in sources:
        for rule in _File(source, filters, tables, known, expanded).rules():
            known[rule.name] = rule
            if len(known) > MAX_RULES:
                raise ConfigError(source.name, "", f"more than {MAX_RULES} rules")
    try:
        return RuleBook(tuple(known.values()), tables)
    except PatternError as error:
        raise ConfigError(", ".join(one.name for one in sources), "", str(error)) from None


def failed_examples(book: RuleBook, source: str = "") -> Iterator[str]:
    """What examples don't do what their rule says of them; with `source`, of the rules of that file alone."""
    for rule in book.rules:
        if source and rule.source != source:
            continue
        for wanted, examples in ((True, rule.hits), (False, rule.clear)):
            for number, example in enumerate(examples, 1):
                mail = Mail(example.replace("\r\n", "\n").encode("utf-8", "replace"))
                if "files" in rule.where:
                    mail = mail.with_seen(Seen(mail.text))
                value = book.match(mail).values.get(rule.name, False)
                if (reduce(value, lambda _: False) is True) is not wanted:
                    kind = "hits" if wanted else "clear"
                    told = "does not match" if wanted else "matches"
                    yield f"{rule.source}:{rule.line}: {rule.name}: example {number} of {kind} {told}"


class _File:
    def __init__(
        self,
        source: RuleSource,
        filters: frozenset[str],
        tables: Tables,
        known: dict[str, Rule],
        expanded: dict[str, Expression],
    ) -> None:
        self._source, self._filters, self._known, self._expanded = source, filters, known, expanded
        self._tables = tables
        self._starts = [found.start() for found in _HEADING.finditer(source.text)]
        self._lines = [0, *(found.end() for found in re.finditer("\n", source.text))]
        self._number = -1

    def rules(self) -> Iterator[Rule]:
        try:
            data = tomllib.loads(self._source.text)
        except tomllib.TOMLDecodeError as error:
            place = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
            where = f":{place[1]}:{place[2]}" if place else ""
            told = str(error)[: place.start()] if place else str(error)
            raise ConfigError(f"{self._source.name}{where}", "", f"no valid TOML: {told}") from None
        tables = data.pop("rule", [])
        for key in data:
            found = re.search(rf"(?m)^[ \t]*\[?\[?[ \t]*({re.escape(key)})", self._source.text)
            self._refuse(found.start(1) if found else 0, "no such table", nearest=nearest_name(key, ["rule"]))
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            self._refuse(0, "rules stand under [[rule]]")
        for number, table in enumerate(tables):
            self._number = number
            yield self._rule(table)

    def _rule(self, table: dict[str, Any]) -> Rule:
        if isinstance(table.get("match"), str):
            table["match"] = [table["match"]]
        try:
            read = RuleTable.model_validate(table)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = str(first["loc"][0]) if first["loc"] else ""
            if first["type"] == "extra_forbidden":
                self._refuse(self._place(key), f"no such key {key!r}", near=key, valid=RuleTable.model_fields)
            given = table.get(key)
            near = given if isinstance(given, str) else ""
            actions = ("none", "score", "spam", "accept") if key == "action" else ()
            told = f"{key}: {_NAME_RULE if key == 'name' and key in table else first['msg']}"
            self._refuse(self._place(key, near), told, near=near, valid=actions)
        if read.name in self._filters or read.name in self._known:
            self._refuse(self._place("name", read.name), f"the name {read.name!r} is taken")
        given_kinds = [kind for kind in _KINDS if getattr(read, kind)]
        if len(given_kinds) != 1:
            self._refuse(self._place("name"), f"{read.name}: needs one of {', '.join(_KINDS)}")
        self._check_fitting(read, given_kinds[0])
        self._check_names("where", read.where, PLACES, is_place, extra=("header:",))
        self._check_names("of", read.of, HOSTS)
        self._check_names("brand_at", read.brand_at, BRAND_PLACES)
        for pattern in read.match:
            self._check_pattern(pattern, read)
        return Rule(
            read.name,
            read.action,
            read.points,
            tuple(read.where) if read.match else (),
            tuple(read.match),
            read.ignore_case,
            read.least,
            read.times,
            read.within,
            self._expression(read),
            self._measure(read),
            self._look(read),
            Claim(tuple(read.brand_at), read.elsewhere) if read.brand_at else None,
            {str(language): text for language, text in read.says.items()},
            read.family,
            read.since,
            tuple(read.hits),
            tuple(read.clear),
            read.shadow,
            read.group,
            self._source.name,
            self._line_column(self._place("name"))[0],
        )

    def _check_fitting(self, read: RuleTable, kind: str) -> None:
        """Keys of another kind would be read by nobody."""
        for key in read.model_fields_set & _ONLY_FOR.keys():
            if _ONLY_FOR[key] != kind:
                self._refuse(
                    self._place(key), f"{read.name}: {key} belongs to {_ONLY_FOR[key]}, not to {kind}"
                )
        if read.least > len(read.match) and read.match:
            self._refuse(self._place("least"), f"{read.name}: {read.least} of {len(read.match)} can never be")

    def _check_names(
        self,
        key: str,
        names: Sequence[str],
        known: Collection[str],
        is_known: Callable[[str], bool] | None = None,
        extra: Sequence[str] = (),
    ) -> None:
        for name in names:
            if not (is_known(name) if is_known else name in known):
                self._refuse(
                    self._place(key, name), f"no such place {name!r}", near=name, valid=(*known, *extra)
                )

    def _measure(self, read: RuleTable) -> Measure | None:
        if not read.measure:
            return None
        above = [PATTERNS_OF + name for name, rule in self._known.items() if rule.patterns]
        if read.measure not in MEASURES and read.measure not in above:
            told = f"no such measure {read.measure!r}"
            self._refuse(
                self._place("measure", read.measure), told, near=read.measure, valid=(*MEASURES, *above)
            )
        if not read.at_least <= read.at_most or (math.isinf(read.at_least) and math.isinf(read.at_most)):
            self._refuse(self._place("measure"), f"{read.name}: needs at_least or at_most, the less first")
        return Measure(read.measure, read.at_least, read.at_most)

    def _look(self, read: RuleTable) -> TableLook | None:
        if not read.table:
            return None
        if read.table not in self._tables.domains:
            told = f"no such table {read.table!r}"
            self._refuse(self._place("table", read.table), told, near=read.table, valid=self._tables.domains)
        if not read.of:
            self._refuse(self._place("table"), f"{read.name}: needs of: {', '.join(HOSTS)}")
        return TableLook(read.table, tuple(read.of), read.absent)

    def _check_pattern(self, pattern: str, read: RuleTable) -> None:
        for place in read.where:
            try:
                program_size(pattern, place=place, ignore_case=read.ignore_case)
            except PatternError as error:
                begins = self._place("match", pattern)
                is_there = self._source.text.startswith(pattern, begins)  # as it is written, without escapes
                at = f" (at character {error.place + 1} of the pattern)" if error.place else ""
                self._refuse(begins + (error.place or 0) * is_there, f"{read.name}: {error}{at}")

    def _expression(self, read: RuleTable) -> Expression | None:
        if not read.when:
            return None
        begins = self._place("when", read.when)
        try:
            expression, names = parse(read.when)
        except ExpressionError as error:
            self._refuse(begins + error.place, f"{read.name}: {error}")
        valid = {*self._known, *self._filters}
        for name, place in names:
            if name not in valid:
                told = f"{read.name}: no rule above and no filter is called {name!r}"
                self._refuse(begins + place, told, near=name, valid=valid)
        whole = reduce(expression, lambda name: self._expanded.get(name, name))
        if size(whole) > MAX_EXPANDED:
            self._refuse(begins, f"{read.name}: more than {MAX_EXPANDED} terms with those it names")
        self._expanded[read.name] = whole
        return expression

    def _place(self, key: str, value: str = "") -> int:
        """Where a key of the present rule, or a value behind it, stands in the text."""
        if self._number >= len(self._starts):
            return 0
        begin = self._starts[self._number]
        end = (
            self._starts[self._number + 1] if self._number + 1 < len(self._starts) else len(self._source.text)
        )
        found = re.compile(rf"(?m)^[ \t]*(\"?{re.escape(key)}\"?)[ \t]*=").search(
            self._source.text, begin, end
        )
        if found is None:
            return begin
        inside = self._source.text.find(value, found.end(), end) if value else -1
        return inside if inside >= 0 else found.start(1)

    def _line_column(self, place: int) -> tuple[int, int]:
        line = bisect_right(self._lines, place)
        return line, place - self._lines[line - 1] + 1

    def _refuse(
        self, place: int, problem: str, *, near: str = "", valid: Collection[str] = (), nearest: str = ""
    ) -> NoReturn:
        line, column = self._line_column(place)
        raise ConfigError(
            f"{self._source.name}:{line}:{column}", "", problem, nearest=nearest or nearest_name(near, valid)
        )
