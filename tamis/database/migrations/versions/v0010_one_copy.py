"""Details of held mail are compressed, and findings are kept once for all recipients that have the same: in `bodies`.

A spam to a thousand addresses took 13 MB, most of it the same findings and the same verdict a thousand times.
"""

from __future__ import annotations

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from tamis.quarantine.content import digest_of, pack

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BATCH = 500


def upgrade() -> None:
    """The new columns, what the rows have for them, and the old columns away."""
    with op.batch_alter_table("details") as table:
        table.add_column(sa.Column("record", sa.LargeBinary(), nullable=True))
        table.add_column(sa.Column("findings_body", sa.String(64), nullable=True))
        table.create_foreign_key("fk_details_findings_body_bodies", "bodies", ["findings_body"], ["digest"])
    op.create_index("ix_details_findings_body", "details", ["findings_body"])
    bind = op.get_bind()
    old = sa.Table("details", sa.MetaData(), autoload_with=bind)
    bodies = sa.Table("bodies", old.metadata, autoload_with=bind)
    last = ""
    while (
        rows := bind.execute(sa.select(old).where(old.c.id > last).order_by(old.c.id).limit(_BATCH))
        .mappings()
        .all()
    ):
        last = rows[-1]["id"]
        changed = []
        for row in rows:
            findings = _json(row["findings"])
            digest = digest_of(findings)
            if bind.scalar(sa.select(bodies.c.digest).where(bodies.c.digest == digest)) is None:
                values = {"digest": digest, "size": len(findings), "content": pack(findings)}
                bind.execute(sa.insert(bodies).values(values))
            record = pack(_json(_record(row["recipient"], row["envelope"], row["verdict"])))
            changed.append({"this": row["id"], "record": record, "findings_body": digest})
        bind.execute(sa.update(old).where(old.c.id == sa.bindparam("this")), changed)
    with op.batch_alter_table("details") as table:
        table.alter_column("record", nullable=False, existing_type=sa.LargeBinary())
        for name in ("recipient", "envelope", "findings", "verdict"):
            table.drop_column(name)


def _record(recipient: Any, envelope: Any, verdict: Any) -> dict[str, Any]:
    """The return path stood in the envelope where it differs from the sender."""
    kept = {key: value for key, value in envelope.items() if key != "return_path"}
    record = {"envelope": kept | {"recipients": [recipient]}, "verdict": verdict}
    return record | ({"return_path": envelope["return_path"]} if "return_path" in envelope else {})


def _json(data: Any) -> bytes:
    return json.dumps(data).encode()
