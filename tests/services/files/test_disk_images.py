"""Disk images are read by 7-Zip, within bounds; what nobody can open is told."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from tamis.message.file_names import Risk
from tamis.services.files import disk_images
from tamis.services.files.disk_images import ImageError, image_members
from tamis.services.files.helper import HelperPool
from tests.attachments import PROGRAM, archive
from tests.disk_images import dmg, fat, packed, partitioned, vhd

DISK = fat({"run.exe": PROGRAM, "note.txt": b"see https://listed.example/x"})
NAMES = ["RUN.EXE", "NOTE.TXT"]
POOL = HelperPool("test-images", processes=1, waiting=0, memory=768 * 1024 * 1024)


def looked(name: str, octets: bytes) -> list[dict[str, Any]]:
    """What the helper says of a file and of what is in it."""
    answer = POOL.call("attachments", {"files": [[name, True]]}, [octets], seconds=60)
    assert answer["cpu_seconds"] < 8
    found: list[dict[str, Any]] = answer["objects"]
    return found


def risks(octets: bytes, name: str = "disk") -> set[str]:
    return {risk for one in looked(name, octets) for risk in one["risks"]}


@pytest.mark.parametrize(
    "disk",
    [DISK, vhd(DISK), partitioned(DISK), vhd(partitioned(DISK)), dmg(DISK)],
    ids=["fat", "vhd", "partitioned", "partitioned vhd", "dmg"],
)
def test_what_is_on_a_disk_is_looked_at(disk: bytes) -> None:
    found = looked("disk", disk)
    assert [one["path"][-1] for one in found] == ["disk", *NAMES]
    assert Risk.EXECUTABLE_IN_ARCHIVE in found[1]["risks"]
    assert found[2]["links"] == ["https://listed.example/x"]


@pytest.mark.parametrize("packing", [("wim",), ("zip", "-mm=Deflate64"), ("7z", "-m0=PPMd")], ids=" ".join)
def test_what_7_zip_packs_is_looked_at(packing: tuple[str, ...]) -> None:
    found = looked("archive", packed({"run.dat": PROGRAM * 20}, *packing))
    assert any(Risk.EXECUTABLE_IN_ARCHIVE in one["risks"] for one in found)


def test_a_disk_under_a_document_is_found_and_told() -> None:
    found = risks(b"%PDF-1.4" + partitioned(DISK)[8:], "letter.pdf")
    assert {Risk.EXECUTABLE_IN_ARCHIVE, Risk.AMBIGUOUS_ARCHIVE} <= found


def test_all_files_of_a_large_disk_are_named() -> None:
    """One of a hundred beside a program, as it is listed last."""
    disk = fat({f"{n:03}.txt": b"x" for n in range(100)} | {"run.exe": PROGRAM})
    assert Risk.EXECUTABLE_IN_ARCHIVE in looked("disk", disk)[-1]["risks"]


def test_of_a_list_that_is_too_long_the_beginning_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_images, "_LISTED_OCTETS", 1000)
    disk = fat({f"{n}.txt": b"x" for n in range(90)})
    found: list[str] = []
    with pytest.raises(ImageError, match="too many"):
        found.extend(one.name for one in image_members(disk, 1_000_000))
    assert found[0] == "0.TXT"
    assert len(found) < 90


def test_disks_in_archives_and_archives_on_disks() -> None:
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks(archive({"a.vhd": vhd(DISK)}), "a.zip")
    assert Risk.EXECUTABLE_IN_ARCHIVE in risks(vhd(fat({"a.zip": archive({"run.exe": PROGRAM})})))


@pytest.mark.parametrize(
    "octets",
    [
        bytes(7) + b"**ACE**" + bytes(100),
        b"EGGA" + bytes(100),
        b"ALZ\x01" + bytes(100),
        b"SIT!" + bytes(100),
        b"StuffIt! (c)1997" + bytes(100),
        b"DAA\0" + bytes(100),
        bytes(500) + b"NER5" + bytes(8),
        b"\0" + b"\xff" * 10 + b"\0" + bytes(2340),
        b"sprs" + bytes(100),
        b"7kSt\xa0\x31\x83\xd3\x8c\xb2\x28\xb0\xd3zPQ" + bytes(50),
        b"\x76\xe8\x04\x60\xc4\x11\xe3\x86" + bytes(100),
    ],
    ids=["ace", "egg", "alz", "sit", "sitx", "daa", "nrg", "raw", "sparse", "zpaq", "rpmsg"],
)
def test_what_nobody_can_open_is_told(octets: bytes) -> None:
    assert risks(octets) == {Risk.CLOSED}
    assert Risk.CLOSED in risks(archive({"a": octets}), "a.zip")


@pytest.mark.parametrize(
    "octets",
    [
        b"vhdxfile" + bytes(1000),
        bytes(1000) + b"koly" + bytes(508),
        b"KDMV" + bytes(1000),
        b"QFI\xfb" + bytes(1000),
        b"MSWIM\0\0\0" + bytes(1000),
        b"hsqs" + bytes(1000),
        bytes(34_817) + b"NSR02" + bytes(3000),
        DISK[:600],
    ],
    ids=["vhdx", "dmg", "vmdk", "qcow", "wim", "squashfs", "udf", "cut"],
)
def test_broken_images_are_told(octets: bytes) -> None:
    assert risks(octets) & {Risk.NOT_READ, Risk.ARCHIVE_LIMIT}


def test_without_7_zip_images_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_images, "PROGRAMS", ("no-such-program",))
    assert disk_images.program() is None
    with pytest.raises(ImageError, match="not installed"):
        list(image_members(DISK, 1_000_000))


def test_7_zip_has_the_name_that_the_release_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in reversed(disk_images.PROGRAMS):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
        assert disk_images.program() == str(tmp_path / name)


def test_no_more_is_unpacked_than_there_is_room_for() -> None:
    disk = fat({f"{n}.txt": bytes(20_000) for n in range(10)})
    found = list(image_members(disk, 50_000))
    assert sum(len(one.octets) for one in found) == 50_000
    assert [one.whole for one in found] == [True, True, *[False] * 8]


def test_nothing_is_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that lead out of a folder, and the folder that it runs in."""
    monkeypatch.chdir(tmp_path)
    assert list(image_members(DISK, 1_000_000))
    assert not list(tmp_path.iterdir())


def test_a_chain_that_ends_in_itself_ends() -> None:
    looped = bytearray(fat({"a.txt": bytes(2000)}))
    for table in (512, 512 + 1536):
        looped[table + 3 : table + 6] = b"\x03\x20\x00"  # cluster 2 -> 3 -> 2
    assert looked("disk", bytes(looped))[0]["path"] == ["disk"]


def test_damaged_disks_are_read_or_told() -> None:
    """Cut anywhere, with octets changed; always the same ones."""
    generator = random.Random(7)
    for disk in (DISK, vhd(DISK), partitioned(DISK), dmg(DISK), packed({"a.txt": b"x" * 900}, "wim")):
        for _ in range(7):
            damaged = bytearray(
                disk[: generator.randrange(550, len(disk))] if generator.random() < 0.4 else disk
            )
            for _ in range(generator.randrange(1, 6)):
                damaged[generator.randrange(-512, min(4096, len(damaged)))] = generator.randrange(256)
            assert looked("disk", bytes(damaged))[0]["path"] == ["disk"]
