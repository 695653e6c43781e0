"""The writer: a report is learned once, taken back without a trace, and survives kill -9."""

import errno
import multiprocessing
import os
import random
import signal
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tamis.message.mail import Mail
from tamis.models import training_journal as journal
from tamis.models.features import Features, extract
from tamis.models.learner import Learner
from tamis.models.model_file import Learned, Model, ModelError
from tamis.models.training_journal import TrainingJournal, TrainingRecord, pack
from tamis.models.writer import ModelWriter
from tests.models.mails import raw_mail

KILLS = 200
_FORK = multiprocessing.get_context("fork")


@cache
def features_of(number: int) -> Features:
    return extract(Mail(raw_mail(number, spam=number % 2 == 0)))


def fresh(numbers: list[int], wrong: frozenset[int] = frozenset()) -> Learner:
    """A learner that was taught these messages and no others; those in `wrong` with the wrong label."""
    learner = Learner()
    for number in numbers:
        learner.learn(features_of(number), spam=(number % 2 == 0) != (number in wrong))
    return learner


def teach(writer: ModelWriter, numbers: list[int], wrong: frozenset[int] = frozenset()) -> None:
    for number in numbers:
        assert writer.learn(f"r{number}", features_of(number), spam=(number % 2 == 0) != (number in wrong))


def same(first: Learner, second: Learner) -> bool:
    """Whether two learners are equal bit for bit."""
    return bool(
        np.array_equal(first.weights, second.weights)
        and np.array_equal(first.accumulators, second.accumulators)
        and first.domains == second.domains
        and [one.spam for one in first.rehearsed] == [one.spam for one in second.rehearsed]
        and all(
            np.array_equal(one.features.indices, other.features.indices)
            for one, other in zip(first.rehearsed, second.rehearsed, strict=True)
        )
    )


def test_it_learns_as_the_learner_does(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, list(range(20)))
        assert same(writer.learner(), fresh(list(range(20))))
        assert writer.learned == Learned(10, 10, 20)
        model = Model(writer.publish())
    assert np.array_equal(model.weights, fresh(list(range(20))).weights)


def test_a_report_counts_once(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1, 2])
        assert not writer.learn("r1", features_of(1), spam=False)
        assert same(writer.learner(), fresh([0, 1, 2]))
    with ModelWriter(tmp_path) as writer:
        assert not writer.learn("r2", features_of(2), spam=True)
        assert same(writer.learner(), fresh([0, 1, 2]))


@pytest.mark.parametrize("place", [0, 7, 19])
def test_what_is_taken_back_leaves_no_trace(tmp_path: Path, place: int) -> None:
    """Error against a model that never saw the report: none, for the last report and for any other."""
    numbers = list(range(20))
    with ModelWriter(tmp_path) as writer:
        teach(writer, numbers, frozenset({place}))
        wrong = writer.learner()
        assert writer.unlearn(f"r{place}")
        right = fresh([number for number in numbers if number != place])
        assert not same(wrong, right)
        assert same(writer.learner(), right)
        assert writer.learned.ham + writer.learned.spam == 19
        assert not writer.unlearn(f"r{place}")
    with ModelWriter(tmp_path) as writer:
        assert same(writer.learner(), right)


def test_taken_back_and_given_again(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1, 2])
        writer.unlearn("r1")
        assert writer.learn("r1", features_of(1), spam=False)
        assert same(writer.learner(), fresh([0, 2, 1]))
    with ModelWriter(tmp_path) as writer:
        assert same(writer.learner(), fresh([0, 2, 1]))


def test_the_last_word_on_a_message_counts(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1, 2], frozenset({1}))
        assert writer.learn("r1", features_of(1), spam=False)
        assert same(writer.learner(), fresh([0, 2, 1]))


def test_the_base_moves_on(tmp_path: Path) -> None:
    with ModelWriter(tmp_path, reach=5) as writer:
        teach(writer, list(range(23)))
        assert same(writer.learner(), fresh(list(range(23))))
        assert writer.learned == Learned(11, 12, 23)
        assert not writer.unlearn("r3")  # out of reach
        assert writer.unlearn("r21")
        right = fresh([number for number in range(23) if number != 21])
        assert same(writer.learner(), right)
        size = (tmp_path / "journal").stat().st_size
    with ModelWriter(tmp_path, reach=5) as writer:
        assert same(writer.learner(), right)
        teach(writer, list(range(100, 130)))
        assert (tmp_path / "journal").stat().st_size < 3 * size
        assert same(writer.learner(), fresh([*(n for n in range(23) if n != 21), *range(100, 130)]))


def test_one_writer_only(tmp_path: Path) -> None:
    with ModelWriter(tmp_path), pytest.raises(ModelError, match="another process"):
        ModelWriter(tmp_path)
    ModelWriter(tmp_path).close()


def test_who_goes_on_where_the_last_writer_left_off_learns_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1, 2])
        writer.unlearn("r1")
        left_off = writer.left_off()
    with monkeypatch.context() as patch:
        patch.setattr(ModelWriter, "_replay", lambda _: pytest.fail("learned again"))
        with ModelWriter(tmp_path, left_off=left_off) as writer:
            assert same(writer.learner(), fresh([0, 2]))
            assert (writer.sequence, writer.label("r2"), writer.label("r1")) == (4, True, None)
            teach(writer, [3])
            left_off = writer.left_off()
    with ModelWriter(tmp_path) as other:
        assert same(other.learner(), fresh([0, 2, 3]))
        teach(other, [4])
    with ModelWriter(tmp_path, left_off=left_off) as writer:
        assert same(writer.learner(), fresh([0, 2, 3, 4]))


