"""The model file: whole or not at all, for any reader, whenever the writer dies."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tamis.message.mail import Mail
from tamis.models import model_file
from tamis.models.features import FEATURE_VERSION, TABLE_SIZE, extract
from tamis.models.learner import Learner
from tamis.models.model_file import Learned, Model, ModelError, SharedModel, write_model
from tests.models.mails import raw_mail

KILLS = 200
_FORK = multiprocessing.get_context("fork")


def learned_model(path: Path) -> Learner:
    learner = Learner()
    for number in range(10):
        learner.learn(extract(Mail(raw_mail(number, spam=number % 2 == 0))), spam=number % 2 == 0)
    write_model(path, learner, Learned(5, 5, 10))
    return learner


def test_what_is_written_is_read(tmp_path: Path) -> None:
    learner = learned_model(tmp_path / "m")
    model = Model(tmp_path / "m")
    assert model.learned == Learned(5, 5, 10)
    assert np.array_equal(model.weights, learner.weights)
    again = Learner(model.weights, model.accumulators())
    assert np.array_equal(again.accumulators, learner.accumulators)
    features = extract(Mail(raw_mail(77, spam=True)))
    assert model.score(features) == learner.score(features) == again.score(features)


def test_small_enough_and_read_only(tmp_path: Path) -> None:
    learned_model(tmp_path / "m")
    assert (tmp_path / "m").stat().st_size <= 24 * 1024 * 1024
    with pytest.raises(ValueError, match="read-only"):
        Model(tmp_path / "m").weights[0] = 1.0
    assert [file.name for file in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("place", [0, 9, 14, 30, 5000, -5])
def test_damage_is_noticed(tmp_path: Path, place: int) -> None:
    path = tmp_path / "m"
    learned_model(path)
    octets = bytearray(path.read_bytes())
    if place == -5:
        place = len(octets) - 4096 * 2
    octets[place] ^= 0xFF
    path.write_bytes(octets)
    with pytest.raises(ModelError, match=str(path)):
        Model(path).accumulators()


@pytest.mark.parametrize("size", [0, 10, 4096, 4096 + TABLE_SIZE * 4])
def test_a_part_of_a_model_is_refused(tmp_path: Path, size: int) -> None:
    path = tmp_path / "m"
    learned_model(path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ModelError):
        Model(path)


def test_features_of_another_version_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    learned_model(tmp_path / "m")
    monkeypatch.setattr(model_file, "FEATURE_VERSION", 99)
    with pytest.raises(ModelError, match=f"version {FEATURE_VERSION}, not 99"):
        Model(tmp_path / "m")


def test_shared_model_follows_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m"
    shared = SharedModel(path)
    assert shared.current() is None
    learned_model(path)
    first = shared.current()
    assert first is not None
    assert shared.current() is first
    write_model(path, Learner(), Learned(1, 0, 1))
    second = shared.current()
    assert second is not None
    assert second.learned == Learned(1, 0, 1)
    assert first.learned == Learned(5, 5, 10)
    assert float(np.abs(first.weights).max()) > 0  # who still has the old one mapped keeps it whole
    path.write_bytes(b"rubbish" * 100)
    assert shared.current() is second
    path.unlink()
    assert shared.current() is second


def _constant(value: int) -> Learner:
    learner = Learner()
    learner.weights[:] = value
    learner.accumulators[:] = value
    return learner


def _write_on(path: Path) -> None:
    learner, value = _constant(0), 0
    while True:
        value += 1
        learner.weights += 1
        learner.accumulators += 1
        write_model(path, learner, Learned(value % 1000, 0, value))


def _read_on(path: Path, stop: Path, seen: Path) -> None:
    shared, count, last = SharedModel(path), 0, None
    while not stop.exists():
        model = shared.current()
        if model is not None and model is not last:
            value = float(model.weights[0])
            if model.learned.sequence != value or not bool((model.weights == value).all()):
                os._exit(9)
            count, last = count + 1, model
        time.sleep(0.001)
    seen.write_text(str(count))


def test_no_reader_ever_sees_half_a_model(tmp_path: Path) -> None:
    """The writer is killed 200 times at random moments; two readers check every model they are given."""
    path, stop = tmp_path / "model", tmp_path / "stop"
    write_model(path, _constant(0), Learned())
    readers = [_FORK.Process(target=_read_on, args=(path, stop, tmp_path / f"seen{n}")) for n in range(2)]
    for reader in readers:
        reader.start()
    random_ = random.Random(1)
    patience, last = 1.0, -1
    for _ in range(KILLS):
        writer = _FORK.Process(target=_write_on, args=(path,))
        writer.start()
        time.sleep(patience * random_.uniform(0.0, 0.12))
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        model = Model(path)
        assert bool((model.weights == model.learned.sequence).all())
        wrote, last = model.learned.sequence != last, model.learned.sequence
        patience = 1.0 if wrote else min(10.0, 1.2 * patience)  # a busy machine begins later
    stop.touch()
    for reader in readers:
        reader.join(60)
        assert reader.exitcode == 0
    assert sum(int((tmp_path / f"seen{n}").read_text()) for n in range(2)) > 2
    for left in tmp_path.glob(".model.*"):
        left.unlink()
    write_model(path, _constant(3), Learned(sequence=3))
    assert Model(path).learned.sequence == 3


def test_workers_load_nothing_heavy() -> None:
    program = (
        "import sys, tamis.models.model_file, tamis.models.explanation, tamis.models.calibration;"
        "print([m for m in ('sklearn', 'scipy', 'matplotlib', 'pandas') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert shown.stdout.strip() == "[]"
