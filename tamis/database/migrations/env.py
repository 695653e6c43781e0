"""Run by Alembic: the connection, inside its transaction, comes from tamis.database.migrate."""

from __future__ import annotations

from alembic import context

from tamis.database.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # on SQLite too: our transactions begin before the first statement
)
with context.begin_transaction():
    context.run_migrations()
