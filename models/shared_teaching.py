"""One model for all hosts of a store: each host takes the same steps in the same order, and has the same weights.

    report -> the host that got it: features -> a step of the store's log, numbered
    each host, once a second: the log's steps that it has not taken -> its own model, ids, levels -> its workers

Base and journal decide a model's weights bit for bit (`writer`), and the log decides both. So everything that changes
them is a step: a lesson, one that is taken back, the balancing, the move of the base, and the levels, which the host
that measured publishes. A step's number says which sequence its record has (twice the number; one is free below it for
the report that it replaces), so a host that was killed goes on where its journal ends.

The log is kept from the last checkpoint on: a host's whole folder, for hosts that are new or were away for long. Its
lineage names who began; a host whose model is of another one, or of its own, puts it aside and joins.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import zstandard

from tamis.base.errors import StoreError
from tamis.contract.shared_steps import Act, Checkpoint, ModelStep
from tamis.models.durable import replace_file
from tamis.models.features import FEATURE_VERSION
from tamis.models.levels import Levels
from tamis.models.model_file import ModelError
from tamis.models.shared_place import PLACE, SharedPlace, StepLog
from tamis.models.site_model import LEVELS, MODEL
from tamis.models.teaching import IDS, Teacher
from tamis.models.training_journal import TrainingRecord, pack, unpack
from tamis.models.writer import BASE, JOURNAL, REACH, LeftOff, ModelWriter

log = logging.getLogger(__name__)

PARTS = (BASE, JOURNAL, IDS, LEVELS)
"""The files of a checkpoint; those that are not there are left out."""
ASIDE = "before-sharing"
MAX_PART = 1 << 30
"""Octets of a file of a checkpoint; beyond: it is damaged, and no host joins by it."""
_AT_ONCE = 200


class SharedTeacher(Teacher):
    """Teaches the model that all hosts of a store share: whatever is taught goes through the log.

    Raises StoreError as well: what can't be written to the log is not learned.
    """

    _numbers = 2

    def __init__(
        self,
        folder: Path,
        steps: StepLog,
        *,
        minimum: int,
        reach: int = REACH,
        joins: bool = True,
        left_off: LeftOff | None = None,
        key: bytes = b"",
    ) -> None:
        """`joins` is whether to take over what hosts share first; False is for who will `share` this folder's model."""
        self._steps = steps
        self._reach = reach
        self._place: SharedPlace | None = None
        super().__init__(folder, minimum=minimum, reach=reach, left_off=left_off, key=key)
        if place := SharedPlace.of(folder):
            # what is in the journal was taken, whether or not the file says so
            self._place = replace(place, number=max(place.number, self._writer.sequence // 2))
        try:
            if joins:
                self.catch_up()
        except BaseException:
            self.close()
            raise

    def _made_writer(self, reach: int, left_off: LeftOff | None = None) -> ModelWriter:
        return ModelWriter(self.folder, reach=reach, folds=False, left_off=left_off)

    def catch_up(self) -> int:
        """Take the steps that other hosts, or this one, added to the log; join first where that is needed."""
        taken = 0
        while True:
            place = self._place or self._join()
            found = self._steps.after(place.lineage, place.number, _AT_ONCE)
            if found is None:
                self._place = None
                (self.folder / PLACE).unlink(missing_ok=True)
                continue
            self._take_all(place.lineage, found)
            taken += len(found)
            if len(found) < _AT_ONCE:
                break
        if self._writer.fold_due:
            self._move_base()
        return taken

    def publish(self) -> None:
        """As `Teacher.publish`, and say how far this host is: the journal alone knows it while much is taught."""
        super().publish()
        self._keep_place()

    def close(self) -> None:
        """Let go of the folder."""
        self._keep_place()
        super().close()

    def _keep_place(self) -> None:
        if self._place is not None and self._place != SharedPlace.of(self.folder):
            self._ids.sync()
            self._place.keep(self.folder)

    def _take_all(self, lineage: str, steps: Sequence[ModelStep]) -> None:
        for step in steps:
            self._take(step)
            self._place = SharedPlace(lineage, step.number)

    def share(self) -> None:
        """Make this folder's model, as it is, that of all hosts."""
        last = self._steps.checkpoint()
        number = max(self._writer.sequence // 2 + 1, last.through if last else 0) + _AT_ONCE
        lineage = self._steps.new_lineage()
        self._steps.publish(Checkpoint(lineage, number, FEATURE_VERSION), self._files())
        self._place = SharedPlace(lineage, number)
        self._keep_place()
        log.info("the model of this host is that of all hosts from now on")

    def _take(self, step: ModelStep) -> None:
        number = 2 * step.number
        if step.act is Act.LESSON:
            record = unpack(step.content)
            if not self.known(record.report, spam=record.spam):
                super()._teach(replace(record, sequence=number))
        elif step.act is Act.BACK:
            if self._writer.label(step.content.decode()) is not None:
                super()._forget(step.content.decode(), number)
        elif step.act is Act.BALANCE:
            super()._balance()
        elif step.act is Act.FOLD:
            self._writer.fold()
        else:
            replace_file(self.folder / LEVELS, [step.content])

    # --- what is taught goes through the log ----------------------------------------------------

    def _add(self, act: Act, content: bytes = b"") -> None:
        place = self._place or self._join()
        self._steps.append(place.lineage, act, content)
        self.catch_up()

    def _teach(self, record: TrainingRecord) -> None:
        self._add(Act.LESSON, pack(record))

    def _forget(self, message: str, sequence: int = 0) -> None:
        self._add(Act.BACK, message.encode())

    def _balance(self) -> None:
        self._add(Act.BALANCE)

    def _keep(self, levels: Levels) -> None:
        self._add(Act.LEVELS, levels.packed())

    def measure(self) -> Levels | None:
        """As a model of one host is measured, by one host at a time; the others get the levels from the log."""
        with self._steps.turn() as ours:
            if ours:
                return super().measure()
        self.publish()
        return None

    def _move_base(self) -> None:
        with self._steps.turn() as ours:
            if not ours:
                return
            place = self._place or self._join()
            self._steps.append(place.lineage, Act.FOLD)
            self._take_all(place.lineage, self._steps.after(place.lineage, place.number, 2 * _AT_ONCE) or ())
            place = self._place or place
            self._steps.publish(Checkpoint(place.lineage, place.number, FEATURE_VERSION), self._files())
            self._keep_place()

    # --- joining --------------------------------------------------------------------------------

    def _join(self) -> SharedPlace:
        """Take over the model that hosts share; where there is none, this one becomes it."""
        last = self._steps.checkpoint()
        if last is None:
            with self._steps.turn() as ours:
                if not ours:
                    raise StoreError(
                        "another host is about to share its model: this one joins a little later"
                    )
                if self._steps.checkpoint() is None:
                    self.share()
            return self._place or self._join()
        if last.version != FEATURE_VERSION:
            raise ModelError(
                self.folder,
                f"the hosts' model is of features of version {last.version}, here they are of {FEATURE_VERSION}: once "
                "all hosts are upgraded, teach one anew and run `tamis model share` there",
            )
        parts = {name: _unpacked(part) for name, part in self._steps.parts(last).items() if name in PARTS}
        self.close()
        self._put_aside()
        for name in (MODEL, *PARTS):
            (self.folder / name).unlink(missing_ok=True)
        for name, content in parts.items():
            replace_file(self.folder / name, [content])
        self._open(self._made_writer(self._reach))
        self.changed = self._writer.learned.sequence > 0
        self._place = SharedPlace(last.lineage, last.through)
        self._keep_place()
        log.info("this host's model is that of all hosts from now on: %d ham, %d spam", *self.learned)
        return self._place

    def _put_aside(self) -> None:
        """A model of this host's own that nobody shares stays, where nothing reads it."""
        aside = self.folder / ASIDE
        if aside.exists() or not (self.folder / MODEL).exists():
            return
        aside.mkdir()
        for name in (MODEL, *PARTS):
            if (self.folder / name).exists():
                shutil.copy2(self.folder / name, aside / name)
        log.warning("%s: what this host's own model had learned until now, before hosts shared one", aside)

    def _files(self) -> dict[str, bytes]:
        self._ids.sync()
        compress = zstandard.ZstdCompressor(level=3).compress  # most weights are 0
        return {
            name: compress((self.folder / name).read_bytes())
            for name in PARTS
            if (self.folder / name).exists()
        }


def _unpacked(part: bytes) -> bytes:
    """A file of a checkpoint. Raises StoreError on what is none."""
    try:
        return zstandard.ZstdDecompressor().decompress(part, max_output_size=MAX_PART)
    except zstandard.ZstdError as error:
        raise StoreError(f"the hosts' model is damaged in the store: {error}") from None