def test_an_id_has_bounds(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        for report in ("", "x" * 1001):
            with pytest.raises(ValueError, match="octets"):
                writer.learn(report, features_of(0), spam=True)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    records = [
        TrainingRecord(1, "a", True, 0.25, features_of(0)),
        TrainingRecord(2, "b é", False, 1.0, features_of(1)),
        TrainingRecord(3, "a"),
        TrainingRecord(4, "c", True, 1.0, features_of(2), beside=-1.5),
        TrainingRecord(5, "d", False, 1.0, features_of(3), beside=0.0),
        TrainingRecord(6, "e", False, 0.5, features_of(4), beside=2.5, stranger=77),
        TrainingRecord(7, "f", True, 0.5, features_of(5), stranger=1 << 31),
        TrainingRecord(8, "g", True, 1.0, features_of(6), sender=(1 << 32) - 1),
        TrainingRecord(9, "h", False, 0.5, features_of(7), beside=1.0, stranger=3, sender=4),
    ]
    kept = TrainingJournal(tmp_path / "journal")
    for record in records:
        kept.append(record)
    again = list(kept.records())
    kept.close()
    for record, read in zip(records, again, strict=True):
        assert (record.sequence, record.report) == (read.sequence, read.report)
        if record.features is not None:
            assert read.features is not None
            assert (record.spam, record.weight) == (read.spam, read.weight)
            assert (record.beside, record.stranger, record.sender) == (
                read.beside,
                read.stranger,
                read.sender,
            )
            assert np.array_equal(record.features.indices, read.features.indices)
            assert np.array_equal(record.features.counts, read.features.counts)
    assert len(pack(records[0])) < 8192


def test_a_record_that_was_cut_short_is_dropped(tmp_path: Path) -> None:
    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1, 2])
    path = tmp_path / "journal"
    whole = path.read_bytes()
    last = len(pack(TrainingRecord(3, "r2", True, 1.0, features_of(2))))
    for cut in (1, 8, last // 2, last - 1):
        path.write_bytes(whole[: len(whole) - cut])
        with ModelWriter(tmp_path) as writer:
            assert same(writer.learner(), fresh([0, 1]))
            teach(writer, [2])
            assert same(writer.learner(), fresh([0, 1, 2]))
        assert path.read_bytes() == whole


def test_a_full_disk_loses_no_other_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, f"no space left for {descriptor}")

    with ModelWriter(tmp_path) as writer:
        teach(writer, [0, 1])
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="no space"):
                writer.learn("r2", features_of(2), spam=True)
            with pytest.raises(OSError, match="no space"):
                writer.unlearn("r1")
        assert same(writer.learner(), fresh([0, 1]))
        teach(writer, [2, 3])
    with ModelWriter(tmp_path) as writer:
        assert same(writer.learner(), fresh([0, 1, 2, 3]))


def test_a_foreign_journal_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ModelWriter(tmp_path).close()
    monkeypatch.setattr(journal, "FEATURE_VERSION", 99)
    with pytest.raises(ModelError, match="version 99"):
        ModelWriter(tmp_path)


def _work(folder: Path, first: int, channel: int) -> None:
    """Learn, take back and publish, telling the parent of each step that has been acknowledged."""
    with ModelWriter(folder, reach=15) as writer:
        for number in range(first, first + 1000):
            writer.learn(f"r{number}", features_of(number % 50), spam=number % 2 == 0)
            os.write(channel, f"+{number}\n".encode())
            if number % 5 == 4:
                writer.unlearn(f"r{number - 1}")
                os.write(channel, f"-{number - 1}\n".encode())
            if number % 20 == 0:
                writer.publish()


def test_kill_at_any_moment(tmp_path: Path) -> None:
    """200 times: what was acknowledged is learned once, what was not is learned once or not at all."""
    for number in range(50):
        features_of(number)  # cached before the fork
    random_ = random.Random(2)
    order: list[int] = []
    number, patience = 0, 1.0
    for _ in range(KILLS):
        reading, writing = os.pipe()
        child = _FORK.Process(target=_work, args=(tmp_path, number, writing))
        child.start()
        os.close(writing)
        time.sleep(patience * random_.uniform(0.0, 0.15))
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        with os.fdopen(reading) as channel:
            said = channel.read().split()
        patience = 1.0 if said else min(10.0, 1.2 * patience)  # a busy machine begins later
        for step in said:
            if step[0] == "+":
                order.append(int(step[1:]))
                number = int(step[1:]) + 1
            else:
                order.remove(int(step[1:]))
        with ModelWriter(tmp_path, reach=15) as writer:
            learned = writer.learned
            # The step in flight may have reached the journal without the parent hearing of it.
            more = learned.ham + learned.spam - len(order)
            assert more in (-1, 0, 1)
            if more == 1:
                assert not writer.learn(f"r{number}", features_of(number % 50), spam=number % 2 == 0)
                order.append(number)
                number += 1
            elif more == -1:
                order.remove(number - 2)
            known = writer.learned
            assert known.ham + known.spam == len(order)
    learner = Learner()
    for taught in order:
        learner.learn(features_of(taught % 50), spam=taught % 2 == 0)
    with ModelWriter(tmp_path, reach=15) as writer:
        assert same(writer.learner(), learner)
    assert len(order) > 30
