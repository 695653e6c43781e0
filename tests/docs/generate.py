"""The pages of docs/ that follow from the code: `python -m tests.docs.generate` writes them anew."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import click

from tamis.background.exporter import FAMILIES
from tamis.cli import tamis
from tamis.cli.settings import all_settings, filter_settings, markdown_table, markdown_tables
from tamis.contract.service_protocols import NAMES as SERVICES
from tamis.installation.paths import Paths
from tamis.knowledge import SHIPPED, compile_base, read_base
from tamis.language.translation import LANGUAGES, NAMES, translations
from tamis.message.dangerous_names import DANGEROUS
from tamis.message.file_names import Risk
from tamis.message.mail.wrappers import WRAPPERS
from tamis.settings import Settings
from tamis.web.guides import RECIPIENTS, SENDERS, Guide
from tests.builders import FILTERS
from tests.docs.api_page import api_page
from tests.docs.bounds import table
from tests.filters.golden import cases

DOCS = Path(__file__).resolve().parents[2] / "docs"

SETTINGS = """
# Settings

Tamis reads one TOML file: the one that `--config` names, else `$TAMIS_CONFIG`, else `/etc/tamis/tamis.toml` ([and in a
checkout](installation.md#which-settings-a-command-reads)). Every setting has a default, so an empty file is valid. A
wrong key or value is refused with the file, the key, the value and the nearest valid name; a running daemon then keeps
its current settings.

    state_directory = "/var/lib/tamis"

    [platform]
    domains = ["example.com", "example.org"]

    [policy]
    outcome = "quarantine"

    [policy.filters.cyrillic]
    state = "on"

    [policy.domains."example.org"]
    outcome = "tag"

    [policy.mailboxes."marie@example.org".filters.cyrillic]
    state = "off"

What is under `[policy]` can also be under `[policy.domains."DOMAIN"]` and `[policy.mailboxes."ADDRESS"]`, key by key:
a mailbox's own value overrides its domain's, which overrides the platform's. `user+tag@example.com` has the policy of
`user@example.com`, unless it has a table of its own. `tamis policy set` overrides a value of the file, in the same
three scopes and without a restart; `tamis policy show ADDRESS` shows what is in force for a recipient and where it is
set.

`tamis serve` reads the file again on SIGHUP. `[milter]`, `[desk]`, `[store]` and `[state]` say where processes listen
and what they keep open: changes there need a restart, as do `web.listen` and `web.trusted_proxies`. [DNS
lists](dns-lists.md) explains how lists are written in `platform.dnsbl` and the like. `tamis settings` prints this
page, including the filters of other packages.
"""

FILTERS_INTRO = """
# Filters

A message goes through all filters once, whatever the number of its recipients; each filter states what it saw. Then
each recipient's policy turns that into a verdict, in the order of this page: the first filter that accepts, marks as
spam or defers decides. If none does, the points of the others are added up, and a total of `policy.required` or more
is spam.

A filter that could not do its work (a service was down, a deadline passed) is *unavailable*: it never counts, and a
header names it. With `state = "shadow"` a filter is shown and counted but decides nothing; use it to try a filter.

    [policy.filters.cyrillic]        # for everybody
    state = "shadow"

    [policy.domains."example.com".filters.malformed]
    effect = "spam"                  # decides alone instead of adding points
    spam_from = 4.0

`tamis filters` shows the chain under a policy, `tamis filters NAME` one filter's manual page, and `tamis scan FILE`
what each filter says about a message. [Writing a filter](writing-a-filter.md) explains how another package adds one.
"""

COMMANDS = """
# Commands

Everything is done with the one command `tamis`. `tamis COMMAND --help` shows the same text as this page. With
`--json`, commands print JSON.

    tamis scan --ip 192.0.2.7 --rcpt marie@example.com message.eml
    tamis lists add white sender '*.example.net' --note 'our supplier'
    tamis policy set example.com outcome tag
    tamis quarantine list --json

## Exit statuses

| status | meaning |
|---|---|
| 0 | done; for `tamis scan`: all messages are ham |
| 1, 2 | `tamis scan` alone: some message is spam (1), or deferred (2), for some recipient |
| 64 | the command was not understood: an unknown option, a wrong argument |
| 65 | a mistake in the input: a list to import, an index of labelled mail |
| 66 | a file, a message or an entry does not exist |
| 69 | the store, the route through Postfix or an optional library is not available; `tamis doctor` found an error |
| 70 | an error inside Tamis or in a filter of another package |
| 74 | a file could not be read or written |
| 75 | Postfix did not accept a message; try again later |
| 78 | a wrong setting: the message names file, key, value and nearest valid name |
| 130 | interrupted |

Errors are one line on standard error, and leave nothing half done.
"""


CASES = """
# Golden cases

A golden case is a folder of `tests/filters/cases`: a message, its envelope with policy and lists, the answers of the
DNS and the other services, and the expected result: each filter's finding, its effect for each recipient, and the
verdicts. Anything a case does not name must not happen. Each has one sentence that says what it is for.

    tests/filters/test_cases.py    every case through the chain, with services that answer as the case says
    tests/road/test_golden.py      every case through Postfix and the daemon, with real services: NSD, Redis, clamd,
                                   spamd, tesseract, a model on disk; those that fail in a case are really gone

The table lists the cases in which a filter hits for some recipient, in which it looked and has no effect for some
recipient, and in which it could not look because its service was gone. A filter that uses no service needs none of
the last kind; the tests watch which services each filter uses.

To contribute a message that is judged wrongly, add a folder with the next free number of its hundred.
"""

LINKS = """
# Links and files

What can lead a reader somewhere, or run something, and where Tamis looks for it. The filters that use it are
[`uribl`](filters.md#s24-uribl), [`link_text`](filters.md#s31e-link_text),
[`lookalike_domain`](filters.md#s31c-lookalike_domain) and [`attachment_types`](filters.md#s26b-attachment_types).

## Services that wrap links

A link through one of these is also a link to what stands in it, however many of them are wrapped in each other (up to
six). The lists are asked about the service and about the target; a link text that names the target is no deceit. Any
other page may lead on as well to an address in a parameter, in the path or behind "#": with a scheme or without,
percent-coded up to three times, or in base64. Such addresses are asked about, up to twelve of a link, and excuse
nothing.
"""

METRICS = """
# Metrics

With `metrics.listen = "127.0.0.1:9895"` the background process serves metrics for Prometheus there, summed over all
workers, with a delay of about a second. Counters start at 0 when the daemon starts.

    scrape_configs:
      - job_name: tamis
        static_configs: [{ targets: ["127.0.0.1:9895"] }]

What to watch: `rate(tamis_findings_total{status="unavailable"}[5m])` for filters that are unavailable,
`tamis_part_left_out > 0` for the scanner, list or server that causes it ([Running it](operations.md)), and
`rate(tamis_shadow_hits_total[1d])` for what a filter in shadow would do.
"""


BOUNDS = """
# Bounds

Mail is written by attackers, so everything that Tamis does with a message has a bound: on octets, numbers, depth, time.
A bound is no shelter: what stands behind one is told, and may weigh.

- What is left out of a message as a whole is a *defect*, named below in code font: `too_many_files`, `long_text` and so
  on. `malformed` (S33) shows them; those that honest mail does not meet add points, and `points` there can give points
  to the others. Rules can look for them: `where = ["defects"]`.
- Where a filter can look at some things only, nobody who writes a message can know which: what is most likely to be
  bad is always among them, the others are drawn by lot, with a secret of each process and for each message anew. The
  finding's `left_out` says how many were not looked at.
- What was not looked at in an attachment is a kind of risk, which `attachment_types` (S26b) shows, and whose points can
  be changed there: `archive_limit`, `links_left_out` and so on. Of images and documents that S22 reads, `long_file`,
  `file_truncated` and `too_many_images` are defects as well, once they have been read.
- A row without a name in code font says why nothing can be hidden behind it. `tests/filters/test_bounds_table.py` makes
  a message that exceeds each other row, and looks for what the row promises.
- `tests/services/files/test_hostile_readers.py` tries each reader of content with bombs, what leads back to itself,
  ten thousand of what it is made of, broken off anywhere, changed at random; a module there without such content
  fails it.
- A service, a file or a record that is too large for its reader is no answer: *unavailable*, or a result such as
  permerror that the standard has for it.

`milter.max_examined` ([settings](settings.md)) is how much of a message is examined at all; more is `truncated`.
"""


FILES = """
# Files

Where Tamis keeps what, by the settings `state_directory` and `run_directory` ([settings](settings.md)), and what it
means when it is lost. What says "back it up" is all that a [backup](operations.md) needs.
"""

KNOWLEDGE = """
# Knowledge

What Tamis knows of unwanted mail before anybody has taught it: a base of rules and tables, which is data and ships
with the package. The filter [`knowledge`](filters.md#s21b-knowledge) adds the points of the rules that a message
matches.

    tamis/knowledge/data        base.toml (version), rules/*.toml, tables/*.toml, points.toml
          |
    read with the settings, checked, compiled once; SIGHUP reads it again, a mistake leaves the old one in force
          |
    one pass over each place of a message for all literals that some pattern needs; then those patterns alone (RE2)
          |
    finding of S21b: the ids of the rules that match, and of the pairs of which both match, with their points
          |
    each recipient's policy: points changed, rules left out or in shadow -> the sum -> the total -> `required`

- **On, off**: the filter is on. `filters.knowledge.state` is "off", or "shadow" (shown and counted, without effect),
  for the platform, a domain or a mailbox.
- **Single rules**: `leave_out = ["kindly"]`, `shadowed = ["kindly"]` or `points.kindly = 0.5` under
  `filters.knowledge`, in the same scopes. Points that you set stand for all that the rule adds, in pairs as well.
- **Newer bases** need no new Tamis: `tamis knowledge update FILE` checks the base in a tar archive, tries every
  example in it, and puts it into `state_directory/knowledge`, in one step; then reload. `knowledge.directory` names a
  folder of your own instead. `tamis knowledge status` shows version and checksum, `tamis knowledge diff` what differs
  from the one that ships. To go back, remove `state_directory/knowledge/current` and reload. An archive can't name
  code: tables take lists of packages only from those that Tamis knows. It is not signed: where it comes from is for
  you to trust.
- **Your own rules** may use everything that the base's rules do, the tables included ([Rules](rules.md)).

## Where the points come from

`benchmarks/dayone --fit` writes `points.toml`: a logistic regression over which rules match, and which two rules
together, on labelled mail of several places. A pair is tried where it says clearly more than either of its rules, and
in more than one source of spam: "HTML without plain text" and "money in the subject" each stand in many newsletters,
both and a free mail address hardly in any. No rule or pair may be worth more than its evidence, which is the logarithm
of the least plausible rate in spam over the greatest plausible rate in legitimate mail (Wilson intervals, the worst
source of legitimate mail included), nor more than 3 points, so that at least three must agree. Only answers to
messages count in a message's favour, by little, and the sum is never below 0. Then all points are scaled so that the
default `required` is twice the sum that one in a thousand messages of any source of legitimate mail reaches: the
promise is about legitimate mail, not about spam. What lists add (their header fields, and quoted lines) is not looked
at, and rules that may see who collected a source learn nothing from it. A rule that got no points is not shipped.

Private newsletters and notices are no public data, so half of the legitimate mail of that kind is made up
(`benchmarks/honest`): texts of many kinds in the forms of many mail programs and services. Texts of half of the kinds
are never shown to the fit. [Benchmarks](benchmarks.md#the-first-day) has the figures, also of each source left out of
the fit.

Points are no proof: mail of a kind that none of the sources had may meet many rules. `filters.knowledge.score` has no
effect; to be more careful, raise `required` or put single rules into shadow.


## Tables
"""

_TABLES_OF = "| table | entries | what it holds | source | date | licence |"


def knowledge_page() -> str:
    """docs/knowledge.md."""
    return _page(KNOWLEDGE, _knowledge())


def _knowledge() -> Iterator[str]:
    base = compile_base(read_base(SHIPPED))
    yield f"Version {base.version}.\n"
    yield _TABLES_OF
    yield "|---|---|---|---|---|---|"
    for one in base.tables:
        number = (
            f"{len(one.brands)} brands" if one.brands else "package" if one.package else str(len(one.entries))
        )
        yield f"| `{one.name}` | {number} | {one.about} | {one.source} | {one.date} | {one.licence} |"
    yield "\n## Rules\n"
    yield f"The points: {base.fitted}.\n"
    yield "`alone` is what a rule adds by itself, `pairs` in how many pairs it stands and what each adds at most.\n"
    yield "| id | alone | pairs | says | dit | family | since |"
    yield "|---|---|---|---|---|---|---|"
    together: dict[str, list[float]] = defaultdict(list)
    for first, others in base.pairs.items():
        for second, points in others:
            together[first].append(points)
            together[second].append(points)
    for rule in sorted(base.speaking, key=lambda one: (one.family, one.name)):
        says = f"{rule.says['en']} | {rule.says['fr']}"
        found = together[rule.name]
        pairs = f"{len(found)}, {max(found):+g}" if found else "-"
        yield f"| `{rule.name}` | {rule.points:+g} | {pairs} | {says} | {rule.family} | {rule.since} |"


def settings_page() -> str:
    """docs/settings.md."""
    return _page(SETTINGS, markdown_tables(all_settings(FILTERS)))


def filters_page() -> str:
    """docs/filters.md."""
    return _page(FILTERS_INTRO, _filters())


def commands_page() -> str:
    """docs/commands.md."""
    context = click.Context(tamis, info_name="tamis", terminal_width=1000)  # wherever it runs
    return _page(COMMANDS, _command(tamis, context, 2))


def cases_page() -> str:
    """docs/golden-cases.md."""
    return _page(CASES, _cases())


def links_page() -> str:
    """docs/links-and-files.md."""
    return _page(LINKS, chain(_wrappers(), _names()))


def _wrappers() -> Iterator[str]:
    yield "| service | hosts | an example leads to | source |"
    yield "|---|---|---|---|"
    for row in WRAPPERS:
        hosts = ", ".join(f"`{host.replace('|', chr(92) + '|')}`" for host in row.hosts)
        target = f"`{row.example}` -> `{row.target}`" if row.target else "nobody but the service knows where"
        yield f"| {row.name} | {hosts} | {target} | {row.source} |"


def bounds_page() -> str:
    """docs/bounds.md."""
    return _page(BOUNDS, table())


def _names() -> Iterator[str]:
    yield "\n## Names of files\n"
    yield "Opening one of the first kinds runs what is in it (`dangerous_name`); the last ones"
    yield "often carry something that runs, and are honest now and then (`risky_name`). What a file is by its content"
    yield "counts whatever its name.\n"
    yield "| kind | extensions | risk | source |"
    yield "|---|---|---|---|"
    for row in DANGEROUS:
        risk = Risk.DANGEROUS_NAME if row.runs else Risk.RISKY_NAME
        yield f"| {row.kind} | {' '.join(sorted(row.extensions))} | `{risk}` | {row.source} |"


def metrics_page() -> str:
    """docs/metrics.md."""
    return _page(METRICS, _metrics())


def files_page() -> str:
    """docs/files.md."""
    return _page(FILES, _files())


def _files() -> Iterator[str]:
    folders = {"state_directory": Path("/state"), "run_directory": Path("/run")}
    paths = Paths(Settings(**folders))
    yield "| where | what | lost means |"
    yield "|---|---|---|"
    for name, place in Paths.places().items():
        path: Path = getattr(paths, name)
        (folder,) = (f"{key}/{path.relative_to(top)}" for key, top in folders.items() if top in path.parents)
        yield f"| `{folder}` | {place.what} | {place.lost} |"


def _metrics() -> Iterator[str]:
    yield "| name | kind | labels | |"
    yield "|---|---|---|---|"
    for name, one in FAMILIES.items():
        shown = f"{name}_total" if one.kind == "counter" else name
        labels = ", ".join(f"`{label}`" for label in one.labels)
        yield f"| `{shown}` | {one.kind} | {labels} | {one.help} |"


GUIDES = {
    f"guides/{name if code == 'en' else f'{name}-{code}'}.md": (name, code)
    for name in ("recipients", "senders")
    for code in LANGUAGES
}
"""The guides that Tamis serves to people, in each language."""


def guide_page(file: str) -> str:
    """One of docs/guides."""
    name, language = GUIDES[file]
    guide = {"recipients": RECIPIENTS, "senders": SENDERS}[name]
    translate = translations(language).gettext
    others = (
        f"*[{NAMES[code]}]({Path(other).name})*"
        for other, (same, code) in GUIDES.items()
        if same == name and other != file
    )
    return _page(f"# {translate(guide.title)}\n\n{' '.join(others)}", _guide(guide, translate))


def _guide(guide: Guide, translate: Callable[[str], str]) -> Iterator[str]:
    for part in guide.parts:
        if part.title:
            yield f"## {translate(part.title)}\n"
        for one in part.says:
            yield f"{translate(one)}\n"
        if part.choices:
            yield "| | |"
            yield "|---|---|"
            for choice, what in part.choices:
                yield f"| **{translate(choice)}** | {translate(what)} |"
            yield ""


def _page(intro: str, lines: Iterator[str]) -> str:
    made = "<!-- Made by python -m tests.docs.generate. -->"
    return "\n".join([f"{intro.strip()}\n", f"{made}\n", *lines]).rstrip() + "\n"


def _filters() -> Iterator[str]:
    yield "| id | name | kind | by default | |"
    yield "|---|---|---|---|---|"
    for one in FILTERS:
        link = f"[`{one.name}`](#{one.spec_id.lower()}-{one.name})"
        yield f"| {one.spec_id} | {link} | {one.effect} | {one.state} | {one.summary} |"
    yield ""
    for one in FILTERS:
        yield f"## {one.spec_id} {one.name}\n"
        yield f"{inspect.getdoc(one)}\n"
        known = f"Can run from stage {one.stage.name} onwards."
        asks = f" Uses: {', '.join(SERVICES[name] for name in one.asks)}." if one.asks else ""
        yield f"{known}{asks}{'' if one.switchable else ' Can not be switched off.'}\n"
        if one.plain_reason:
            why = one.forbids_challenge
            never = f" A reason not to ask its sender to confirm it: `{why}`." if why else ""
            yield f"People read of a held message: {one.plain_reason}.{never}\n"
        yield from markdown_table(filter_settings(one))
        yield ""


def _cases() -> Iterator[str]:
    numbers: dict[tuple[str, str], list[str]] = {}
    for case in cases():
        for name, kind in case.kinds():
            numbers.setdefault((name, kind), []).append(case.number)
    yield f"{len(cases())} cases:\n"
    yield "| id | filter | hit | clear | unavailable | service |"
    yield "|---|---|---|---|---|---|"
    for one in FILTERS:
        kinds = [", ".join(numbers.get((one.name, kind), ())) for kind in ("hit", "clear", "unavailable")]
        services = ", ".join(SERVICES[name] for name in one.asks)
        yield f"| {one.spec_id} | `{one.name}` | {' | '.join(kinds)} | {services} |"


def _command(command: click.Command, context: click.Context, level: int) -> Iterator[str]:
    yield f"{'#' * level} {context.command_path}\n"
    yield f"    {command.get_usage(context).removeprefix('Usage: ')}\n"
    if command.help:
        yield f"{inspect.cleandoc(command.help)}\n"
    options = [
        p for p in command.get_params(context) if isinstance(p, click.Option) and "--help" not in p.opts
    ]
    for option in options:
        left, text = option.get_help_record(context) or ("", "")
        yield f"- `{left}`: {text}"
    if options:
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(
                inner, click.Context(inner, parent=context, info_name=name), min(level + 1, 4)
            )


PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "api.md": api_page,
        "knowledge.md": knowledge_page,
        "settings.md": settings_page,
        "filters.md": filters_page,
        "commands.md": commands_page,
        "golden-cases.md": cases_page,
        "metrics.md": metrics_page,
        "files.md": files_page,
        "bounds.md": bounds_page,
        "links-and-files.md": links_page,
        **{file: partial(guide_page, file) for file in GUIDES},
    }
)
"""File of the folder -> what makes it."""

if __name__ == "__main__":
    for file, page in PAGES.items():
        (DOCS / file).write_text(page())
