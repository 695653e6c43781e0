"""What our own DNS client, MIME parser and inner loops cost, compared with libraries (see benchmarks/handwritten)."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import click
import dns.asyncresolver
import numpy as np

from benchmarks.measuring import corpus_paths, spread
from tamis.message.mail import Mail
from tamis.models import compiled
from tamis.models.features import TABLE_SIZE, extract
from tamis.models.learner import Learner, score
from tamis.services.dns.resolver import Resolver
from tests.models.inner_loops import using
from tests.real.nameserver import PrivateDNS

_ZONE = "example.net"
_TOGETHER = 20  # questions that a message asks at once
_BATCHES = 25


def _names(round_number: int, batch: int) -> list[str]:
    """Names that nobody asked for before, so that no cache answers."""
    return [f"r{round_number}b{batch}n{number}.{_ZONE}" for number in range(_TOGETHER)]


async def _ours(server: PrivateDNS, round_number: int) -> float:
    resolver = Resolver([("127.0.0.1", server.port)])

    async def ask(names: Sequence[str]) -> int:
        answers = await resolver.queries([(name, "A") for name in names])
        return sum(not isinstance(one, Exception) and bool(one.records) for one in answers)

    try:
        return await _timed(ask, round_number)
    finally:
        resolver.close()


async def _dnspython(server: PrivateDNS, round_number: int) -> float:
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = ["127.0.0.1"], server.port

    async def ask(names: Sequence[str]) -> int:
        answers = await asyncio.gather(*(resolver.resolve(name, "A") for name in names))
        return sum(bool(one.rrset) for one in answers)

    return await _timed(ask, round_number)


async def _timed(ask: Callable[[Sequence[str]], Awaitable[int]], round_number: int) -> float:
    """CPU ms a question of this process; every question must have been answered."""
    begun = time.process_time()
    for batch in range(_BATCHES):
        answered = await ask(_names(round_number, batch))
        if answered != _TOGETHER:
            raise click.ClickException(f"{answered} of {_TOGETHER} questions were answered")
    return (time.process_time() - begun) * 1000 / (_BATCHES * _TOGETHER)


def _mime(ways: Mapping[str, Callable[[bytes], object]], raws: Sequence[bytes]) -> dict[str, float]:
    """CPU ms a message, in turn on the same messages."""
    taken: dict[str, float] = {}
    for name, way in ways.items():
        begun = time.process_time()
        for raw in raws:
            way(raw)
        taken[name] = (time.process_time() - begun) * 1000 / len(raws)
    return taken


def _leaves(policy: email.policy.Policy | None) -> Callable[[bytes], object]:
    """Every part of a message with its type and file name."""

    def read(raw: bytes) -> object:
        parsed = email.message_from_bytes(raw, policy=policy) if policy else email.message_from_bytes(raw)
        return [(part.get_content_type(), part.get_filename()) for part in parsed.walk()]

    return read


def _our_leaves(raw: bytes) -> object:
    return [(part.content_type, part.filename) for part in Mail(raw).parts]


MIME: Mapping[str, Callable[[bytes], object]] = {
    "MIME: ours": _our_leaves,
    "MIME: email, compat32": _leaves(None),
    "MIME: email, policy default": _leaves(email.policy.default),
}


def _statistics(mails: Sequence[Mail]) -> dict[str, float]:
    """CPU ms of reading and scoring a message, and of learning it, with either kind of inner loops in turn."""
    taken: dict[str, list[int]] = {}
    weights = np.random.default_rng(1).normal(0, 0.1, TABLE_SIZE).astype(np.float32)
    kinds = {"compiled": compiled.loops, "numpy": None}
    learners = {kind: Learner(weights) for kind in kinds}
    for number, mail in enumerate(mails):
        for kind, loops in kinds.items():
            with using(loops):
                begun = time.thread_time_ns()
                features = extract(mail)
                score(weights, features)
                scored = time.thread_time_ns()
                learners[kind].learn(features, spam=number % 2 == 0)
                taken.setdefault(f"statistics, a score: {kind}", []).append(scored - begun)
                taken.setdefault(f"statistics, a lesson: {kind}", []).append(time.thread_time_ns() - scored)
    return {
        f"{name}, {what}": of(nanoseconds) / 1e6
        for name, nanoseconds in taken.items()
        for what, of in (("mean", statistics.fmean), ("median message", statistics.median))
    }


@click.command()
@click.option("--messages", default=300, show_default=True)
@click.option("--rounds", default=7, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(messages: int, rounds: int, *, as_json: bool) -> None:
    """Measure."""
    raws = [path.read_bytes() for path in spread(corpus_paths(), messages)]
    mails = [Mail(raw) for raw in raws]  # their parts are read in the first round, which is not counted
    if not compiled.used:
        raise click.ClickException(compiled.WHY_NOT)
    taken: dict[str, list[float]] = {}
    with PrivateDNS({_ZONE: "* IN A 192.0.2.1"}) as server:
        for number in range(rounds + 1):
            round_taken = {
                "DNS: ours": asyncio.run(_ours(server, 2 * number)),
                "DNS: dnspython": asyncio.run(_dnspython(server, 2 * number + 1)),
                **_mime(MIME, raws),
                **_statistics(mails),
            }
            if number:  # the first round warms up
                for name, milliseconds in round_taken.items():
                    taken.setdefault(name, []).append(milliseconds)
    if as_json:
        click.echo(json.dumps(taken))
        return
    click.echo("| CPU ms | median of rounds (least-most) |\n|---|---|")
    for name, values in taken.items():
        click.echo(f"| {name} | {statistics.median(values):.3f} ({min(values):.3f}-{max(values):.3f}) |")


if __name__ == "__main__":
    main()
