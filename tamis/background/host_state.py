"""How this host is, from what its processes leave in files: for the pages."""

from __future__ import annotations

import shutil

from tamis import __version__
from tamis.base.breaker import PartState
from tamis.base.shared_files import read_json
from tamis.database.host_health import HostState, LeftOut
from tamis.desk.route import Proof, last_touched
from tamis.handover.part_states import left_out, read_parts
from tamis.installation.paths import Paths
from tamis.models.reports import Spool
from tamis.settings import Settings


def state_of(settings: Settings) -> HostState:
    """As it is now. Raises OSError when the state directory can't be looked at."""
    paths = Paths(settings)
    told = read_parts(paths)
    running = read_json(paths.processes) or {}
    space = shutil.disk_usage(settings.state_directory)
    return HostState(
        version=__version__,
        processes={role: len(some) for role, some in running.items() if isinstance(some, list)},
        parts=len({one.part for states in told.values() for one in states}),
        left_out=[
            LeftOut(
                part, len(states), max(one.left_out_until for one in states), max(states, key=_until).reason
            )
            for part, states in sorted(left_out(told).items())
        ],
        journal=sum(one.stat().st_size for one in paths.journal.glob("*.jsonl")),
        journal_limit=settings.history.journal,
        redirected=sum(1 for _ in paths.notes.glob("*.json")),
        route_proven=Proof(paths.proof).read().sent_at,
        postfix_changed=last_touched(settings.postfix.config_directory),
        disk_free=space.free,
        disk_total=space.total,
        reports=Spool(settings.spool_directory).waiting(),
    )


def _until(state: PartState) -> float:
    return state.left_out_until
