"""How the hosts of a store are, as each told last: what pages show, which run in another process or on another host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select

from tamis.database.connection import Database, clean
from tamis.database.hosts import FORGOTTEN
from tamis.database.schema import FactRow
from tamis.database.statistics_schema import HealthRow

_ASKED = "checks_asked"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """An external part that processes leave out because it keeps failing; `until` in Unix seconds."""

    part: str
    processes: int
    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class HostCheck:
    """What a check of `tamis doctor` said: `health` is ok, warning or error, `mend` what to do, "" for nothing."""

    health: str
    check: str
    found: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class HostState:
    """What a host tells of itself. Sizes are in octets, moments in Unix seconds (0: never, or unknown)."""

    version: str
    processes: Mapping[str, int] = field(default_factory=dict)
    """Role -> how many run."""
    parts: int = 0
    """External parts that processes watch."""
    left_out: Sequence[LeftOut] = ()
    journal: int = 0
    journal_limit: int = 0
    """What waits for the history, and how much may."""
    redirected: int = 0
    """Copies on their way to the desk."""
    route_proven: float = 0.0
    postfix_changed: float = 0.0
    disk_free: int = 0
    disk_total: int = 0
    reports: int = 0
    """Readers' reports that wait to be learned."""
    checks: Sequence[HostCheck] = ()
    checked: float = 0.0
    """What `tamis doctor` said, and when."""

    @property
    def is_route_doubtful(self) -> bool:
        """Whether Postfix's configuration was changed after the route to the desk was last proven."""
        return 0 < self.route_proven < self.postfix_changed

    def to_dict(self) -> dict[str, Any]:
        """A form that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> HostState:
        """Read what `to_dict` wrote; what another version wrote as well is left out."""
        known = {name: data[name] for name in cls.__slots__ if name in data}
        known["version"] = str(data.get("version", ""))
        known["left_out"] = tuple(LeftOut(**one) for one in data.get("left_out", ()))
        known["checks"] = tuple(HostCheck(**one) for one in data.get("checks", ()))
        return cls(**known)


@dataclass(frozen=True, slots=True)
class HostHealth:
    """A host, and when it told that."""

    host: str
    at: datetime
    state: HostState


class Healths:
    """The part of the store about how hosts are. Every method raises StoreError when the database can't answer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def tell(self, host: str, state: HostState, *, now: datetime | None = None) -> None:
        """This host is like that now; what told nothing for long is forgotten."""
        now = now or datetime.now(UTC)
        put = self._database.insert(HealthRow)
        put = put.on_conflict_do_update(
            index_elements=["host"], set_={"at": put.excluded.at, "state": put.excluded.state}
        )
        with self._database.write() as session:
            session.execute(put, {"host": clean(host), "at": now, "state": state.to_dict()})
            session.execute(delete(HealthRow).where(HealthRow.at < now - FORGOTTEN))

    def ask_for_checks(self, *, now: datetime | None = None) -> None:
        """Every host is to make its checks anew."""
        put = self._database.insert(FactRow)
        put = put.on_conflict_do_update(index_elements=["name"], set_={"value": put.excluded.value})
        at = (now or datetime.now(UTC)).isoformat()
        with self._database.write() as session:
            session.execute(put, {"name": _ASKED, "value": at})

    def asked_for_checks(self) -> datetime | None:
        """When somebody did that last."""
        with self._database.read() as session:
            at = session.scalar(select(FactRow.value).where(FactRow.name == _ASKED))
        return datetime.fromisoformat(at) if at else None

    def all(self) -> list[HostHealth]:
        """All hosts that told, by name; what can't be read, of another version, is left out."""
        found: list[HostHealth] = []
        with self._database.read() as session:
            for row in session.scalars(select(HealthRow).order_by(HealthRow.host)):
                try:
                    found.append(HostHealth(row.host, row.at, HostState.from_dict(row.state)))
                except (KeyError, TypeError, ValueError, AttributeError):
                    continue
        return found
