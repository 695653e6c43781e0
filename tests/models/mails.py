"""Small mail for the learner's tests: two kinds that differ in words, senders and form."""

from __future__ import annotations

import random

_HAM = (
    "meeting",
    "report",
    "budget",
    "Thursday",
    "agenda",
    "draft",
    "review",
    "colleagues",
    "minutes",
    "regards",
)
_SPAM = (
    "winner",
    "prize",
    "pills",
    "cheap",
    "offer",
    "click",
    "guarantee",
    "cash",
    "free",
    "bonus",
    "limited",
)
_COMMON = ("the", "a", "of", "and", "to", "in", "is", "for", "with", "that")


def raw_mail(number: int, *, spam: bool) -> bytes:
    """A message that its number and label determine."""
    random_ = random.Random(f"{number}/{spam}")
    words = " ".join(random_.choices(_SPAM if spam else _HAM, k=60))
    common = " ".join(random_.choices(_COMMON, k=40))
    domain = (
        f"{random_.choice(['bulk', 'mass'])}{number % 7}.example" if spam else f"office{number % 5}.example"
    )
    link = f"http://{domain}/{number}" if spam else "see below"
    return (
        f"Return-Path: <sender{number}@{domain}>\n"
        f"Received: from mail.{domain} (mail.{domain} [192.0.2.{number % 250}])\n"
        f"\tby mx.example.org (Postfix) with ESMTP id A{number}B; Mon, 2 Sep 2002 10:00:00 +0200\n"
        f"From: Person {number % 9} <sender{number}@{domain}>\n"
        f"To: someone@example.org\nSubject: {words[:40]}\nMessage-ID: <{number}@{domain}>\n"
        f"Date: Mon, 2 Sep 2002 10:00:00 +0200\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n"
        f"{common}\n{words}\n{link}\n"
    ).encode()
