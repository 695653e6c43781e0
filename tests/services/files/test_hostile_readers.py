"""Every reader of content against what is made to cost much, to lead in circles, to break off, and to be anything.

A module of these rooms that is neither a reader with hostile content nor named as none fails the first test. Ordinary
runs change each reader's sample some twenty times, `pytest --hypothesis-profile=many` two hundred times.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from importlib import import_module

import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.files.hostile_files import READERS as FILES
from tests.services.files.hostile_readers import KINDS, POOL, Reader
from tests.services.files.hostile_texts import NO_READERS
from tests.services.files.hostile_texts import READERS as TEXTS

READERS = {one.name: one for one in (*TEXTS, *FILES)}
ROOMS = ("tamis.message", "tamis.message.mail", "tamis.services.files")
CPU_SECONDS = 5.0
"""To detect what hangs or is quadratic, on slow machines too; it is no benchmark: most take less than 0.5 s."""
CUTS = 8
"""Places at which a sample is cut, from its first octet to its last but one."""
TRIES = settings(
    max_examples=max(20, settings().max_examples // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


def modules() -> set[str]:
    """Every module of the rooms in which content is read."""
    found = set(ROOMS)
    for room in ROOMS:
        found |= {f"{room}.{one.name}" for one in pkgutil.iter_modules(import_module(room).__path__)}
    return found


@pytest.fixture(autouse=True, scope="module")
def no_process_left() -> Iterator[None]:
    """What helpers start ends with their job."""
    yield
    helpers = [psutil.Process(one._process.pid) for one in POOL._idle]
    assert not [child for helper in helpers for child in helper.children(recursive=True)]
    POOL.close()


def test_every_module_is_tried_or_is_said_to_read_nothing() -> None:
    tried = {module for one in READERS.values() for module in one.modules}
    assert not tried & set(NO_READERS)
    assert modules() - tried - set(NO_READERS) == set()
    assert set(NO_READERS) <= modules()
    for module in tried:
        import_module(module)
    assert len(READERS) == len(TEXTS) + len(FILES)


@pytest.mark.parametrize("name", READERS)
def test_every_kind_is_there_or_impossible(name: str) -> None:
    reader = READERS[name]
    assert {*reader.hostile, *reader.impossible} == set(KINDS)
    assert not set(reader.hostile) & set(reader.impossible)


@pytest.mark.parametrize(
    ("name", "kind"), [(one.name, kind) for one in READERS.values() for kind in one.hostile]
)
@pytest.mark.timeout(120)
def test_it_ends_and_what_is_cut_is_told(name: str, kind: str) -> None:
    hostile = READERS[name].hostile[kind]
    told = READERS[name].read(hostile.build())
    assert told.cpu_seconds < CPU_SECONDS
    assert not hostile.told or told.kinds & set(hostile.told), sorted(told.kinds)


@pytest.mark.parametrize("name", READERS)
def test_it_may_break_off_anywhere(name: str) -> None:
    sample = READERS[name].sample()
    places = {len(sample) * number // CUTS for number in range(CUTS)} | {1, len(sample) - 1}
    for place in sorted(places):
        assert READERS[name].read(sample[:place]).cpu_seconds < CPU_SECONDS, place


def changed(reader: Reader, data: st.DataObject) -> bytes:
    """The sample with octets changed, pieces doubled, left out or moved; or octets of any kind behind its beginning."""
    octets = bytearray(reader.sample())
    if data.draw(st.integers(0, 5)) == 0:
        return bytes(octets[: data.draw(st.sampled_from((0, 8, 64)))]) + data.draw(st.binary(max_size=300))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(0, len(octets) - 1)))
        length = data.draw(st.integers(1, 40))
        piece = octets[at : at + length]
        way = data.draw(st.sampled_from(("flip", "double", "drop", "insert", "high")))
        if way == "double":
            octets[at:at] = piece * data.draw(st.sampled_from((1, 2, 300)))
        elif way == "drop":
            del octets[at : at + length]
        elif way == "insert":
            octets[at:at] = data.draw(st.binary(max_size=12))
        elif way == "high":
            octets[at : at + 4] = b"\xff\xff\xff\xff"
        elif octets:
            octets[at] = data.draw(st.integers(0, 255))
    return bytes(octets)


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@TRIES
def test_nothing_is_raised_whatever_it_reads(name: str, data: st.DataObject) -> None:
    """Of a reader in a helper that raised, died or was late, ServiceError would be raised here."""
    reader = READERS[name]
    assert reader.read(changed(reader, data)).cpu_seconds < CPU_SECONDS
