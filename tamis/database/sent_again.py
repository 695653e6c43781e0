"""Copies that went to Postfix a second time, changed or released: by the queue id they have there, the history finds
the message that they are of."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert
from sqlalchemy.orm import Session

from tamis.database.connection import clean, exact
from tamis.database.schema import CopyRow


def sent_again(session: Session, transaction: str, recipient: str, queue_id: str, at: datetime) -> None:
    """Remember a copy of a transaction's message, unless Postfix did not say its queue id."""
    if queue_id:
        values = {"transaction": exact(transaction), "recipient": exact(recipient), "at": at}
        session.execute(insert(CopyRow).values(**values, queue_id=clean(queue_id)))
