"""The one writer at work: what was learned, by id; the model and its levels as workers read them.

In the model's folder, beside what `writer` keeps:

    learned.ids    16 octets of id and 1 of label for all that was ever learned: what lets `tamis learn` go on
                   where it was interrupted, far beyond the journal's reach
    levels.json    the levels, measured by cross-validation

Levels are measured on the reports within the journal's reach, 1,000 of each label or more where there are as many.
They are cut into blocks in order of time, in which mail of one sender and copies of one campaign stay together
(`folds`), and each block is scored by a model that was taught base and all other blocks. So neither the order in which
mail was taught (first all ham, then all spam) nor that its senders are known makes ham look better than it is, and a
report that is taken back is out of the measure too. What a stranger taught stands in one block, and is taken back where
the model without it holds too much of it for spam (`strangers`).
"""

from __future__ import annotations

import io
import logging
import math
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt

from tamis.base.shared_files import owned_like_its_folder
from tamis.models.correction import salt_of
from tamis.models.familiarity import familiarity
from tamis.models.features import Features
from tamis.models.folds import held_together, kinship, sender_number
from tamis.models.kinds import kind_of
from tamis.models.learner import Lesson
from tamis.models.levels import Held, Levels, fit_levels
from tamis.models.measures import Floats, Labels
from tamis.models.model_file import ModelError
from tamis.models.site_model import LEVELS
from tamis.models.strangers import Numbers, doubts, most_suspect, worst
from tamis.models.taken_back import TAKEN_BACK, TakenBack
from tamis.models.training_journal import TrainingRecord
from tamis.models.writer import JOURNAL, REACH, LeftOff, ModelWriter

log = logging.getLogger(__name__)

IDS = "learned.ids"
FOLDS = 5
MEASURED_AGAIN = 0.05
"""The share of reports since the last measuring that calls for the next."""

_RECORD = 17
_MOST_IDS = 2_000_000


