"""Host names have another spelling for comparing: UTS 46 and IDNA 2008 instead of IDNA 2003 (tamis.message.names).

What was stored under the old one gets today's. Most of it is the same; what differs are A-labels that are none today,
names that the old codec had refused, and local parts with quotes that they don't need. Where the old spelling had
lost a difference (`straße.example` was `strasse.example`), held mail and the history still have the recipient as it
was written and follow it; lists, overrides, earned senders and sessions have not, and keep the name they have. Rows
that have one name now are made one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from tamis.message.address import domain_key, domain_of, local_key
from tamis.message.names import host_name, u_label

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

Row = Mapping[str, Any]


def upgrade() -> None:
    """Give every key of a row with an unusual name its spelling of today."""
    changed = _renew("list_entries", ("scope", "colour", "subject", "pattern"), _entry, _one_entry)
    changed += _renew("overrides", ("scope", "key"), _scope, _later("at"))
    if changed:
        op.execute("UPDATE revision SET value = value + 1")
    _renew("senders", ("domain", "address"), _sender, _one_sender)
    _renew("marks", ("kind", "fingerprint", "scope", "message", "reporter"), _mark, _later("expires"))
    _renew("challenges", ("transaction", "domain", "reason"), _challenge, _later("at"))
    _renew("web_sessions", ("id",), lambda row: {"address": _address(row["address"])}, _later("expires_at"))
    _renew(
        "mailings", ("mailbox", "kind"), lambda row: {"mailbox": _address(row["mailbox"])}, _later("sent_at")
    )
    _renew("messages", ("id",), _of_recipient, _later("held_at"))
    _renew("history_verdicts", ("message", "place"), _of_recipient, None)


def _domain(key: str) -> str:
    """A domain's spelling of today; labels that are A-labels today stay as they are."""
    return domain_key(".".join(u_label(one) if host_name(one).problem else one for one in key.split(".")))


def _address(key: str) -> str:
    local, at, domain = key.rpartition("@")
    return f"{local_key(local)}@{_domain(domain)}" if at else _domain(key)


def _scope(row: Row) -> Row:
    return {"scope": _address(row["scope"])}


def _entry(row: Row) -> Row:
    of_sender = row["subject"] == "sender"
    return {**_scope(row), "pattern": _address(row["pattern"]) if of_sender else row["pattern"]}


def _sender(row: Row) -> Row:
    return {"domain": _domain(row["domain"]), "address": _address(row["address"])}


def _mark(row: Row) -> Row:
    return {**_scope(row), "reporter": _address(row["reporter"])}


def _challenge(row: Row) -> Row:
    there = {name: _domain(row[name]) for name in ("domain", "sender_domain")}
    return {**there, "sender": _address(row["sender"])}


def _of_recipient(row: Row) -> Row:
    """The recipient stands there as it was written; the mailbox is without its extension already."""
    domain = domain_of(row["recipient"])
    local, at, _ = row["mailbox"].rpartition("@")
    if not at or not domain:
        return {}
    return {"domain": domain, "mailbox": f"{local_key(local)}@{domain}"}


def _one_entry(kept: Row, gone: Row) -> Row:
    """An entry that ends later, or never, with the hits of both."""
    never = kept["expires"] is None or gone["expires"] is None
    expires = None if never else max(kept["expires"], gone["expires"])
    return {"expires": expires, "hits": kept["hits"] + gone["hits"]}


def _one_sender(kept: Row, gone: Row) -> Row:
    sums = {name: kept[name] + gone[name] for name in ("validations", "complaints")}
    later = max(kept, gone, key=lambda row: row["at"])
    return sums | {name: later[name] for name in ("author", "at")}


def _later(moment: str) -> Callable[[Row, Row], Row]:
    """The row that is the later one."""

    def chosen(kept: Row, gone: Row) -> Row:
        return gone if gone[moment] > kept[moment] else {}

    return chosen


def _renew(
    name: str,
    unique: tuple[str, ...],
    keys: Callable[[Row], Row],
    merged: Callable[[Row, Row], Row] | None,
) -> int:
    """Put a table's keys into their spelling of today; how many rows that changed.

    `unique` names a row; `merged` says what to change in one that has the new name already.
    """
    bind = op.get_bind()
    table = sa.Table(name, sa.MetaData(), autoload_with=bind)
    own = list(table.primary_key.columns)
    texts = [c for c in table.columns if c.name in _KEYS]
    odd = [
        dict(row) for row in bind.execute(sa.select(table).where(sa.or_(*map(_is_unusual, texts)))).mappings()
    ]
    changed = 0
    for row in odd:
        new = {column: key for column, key in keys(row).items() if key != row[column]}
        if not new:
            continue
        changed += 1
        this = sa.and_(*(column == row[column.name] for column in own))
        wanted = row | new
        other = None
        if merged is not None and not new.keys().isdisjoint(unique):
            named = sa.and_(*(table.c[column] == wanted[column] for column in unique))
            other = next(map(dict, bind.execute(sa.select(table).where(named)).mappings()), None)
        if other is None or merged is None:
            bind.execute(sa.update(table).where(this).values(new))
            continue
        bind.execute(sa.delete(table).where(this))
        values = {
            column: value
            for column, value in merged(other, row).items()
            if column not in unique and table.c[column] not in own
        }
        if values:
            there = sa.and_(*(column == other[column.name] for column in own))
            bind.execute(sa.update(table).where(there).values(values))
    return changed


_KEYS = frozenset(
    {"scope", "pattern", "domain", "address", "reporter", "sender", "sender_domain", "mailbox", "recipient"}
)


def _is_unusual(column: sa.Column[Any]) -> sa.ColumnElement[bool]:
    """Whether a name could have another spelling: it has A-labels, quotes, or more than ASCII."""
    if op.get_bind().dialect.name == "sqlite":
        octets = sa.func.length(sa.cast(column, sa.LargeBinary))
    else:
        octets = sa.func.octet_length(column)
    return sa.or_(column.like("%xn--%"), column.like('%"%'), octets != sa.func.length(column))
