"""The one writer of a model: takes reports in, takes them back, publishes what workers read.

In its folder:

    base.model     the model at the time up to which reports can't be taken back any more, and what waited for
                   rehearsal then
    journal        every report since then, with the message's features
    current.model  base and journal together: what workers map

The state is a pure function of base and journal: the base, then every report that was not withdrawn, in
order. So to unlearn is to learn all the others again from the base, and the weights are bit for bit those of
a model that never saw the report. It is also what makes a crash harmless: what is in the journal is learned
once, what is not was never acknowledged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tamis.base.shared_files import make_folder
from tamis.models.correction import salt_of
from tamis.models.familiarity import familiarity
from tamis.models.features import Features
from tamis.models.learner import Learner, Lesson, Score
from tamis.models.model_file import Learned, Model, write_model
from tamis.models.training_journal import TrainingJournal, TrainingRecord, pack_lessons, unpack_lessons

BASE, JOURNAL = "base.model", "journal"
Files = tuple[tuple[Path, int, int, int] | None, ...]
"""Of base and journal: path, inode, octets, time of the last change."""
REACH = 4000
"""Reports that can be taken back at any time; a record takes about 8 KiB, learning it again about 1 ms."""


@dataclass(frozen=True, slots=True)
class LeftOff:
    """What a writer had when it let go of the folder, and the files as they stood then. For one writer that goes on
    from there, if nobody else wrote since."""

    files: Files
    learner: Learner
    learned: Learned
    reports: dict[str, tuple[int, bool]]
    sequence: int
    fold_at: int


class ModelWriter:
    """Learns into the model in a folder. One per folder, over all processes: a second one is refused.

    Raises ModelError when base or journal are damaged or of another feature version.
    """

    def __init__(
        self, folder: Path, *, reach: int = REACH, folds: bool = True, left_off: LeftOff | None = None
    ) -> None:
        """`folds` is whether the base moves forward by itself; otherwise `fold` is for whoever has the writer. With
        `left_off`, where it holds still, opening costs nothing, and about 1 ms for each report within reach without."""
        make_folder(folder)
        self.folder = folder
        self.reach = reach
        self._folds = folds
        self._journal = TrainingJournal(folder / JOURNAL)
        self._reports: dict[str, tuple[int, bool]] = {}
        self._stale = False
        self._sequence = 0
        self._fold_at = 2 * reach
        if left_off is not None and left_off.files == self._files():
            self._learner, self._learned = left_off.learner, left_off.learned
            self._reports, self._sequence = left_off.reports, left_off.sequence
            self._fold_at = left_off.fold_at
            return
        self._learner, self._learned = Learner(), Learned()
        self._replay()

    def left_off(self) -> LeftOff:
        """For the next writer of this process. Not to be written to any more, but to be closed."""
        self._refresh()
        return LeftOff(
            self._files(), self._learner, self._learned, self._reports, self._sequence, self._fold_at
        )

    def _files(self) -> Files:
        """Tells whether anybody wrote: what is replaced is another file, what is appended to is longer."""
        paths = (self.folder / BASE, self.folder / JOURNAL)
        return tuple(map(_file, paths))

    @property
    def path(self) -> Path:
        """The file that workers read."""
        return self.folder / "current.model"

    @property
    def sequence(self) -> int:
        """The highest number that was given to a report or a withdrawal."""
        return self._sequence

    @property
    def learned(self) -> Learned:
        """How many messages the model has learned."""
        self._refresh()
        return self._learned

    def learn(
        self,
        report: str,
        features: Features,
        *,
        spam: bool,
        weight: float = 1.0,
        domain: str = "",
        beside: float | None = None,
        stranger: str = "",
        sender: int = 0,
    ) -> bool:
        """Take a report in, durably; False when it was taken in before with the same label.

        `report` names the message (its transaction, say) in at most 1,000 octets; a report with another label
        than before replaces it. `weight` (0 to 1) is the say of the source, `domain` that of the reader,
        `beside` the points of the other filters, where known; `stranger` who answers for a label of ham that no
        person gave; `sender` the number of who sent the message.
        """
        if not 0 < len(report.encode()) <= 1000:
            raise ValueError("a report's id has 1 to 1,000 octets")
        return self.take(
            TrainingRecord(
                0, report, spam, weight, features, salt_of(domain), beside, salt_of(stranger), sender
            )
        )

    def take(self, record: TrainingRecord) -> bool:
        """As `learn`, of a record; it gets the next number where it has none (0). A number must be above all before,
        with one left free below it for the report that it may replace."""
        known = self._reports.get(record.report)
        if known is not None:
            if known[1] is record.spam:
                return False
            self.unlearn(record.report, max(0, record.sequence - 1))
        self._refresh()
        self._sequence = record.sequence or self._sequence + 1
        record = replace(record, sequence=self._sequence)
        self._journal.append(record)
        self._apply(record)
        if self._folds and self.fold_due:
            self.fold()
        return True

    def unlearn(self, report: str, sequence: int = 0) -> bool:
        """Take a report back, durably; False when it is not known (any more). `sequence` as in `take`.

        The weights are those of a model that never had it. They are computed when next needed, so that several
        withdrawals cost no more than one.
        """
        if report not in self._reports:
            return False
        self._sequence = sequence or self._sequence + 1
        self._journal.append(TrainingRecord(self._sequence, report))
        del self._reports[report]
        self._stale = True
        return True

    def label(self, report: str) -> bool | None:
        """Whether a report within reach called its message spam; None for one that is not there."""
        known = self._reports.get(report)
        return None if known is None else known[1]

    def reports(self) -> list[tuple[str, bool]]:
        """The reports within reach and whether they called their message spam, in order."""
        return [(report, spam) for report, (_, spam) in self._reports.items()]

    def lessons(self) -> Iterator[Lesson]:
        """What the reports within reach teach, in order. Not to be mixed with `learn`."""
        return filter(None, map(_lesson, self._valid(self._learned_by_base().sequence)))

    def base(self) -> Learner:
        """A copy of the state before the reports within reach."""
        return self._base()[0]

    def balance(self) -> bool:
        """Learn the reports within reach again with ham and spam in turn, each label's in its order.

        Online learning forgets: a thousand ham taught after a thousand spam teach that everything is ham. The
        order depends on nothing but the order within each label, so that a report that was taken back leaves no
        trace in it either. False, and nothing done, when they stand in that order already.
        """
        self._refresh()
        counts = {label: sum(spam is label for _, spam in self._reports.values()) for label in (False, True)}
        seen = {False: 0, True: 0}
        ranked: list[tuple[float, int]] = []
        for sequence, spam in self._reports.values():
            seen[spam] += 1
            ranked.append(((seen[spam] - 0.5) / counts[spam], sequence))
        old = [sequence for _, sequence in ranked]
        new = [sequence for _, sequence in sorted(ranked)]
        if old == new:
            return False
        places = self._journal.places()
        self._journal.rewrite(
            replace(self._journal.at(places[sequence]), sequence=number)
            for sequence, number in zip(new, sorted(old), strict=True)
        )
        self._replay()
        return True

    def score(self, features: Features, domain: str = "") -> Score:
        """The score as the model stands, published or not, for a recipient in `domain`."""
        self._refresh()
        return self._learner.score(features, salt_of(domain))

    def familiarity(self, features: Features) -> float:
        """How much of a message the model has met, as it stands."""
        self._refresh()
        return familiarity(self._learner.weights, features)

    def learner(self) -> Learner:
        """A copy of the state, for measuring."""
        self._refresh()
        return self._learner.copy()

    def publish(self) -> Path:
        """Put the present state in the place of what workers read."""
        self._refresh()
        write_model(self.path, self._learner, self._learned)
        return self.path

    def close(self) -> None:
        """Let go of the folder. Nothing is lost that was not published: it is in the journal."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _refresh(self) -> None:
        if self._stale:
            self._replay()

    def _apply(self, record: TrainingRecord) -> None:
        lesson = _lesson(record)
        if lesson is None:
            return
        self._learner.take_in(lesson)
        old = self._learned
        self._learned = Learned(old.ham + (not record.spam), old.spam + record.spam, record.sequence)
        self._reports[record.report] = (record.sequence, record.spam)

    def _valid(self, after: int) -> Iterator[TrainingRecord]:
        """The reports after a sequence number that were not withdrawn later."""
        withdrawn: dict[str, int] = {}
        for record in self._journal.records():
            self._sequence = max(self._sequence, record.sequence)
            if record.features is None:
                withdrawn[record.report] = record.sequence
        for record in self._journal.records():
            if record.sequence <= after or record.features is None:
                continue
            if record.sequence > withdrawn.get(record.report, 0):
                yield record

    def _replay(self) -> None:
        """Base and journal together."""
        self._learner, self._learned = self._base()
        self._sequence = max(self._sequence, self._learned.sequence)
        self._reports.clear()
        for record in self._valid(self._learned.sequence):
            self._apply(record)
        self._stale = False

    def _base(self) -> tuple[Learner, Learned]:
        path = self.folder / BASE
        if not path.exists():
            return Learner(), Learned()
        model = Model(path)
        learner = Learner(
            model.weights,
            model.accumulators(),
            rehearsed=unpack_lessons(model.lessons()),
            domains=model.domains,
        )
        return learner, model.learned

    def _learned_by_base(self) -> Learned:
        path = self.folder / BASE
        return Model(path).learned if path.exists() else Learned()

    def _first_kept(self) -> int:
        """The sequence of the first report that stays within reach: of the last `reach`, or further back (up to
        five times as far) where one label is rare there, because levels are measured on both."""
        reports = list(self._reports.values())
        place = max(0, len(reports) - self.reach)
        for label in (False, True):
            of_label = [number for number, (_, spam) in enumerate(reports) if spam is label]
            if of_label:
                place = min(place, of_label[max(0, len(of_label) - max(1, self.reach // 4))])
        place = max(place, len(reports) - 5 * self.reach)
        return min(sequence for sequence, _ in reports[place:])

    @property
    def fold_due(self) -> bool:
        """Whether so many reports are within reach that the older half should not be any more."""
        return len(self._reports) >= self._fold_at

    def fold(self) -> None:
        """Move the base forward to the first report that stays within reach.

        A crash between the two files leaves records that the base has already: their sequence tells.
        """
        first = self._first_kept()
        self._learner, self._learned = self._base()
        for record in self._valid(self._learned.sequence):
            if record.sequence < first:
                self._apply(record)
        waiting = pack_lessons(self._learner.rehearsed)
        write_model(self.folder / BASE, self._learner, self._learned, waiting)
        self._journal.rewrite(self._valid(self._learned.sequence))
        self._replay()
        # Where the rarer label reaches far back, not much was folded: not again at the next report.
        self._fold_at = max(2 * self.reach, len(self._reports) + self.reach)


def _file(path: Path) -> tuple[Path, int, int, int] | None:
    try:
        told = path.stat()
    except FileNotFoundError:
        return None
    return path, told.st_ino, told.st_size, told.st_mtime_ns


def _lesson(record: TrainingRecord) -> Lesson | None:
    if record.features is None:
        return None
    return Lesson(
        record.features,
        record.spam,
        record.weight,
        record.salt,
        record.beside,
        record.stranger,
        record.sender,
    )