class Teacher:
    """Teaches the model in a folder. Raises ModelBusyError while another process does."""

    _numbers = 1
    """How far the writer's sequence goes on with a lesson."""

    def __init__(
        self,
        folder: Path,
        *,
        minimum: int,
        reach: int = REACH,
        left_off: LeftOff | None = None,
        key: bytes = b"",
    ) -> None:
        """`left_off` is what the last teacher of this process gave, as for ModelWriter; `key` is what senders' numbers
        are made with: the same one on all hosts of a store."""
        self._minimum = minimum
        self._key = key
        self.folder = folder
        self._open(self._made_writer(reach, left_off))

    def _made_writer(self, reach: int, left_off: LeftOff | None) -> ModelWriter:
        return ModelWriter(self.folder, reach=reach, left_off=left_off)

    def left_off(self) -> LeftOff:
        """What the next teacher of this process goes on from; this one teaches no more."""
        return self._writer.left_off()

    def _open(self, writer: ModelWriter) -> None:
        folder, self._writer = self.folder, writer
        self._ids = _Ids(folder / IDS)
        self._taken_back = TakenBack.load(folder / TAKEN_BACK)
        for message, spam in self._writer.reports():  # what a crash kept from the ids
            if self._ids.get(message) is not spam:
                self._ids.put(message, spam)
        self.changed = writer.learned.sequence > 0 and _is_older(writer.path, folder / JOURNAL)
        """Whether something is learned that workers don't have."""

    def known(self, message: str, *, spam: bool) -> bool:
        """Whether a message was learned with this label."""
        recent = self._writer.label(message)
        return recent is spam if recent is not None else self._ids.get(message) is spam

    def teach(
        self,
        message: str,
        features: Features,
        *,
        spam: bool,
        weight: float = 1.0,
        domain: str = "",
        beside: float | None = None,
        stranger: str = "",
        sender: str = "",
    ) -> bool:
        """Learn a message, durably; False when it was learned with this label before.

        `weight`, `domain`, `beside` and `stranger` as for `ModelWriter.learn`; `sender` is who sent it (`folds`).
        """
        if self.known(message, spam=spam):
            return False
        self._taken_back.call(salt_of(stranger), stranger)
        self._teach(
            TrainingRecord(
                0,
                message,
                spam,
                weight,
                features,
                salt_of(domain),
                beside,
                salt_of(stranger),
                sender_number(sender, self._key),
            )
        )
        return True

    def _teach(self, record: TrainingRecord) -> None:
        self._writer.take(record)
        self._ids.put(record.report, record.spam)
        self.changed = True

    def forget(self, message: str) -> bool:
        """Take a message back; False when it is not within reach (any more)."""
        if self._writer.label(message) is None:
            return False
        self._forget(message)
        return True

    def _forget(self, message: str, sequence: int = 0) -> None:
        self._ids.put(message, None)
        self._writer.unlearn(message, sequence)
        self.changed = True

    def catch_up(self) -> int:
        """Learn what others taught since, where the model is not this host's alone; how many steps those were."""
        return 0

    def score(self, features: Features, domain: str = "") -> float:
        """The log-odds as the model stands, for a recipient in `domain`."""
        return self._writer.score(features, domain).log_odds

    def familiarity(self, features: Features) -> float:
        """How much of a message the model has met, as it stands."""
        return self._writer.familiarity(features)

    @property
    def learned(self) -> tuple[int, int]:
        """Ham and spam that were learned."""
        return self._writer.learned.ham, self._writer.learned.spam

    def publish(self) -> None:
        """Let workers have what was learned."""
        if self.changed:
            self._ids.sync()
            self._taken_back.save(self.folder / TAKEN_BACK)
            self._writer.publish()
            self.changed = False

    def measuring_due(self) -> bool:
        """Whether enough was learned since the levels were measured last."""
        if min(self.learned) < self._minimum:
            return False
        try:
            levels = Levels.load(self.folder / LEVELS)
        except (FileNotFoundError, ModelError):
            return True
        if levels.familiar is None:  # of an earlier version, in which scores counted alike
            return True
        reports = len(self._writer.reports())
        since = (self._writer.learned.sequence - levels.sequence) // self._numbers
        return since >= max(20, MEASURED_AGAIN * reports)

    def measure(self) -> Levels | None:
        """Balance the model, take back what strangers taught wrongly, measure its levels and let workers have both.

        None, without new levels, where a label is too rare.
        """
        found = self._balanced()
        while found is not None and self._take_back(*found):
            found = self._balanced()
        self.publish()
        if found is None:
            return None
        held, labels, _ = found
        from tamis.models.calibration_fit import fit_calibrator  # noqa: PLC0415 - scikit-learn is 100 MB

        levels = fit_levels(
            held.of(~labels),
            held.of(labels),
            fit_calibrator(held.scores, labels),
            self._writer.learned.sequence,
        )
        self._keep(levels)
        return levels

    def _keep(self, levels: Levels) -> None:
        levels.save(self.folder / LEVELS)

    def _balance(self) -> None:
        self.changed |= self._writer.balance()

    def _balanced(self) -> tuple[Held, Labels, Numbers] | None:
        """The balanced model's lessons: their held-out scores, labels and strangers; None where a label is too rare."""
        self._balance()
        labels = np.array([spam for _, spam in self._writer.reports()], dtype=np.bool_)
        least = self._minimum // 2
        if min(self.learned) < self._minimum or min(labels.sum(), (~labels).sum()) < least:
            return None
        kin = [kinship(lesson) for lesson in self._writer.lessons()]
        strangers = np.array([one.stranger for one in kin], dtype=np.int64)
        return self._held_out(held_together(labels, kin, FOLDS)), labels, strangers

    def _take_back(self, held: Held, labels: Labels, strangers: Numbers) -> bool:
        """Forget the lessons of strangers who are doubted; whether there were any."""
        suspect = most_suspect(held.scores, labels, strangers)
        together = doubts(self._without(suspect)[0], labels, strangers) if suspect.any() else []
        found = worst([*doubts(held.scores, labels, strangers), *together])
        if not found:
            return False
        reports = [report for report, _ in self._writer.reports()]
        total = 0
        for one in found:
            back = np.flatnonzero(~labels & (strangers == one.stranger)).tolist()
            for place in back:
                self.forget(reports[place])
            total += len(back)
            self._taken_back.note(
                one.stranger, lessons=len(back), measured=one.lessons, against=one.against, at=time.time()
            )
        log.warning(
            "%d lessons that nobody looked at are taken back (domains that answer for them: %d): what they taught "
            "as ham is spam to a model without it; see tamis model status",
            total,
            len(found),
        )
        return True

    def _without(self, left_out: Labels) -> tuple[Floats, Floats]:
        """What a model that was not taught some of the reports within reach makes of those: its scores, and how much of
        each it had met; NaN for the others."""
        scores, familiar = np.full(len(left_out), np.nan), np.full(len(left_out), np.nan)
        learner = self._writer.base()
        held: list[tuple[int, Lesson]] = []
        for place, lesson in enumerate(self._writer.lessons()):
            if left_out[place]:
                held.append((place, lesson))
            else:
                learner.take_in(lesson)
        for place, lesson in held:
            scores[place] = learner.score(lesson.features, lesson.salt).log_odds
            familiar[place] = familiarity(learner.weights, lesson.features)
        return scores, familiar

    def _held_out(self, folds: npt.NDArray[np.int_]) -> Held:
        """The score of each report within reach by a model that was not taught its fold."""
        about = [(kind_of(lesson.features), lesson.beside) for lesson in self._writer.lessons()]
        kinds = np.array([kind for kind, _ in about], dtype=np.str_)
        beside = np.array([math.nan if told is None else told for _, told in about])
        parts = [self._without(folds == fold) for fold in range(FOLDS)]
        scores, familiar = (np.nansum(each, axis=0) for each in zip(*parts, strict=True))
        return Held(scores, folds, kinds, beside, familiar)

    def close(self) -> None:
        """Let go of the folder."""
        self._ids.close()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def learned_ids(folder: Path) -> frozenset[str]:
    """The ids of all messages that the model in a folder ever learned; none where there is no model."""
    try:
        octets = (folder / IDS).read_bytes()
    except FileNotFoundError:
        return frozenset()
    known = _labels_of(octets)
    return frozenset(key.hex() for key, label in known.items() if label in (0, 1))


