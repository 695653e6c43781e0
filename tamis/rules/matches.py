"""What rules say of one message, for people who try them."""

from __future__ import annotations

from typing import Any

from tamis.message.mail import Mail
from tamis.rules.book import RuleBook


def matches(book: RuleBook, mail: Mail) -> dict[str, Any]:
    """The rules that a message meets, or may meet, and what matched where, as plain data."""
    values = book.match(mail).values
    actions = {one.name: (one.action, one.points) for one in book.rules}
    return {
        "rules": [
            {
                "rule": rule,
                "met": True if value is True else None,
                "depends_on": None if value is True else value,
                "action": actions[rule][0],
                "points": actions[rule][1],
            }
            for rule, value in values.items()
        ],
        "matches": [
            {"rule": s.rule, "place": s.place, "pattern": s.pattern, "text": s.text[:200]}
            for s in book.spots(mail)
        ],
    }
