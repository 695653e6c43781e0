"""What is held out together when levels are measured: a sender's mail, and copies of one campaign."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.message.mail import Mail
from tamis.models.features import extract
from tamis.models.folds import Kinship, held_together, kinship, sender_number, sent_by
from tamis.models.header_tokens import Home
from tamis.models.learner import Lesson
from tamis.models.teaching import Teacher
from tamis.models.training_journal import TrainingJournal
from tamis.models.writer import JOURNAL
from tests.models.mails import raw_mail

HOME = Home(("example.com",))
FOLDS = 5


@pytest.mark.parametrize(
    ("author", "sender"),
    [
        ("News <news@mail.shop.example>", "shop.example"),
        ("offers-7@shop.example", "shop.example"),
        ("Marie <Marie@example.com>", "marie@example.com"),
        ("marie@paris.example.com", "marie@paris.example.com"),
        ("Bob.Martin@GMail.com", "bob.martin@gmail.com"),
        ("=?utf-8?q?Ren=C3=A9?= <rene@xn--caf-dma.example>", "xn--caf-dma.example"),
        ("nobody", ""),
        ("", ""),
    ],
)
def test_a_sender_is_a_domain_or_an_address_where_many_have_one(author: str, sender: str) -> None:
    assert sent_by(Mail(f"From: {author}\nSubject: x\n\ny\n".encode()), HOME) == sender


def test_mail_without_an_author_has_no_sender() -> None:
    assert sent_by(Mail(b"Subject: x\n\ny\n"), HOME) == ""
    assert sent_by(Mail(b""), HOME) == ""


def test_a_senders_number_is_the_keys() -> None:
    key, other = b"k" * 32, b"j" * 32
    assert sender_number("shop.example", key) == sender_number("shop.example", key) != 0
    assert sender_number("shop.example", key) != sender_number("shop.example", other)
    assert sender_number("shop.example", key) != sender_number("shop2.example", key)
    assert sender_number("shop.example", b"") != 0
    assert sender_number("", key) == 0


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=150),
)
def test_what_belongs_together_is_held_out_together(lessons: list[tuple[bool, int, int]]) -> None:
    labels = np.array([spam for spam, _, _ in lessons])
    kin = [
        Kinship(0 if spam else stranger, (sender,) if sender else ()) for spam, stranger, sender in lessons
    ]
    folds = held_together(labels, kin, FOLDS)
    assert ((folds >= 0) & (folds < FOLDS)).all()
    strangers = np.array([one.stranger for one in kin])
    for stranger in set(strangers.tolist()) - {0}:
        assert len(set(folds[strangers == stranger].tolist())) == 1, "however much he taught"


@given(st.lists(st.integers(1, 60), min_size=60, max_size=150))
def test_a_sender_is_whole_up_to_a_folds_share(senders: list[int]) -> None:
    labels = np.zeros(len(senders), dtype=np.bool_)
    folds = held_together(labels, [Kinship(0, (sender,)) for sender in senders], FOLDS)
    most = len(senders) // FOLDS
    for sender, count in Counter(senders).items():
        of_sender = {fold for fold, one in zip(folds.tolist(), senders, strict=True) if one == sender}
        assert len(of_sender) == 1 or count > most
    assert max(Counter(folds.tolist()).values()) < 2 * most + FOLDS


def test_one_sender_alone_is_cut_by_time() -> None:
    labels = np.arange(100) % 4 == 0
    for kin in ([Kinship()] * 100, [Kinship(0, (7,))] * 100):
        folds = held_together(labels, kin, FOLDS)
        for label in (False, True):
            assert (np.diff(folds[labels == label]) >= 0).all()
            assert len(set(np.bincount(folds[labels == label]).tolist())) == 1


def test_copies_that_differ_in_little_belong_together_whoever_sent_them() -> None:
    words = " ".join(f"word{number} of{number % 7} this{number % 11}" for number in range(80))
    other = " ".join(f"quite{number} another{number % 5} text" for number in range(80))

    def common(text: str, number: int) -> set[object]:
        raw = f"From: a{number}@s{number}.example\nSubject: {number}\n\n{text} {number}\n".encode()
        return set(kinship(Lesson(extract(Mail(raw)), spam=True)).common)

    assert common(words, 1) & common(words, 2)
    assert not common(words, 1) & common(other, 2)
    assert not common("hello", 1), "too short to tell"


def test_the_journal_tells_senders_apart_and_names_none(tmp_path: Path) -> None:
    with Teacher(tmp_path, minimum=50, key=b"secret" * 6) as teacher:
        for number, sender in enumerate(["shop.example", "shop.example", "bank.example", ""]):
            teacher.teach(
                f"{number:032x}", extract(Mail(raw_mail(number, spam=True))), spam=True, sender=sender
            )
    journal = TrainingJournal(tmp_path / JOURNAL)
    numbers = [record.sender for record in journal.records()]
    journal.close()
    assert numbers[0] == numbers[1] == sender_number("shop.example", b"secret" * 6)
    assert len({*numbers}) == 3
    assert numbers[3] == 0
    assert b"shop.example" not in (tmp_path / JOURNAL).read_bytes()