def _labels_of(octets: bytes) -> dict[bytes, int]:
    """Label by id, of the records in whole; the last one of an id counts."""
    whole = len(octets) - len(octets) % _RECORD
    start = max(0, whole - _MOST_IDS * _RECORD)
    return {octets[at : at + 16]: octets[at + 16] for at in range(start, whole, _RECORD)}


def _is_older(published: Path, journal: Path) -> bool:
    """Whether the model that workers read lacks what the journal has: a kill may come before publishing."""
    try:
        return published.stat().st_mtime_ns <= journal.stat().st_mtime_ns
    except FileNotFoundError:
        return True


class _Ids:
    """Label by id, in a file that only grows; the last record of an id counts. 17 octets a message.

    It is behind the journal at most by what a crash lost, and those the journal knows.
    """

    def __init__(self, path: Path) -> None:
        self._file = io.FileIO(path, "a+", opener=owned_like_its_folder)
        self._file.seek(0)
        octets = self._file.read()
        self._known = _labels_of(octets)
        self._file.truncate(len(octets) - len(octets) % _RECORD)

    def get(self, message: str) -> bool | None:
        """The label that was learned, None when none was."""
        label = self._known.get(bytes.fromhex(message))
        return None if label is None or label not in (0, 1) else label == 1

    def put(self, message: str, spam: bool | None) -> None:
        """Note a label; None: taken back."""
        key, label = bytes.fromhex(message), 2 if spam is None else int(spam)
        self._file.write(key + bytes([label]))
        self._known[key] = label

    def sync(self) -> None:
        """Make it durable."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
