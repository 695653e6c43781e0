"""What the two script filters have in common: a share of letters, and host names in the script."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field as Option

from tamis.contract.filter import Filter, FilterOptions, Message, Opinion, OptionsT, Scopes, State
from tamis.contract.finding import Finding, Status
from tamis.message.mail.scripts import count_scripts


class ScriptOptions(FilterOptions):
    """Adds from which share on, and whether host names count."""

    share: float = Option(
        0.3, gt=0, le=1, description="share of the letters of subject and text from which it is a hit (0-1)"
    )
    least: int = Option(10, ge=1, le=100_000, description="minimum number of letters in the script for a hit")
    urls: bool = Option(
        True, description="one internationalised host name in the script, in a link, is enough for a hit"
    )


class Writing(Filter[OptionsT]):
    """A filter on the script a message is written in. Facts are counts; shares are policy."""

    state = State.OFF
    options = ScriptOptions
    scripts: ClassVar[tuple[str, ...]]

    def examine(self, message: Message) -> Finding:
        """How many letters are in each script, and which host names use one."""
        scripts = message.mail.scripts
        counts = {name: count for name in self.scripts if (count := getattr(scripts, name))}
        hosts: dict[str, str] = {}
        for url in message.mail.urls:
            if not url.unicode_host.isascii() and (script := self._script_of(url.unicode_host)):
                hosts.setdefault(url.unicode_host, script)
        first = {script: host for host, script in reversed(hosts.items())}  # one of each is enough to judge
        if not counts and not hosts:
            return self.clear("no letter of the script")
        return self.hit(
            "{seen} of {letters} letters, {links} links in the script",
            seen=sum(counts.values()),
            letters=scripts.letters,
            links=len(hosts),
            counts=counts,
            hosts={host: script for script, host in first.items()},
        )

    def judge(self, finding: Finding, options: OptionsT, scopes: Scopes) -> Opinion:
        """A hit when the wanted scripts make up the share, or a link uses one."""
        if finding.status is not Status.HIT or not isinstance(options, ScriptOptions):
            return self.opinion(finding, options, hit=False)
        wanted = self.wanted(options)
        seen = sum(n for name, n in finding.facts["counts"].items() if name in wanted)
        linked = options.urls and any(script in wanted for script in finding.facts["hosts"].values())
        enough = seen >= options.least and seen >= options.share * finding.facts["letters"]
        return self.opinion(finding, options, hit=enough or linked)

    def _script_of(self, host: str) -> str:
        """The first of this filter's scripts that a host name has a letter of, or ""."""
        counts = count_scripts(host)
        return next((name for name in self.scripts if getattr(counts, name)), "")

    def wanted(self, options: ScriptOptions) -> tuple[str, ...]:
        """The scripts that count for this recipient."""
        return self.scripts
