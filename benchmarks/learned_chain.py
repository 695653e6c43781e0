"""The whole chain untrained, and the peers with their Bayes filters, asked about messages by their content."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.dayone_peers import SpamAssassinPeer, rspamd_peer
from benchmarks.rspamd import PrivateRspamd
from benchmarks.scanning import by_content
from tamis.models.corpora import Place
from tests.real.scanners import PrivateSpamd
from tests.real.support import find_program, run

_LEARNED_AT_ONCE = 25  # by one call of sa-learn: a few seconds each


@dataclass(frozen=True, slots=True)
class Untrained:
    """What all filters but S27 made of a message: their points, and whether one of them took it for spam by itself."""

    points: float
    spam: bool


def untrained(paths: Sequence[Path]) -> Iterator[Untrained]:
    """What `tamis scan` says, with no lessons and a DNS that does not answer, the base of knowledge on."""
    for told in by_content(paths, '[policy.filters.knowledge]\nstate = "on"\n'):
        by_itself = told["verdict"] == "spam" and told["decided_by"] != "score"
        yield Untrained(float(told["score"]), by_itself)


class TaughtSpamd(PrivateSpamd):
    """Debian's rules without the network, and Bayes, taught by `sa-learn`."""

    def __init__(self, lessons: Sequence[Place]) -> None:
        super().__init__()
        self._lessons = lessons

    def prepare(self) -> None:
        """Its configuration, and what it is taught."""
        super().prepare()
        with (self._site / "local.cf").open("w") as file:
            file.write(f"use_bayes 1\nbayes_auto_learn 0\nbayes_path {self.directory}/bayes\n")
        for spam in (False, True):
            paths = [str(one.path) for one in self._lessons if one.spam is spam]
            for at in range(0, len(paths), _LEARNED_AT_ONCE):
                listed = self.directory / "lessons"
                listed.write_text("\n".join(paths[at : at + _LEARNED_AT_ONCE]))
                run(
                    [
                        *(find_program("sa-learn"), f"--{'spam' if spam else 'ham'}", "--no-sync", "--local"),
                        *("--siteconfigpath", self._site, "--folders", listed),
                    ]
                )
        run([find_program("sa-learn"), "--sync", "--siteconfigpath", self._site])
        for made in self.directory.glob("bayes*"):
            shutil.chown(made, "nobody")


class TaughtSpamAssassin(SpamAssassinPeer):
    """SpamAssassin as a peer, with Bayes."""

    def __init__(self, lessons: Sequence[Place]) -> None:
        self._server = TaughtSpamd(lessons)


@contextmanager
def peers(lessons: Sequence[Place]) -> Iterator[dict[str, SpamAssassinPeer | PrivateRspamd]]:
    """Those that are installed, by name, each taught the lessons."""
    with ExitStack() as stack:
        found: dict[str, SpamAssassinPeer | PrivateRspamd] = {}
        if shutil.which("spamd"):
            found["SpamAssassin"] = stack.enter_context(TaughtSpamAssassin(lessons))
        rspamd = stack.enter_context(rspamd_peer())
        if rspamd is not None:
            for spam in (False, True):
                rspamd.learn("spam" if spam else "ham", [one.path for one in lessons if one.spam is spam])
            found["rspamd"] = rspamd
        yield found
