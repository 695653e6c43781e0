"""What is not well, in sentences: from what hosts told of themselves and from what filters could not look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from tamis.database.counts import FilterCount, Latency
from tamis.database.host_health import HostHealth
from tamis.language.translation import marked
from tamis.web.page_reader import PageReader

SILENT = timedelta(minutes=1)
"""After so long without a word, a host is taken for stopped."""
_DISK_SHARE, _DISK_OCTETS = 0.05, 1024**3
_JOURNAL_SHARE = 0.5
UNANSWERED = 0.01
"""The share of messages without an answer from which on a filter is named."""


def of_hosts(hosts: Sequence[HostHealth], reader: PageReader) -> list[str]:
    """What is wrong with the hosts."""
    if not hosts:
        return [reader.gettext(marked("No host has told how it is: is the daemon running?"))]
    return [sentence for one in hosts for sentence in _of_host(one, reader)]


def _of_host(one: HostHealth, reader: PageReader) -> Iterable[str]:
    state = one.state
    said = {"host": one.host.partition(":")[0]}

    def told(sentence: str, **values: object) -> str:
        return reader.gettext(sentence) % (said | values)

    if reader.now - one.at > SILENT:
        yield told(marked("%(host)s has told nothing since %(when)s."), when=reader.moment(one.at))
        return
    for part in state.left_out:
        until = reader.moment(datetime.fromtimestamp(part.until, UTC))
        yield told(
            marked("%(part)s does not answer on %(host)s and is left out; it is tried again at %(when)s."),
            part=part.part,
            when=until,
        )
    if state.is_route_doubtful:
        yield told(
            marked(
                "Postfix's configuration on %(host)s was changed; the route to the desk is proven anew with the next "
                "message that needs it."
            )
        )
    if state.disk_total and (
        state.disk_free < _DISK_OCTETS or state.disk_free < _DISK_SHARE * state.disk_total
    ):
        yield told(
            marked("The disk of %(host)s is nearly full: %(free)s are left."),
            free=reader.size(state.disk_free),
        )
    if state.journal_limit and state.journal > _JOURNAL_SHARE * state.journal_limit:
        yield told(
            marked("%(size)s of history wait on %(host)s for the store."), size=reader.size(state.journal)
        )


def of_latencies(latencies: Iterable[Latency], reader: PageReader) -> list[str]:
    """The filters that often had no answer, on the whole platform."""
    shares = {one.filter: one.unavailable / one.looked for one in latencies if one.looked}
    return _unanswered(shares, reader)


def of_filters(filters: Iterable[FilterCount], copies: int, reader: PageReader) -> list[str]:
    """The same of somebody's own domains."""
    return _unanswered({one.filter: one.unavailable / copies for one in filters} if copies else {}, reader)


def _unanswered(shares: dict[str, float], reader: PageReader) -> list[str]:
    sentence = reader.gettext(marked("%(filter)s had no answer for %(share)s of the messages."))
    worst = sorted(shares.items(), key=lambda one: (-one[1], one[0]))
    return [
        sentence % {"filter": name.replace("_", " "), "share": reader.share(share)}
        for name, share in worst
        if share >= UNANSWERED
    ]
