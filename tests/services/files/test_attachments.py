"""Attachments (S26, S26b): what is seen in them, and what no archive can do to us."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
from typing import Any, NoReturn

import libarchive
import pytest

from tamis.base.errors import QueueFullError, ServiceError
from tamis.contract.ask import answered
from tamis.contract.filter import Message
from tamis.contract.finding import Finding, Status
from tamis.contract.service_protocols import Services
from tamis.filters.attachment_types import AttachmentTypes
from tamis.filters.shared.attached import inspected
from tamis.message.file_names import Risk, name_risks
from tamis.services.files import attachments
from tamis.services.files.attachments import AttachmentLooker
from tamis.services.files.helper import HelperPool
from tests.answering import looked
from tests.attachments import PDF, PROGRAM, archive, letter, macro_document, nested, rar4, rar5
from tests.builders import message

POOL = HelperPool("test", processes=1, waiting=0, memory=768 * 1024 * 1024)


def risks(files: dict[str, bytes], **bounds: Any) -> set[str]:
    """All risks of these files."""
    return {risk for one in objects(files, **bounds) for risk in one["risks"]}


def objects(files: dict[str, bytes], **bounds: Any) -> list[dict[str, Any]]:
    """What the helper's job says of these files."""
    names = [[name, True] for name in files]
    found = POOL.call("attachments", {"files": names, "bounds": bounds}, list(files.values()), seconds=30)[
        "objects"
    ]
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("letter.pdf", set()),
        ("archive.tar.gz", set()),
        ("www.example.com", set()),  # text that carries a site's name
        ("setup.exe", {Risk.DANGEROUS_NAME}),
        ("SETUP.EXE. . ", {Risk.DANGEROUS_NAME}),
        ("c:\\temp\\run.js", {Risk.DANGEROUS_NAME}),
        ("invoice.pdf.exe", {Risk.DANGEROUS_NAME, Risk.DOUBLE_EXTENSION}),
        ("invoice.pdf            .scr", {Risk.DANGEROUS_NAME, Risk.DOUBLE_EXTENSION}),
        ("invoice\u3002exe", {Risk.DANGEROUS_NAME}),
        ("invoice.\u0435xe", {Risk.DANGEROUS_NAME}),
        ("invoice.e\u200bx\u00ade", {Risk.DANGEROUS_NAME}),
        ("invoice.\uff45\uff58\uff45", {Risk.DANGEROUS_NAME}),
        ("invoice%2Eexe", {Risk.DANGEROUS_NAME}),
        ("invoice.exe::$DATA", {Risk.DANGEROUS_NAME}),
        ("'invoice.exe'", {Risk.DANGEROUS_NAME}),
        ("go.inetloc", {Risk.DANGEROUS_NAME}),
        ("disk.qcow2", {Risk.RISKY_NAME}),
        ("50% off.pdf", set()),
        ("invoice            .scr", {Risk.DANGEROUS_NAME, Risk.DOUBLE_EXTENSION}),
        ("invoice_\u202efdp.exe", {Risk.DANGEROUS_NAME, Risk.RTLO_NAME}),
        ("\u202b\u05e2\u05d1.pdf", set()),
        ("", set()),
        ("." * 5000 + "exe", {Risk.DANGEROUS_NAME, Risk.DOUBLE_EXTENSION}),
    ],
)
def test_names(name: str, expected: set[Risk]) -> None:
    assert name_risks(name, "text/plain") == expected


def tar_gz(name: str, octets: bytes) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as file:
        member = tarfile.TarInfo(name)
        member.size = len(octets)
        file.addfile(member, io.BytesIO(octets))
    return made.getvalue()


def seven_zip(name: str, octets: bytes) -> bytes:
    made = io.BytesIO()

    def write(piece: bytes) -> int:
        made.write(piece)
        return len(piece)

    with libarchive.custom_writer(write, "7zip") as file:
        file.add_file_from_memory(name, len(octets), octets)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("a.zip", archive({"dir/x.bin": PROGRAM})),
        ("a.7z", seven_zip("x.bin", PROGRAM)),
        ("a.tar.gz", tar_gz("x.bin", PROGRAM)),
        ("x.gz", gzip.compress(PROGRAM, mtime=0)),
        ("a.rar", rar4("x.bin", PROGRAM)),
        ("b.rar", rar5("x.bin", PROGRAM)),
        ("c.rar", rar5("x.bin", PROGRAM, mode=0o644)),  # of no type, which hides it from the careless
        ("a.docx", archive({"[Content_Types].xml": b"<Types/>", "word/media/x.bin": PROGRAM})),
        ("called.pdf", nested(3, {"x.bin": PROGRAM})),
    ],
)
def test_programs_and_hashes_inside_archives(name: str, octets: bytes) -> None:
    found = objects({name: octets})
    assert hashlib.sha256(PROGRAM).hexdigest() in {one["sha256"] for one in found}
    assert Risk.EXECUTABLE_IN_ARCHIVE in found[-1]["risks"]


def test_what_a_file_is_goes_by_its_content() -> None:
    assert risks({"letter.pdf": PROGRAM}) == {Risk.EXECUTABLE, Risk.DISGUISED}
    assert risks({"letter.pdf": PDF, "empty": b""}) == set()


def test_macros() -> None:
    assert risks({"a.doc": macro_document('Sub Hello()\r\nMsgBox "hi"\r\nEnd Sub')}) == {Risk.MACRO}
    auto = macro_document('Sub AutoOpen()\r\nShell "cmd"\r\nEnd Sub')
    assert risks({"a.doc": auto}) == {Risk.MACRO, Risk.MACRO_AUTO}
    assert Risk.MACRO_AUTO in risks({"a.zip": archive({"a.doc": auto})})


def test_encrypted_archives() -> None:
    found = objects({"a.zip": archive({"setup.exe": PROGRAM}, encrypted=True)})
    assert found[0]["risks"] == [Risk.ENCRYPTED_ARCHIVE]
    assert Risk.EXECUTABLE_IN_ARCHIVE in found[1]["risks"]  # its name can be read


def test_a_zip_bomb_costs_no_more_than_the_bounds() -> None:
    bomb = archive({"zeros": bytes(60_000_000)})
    request = {"files": [["bomb.zip", True]], "bounds": {"octets": 10_000_000}}
    answer = POOL.call("attachments", request, [nested(2, {"a": bomb, "b": bomb})], seconds=30)
    assert Risk.ARCHIVE_LIMIT in {risk for one in answer["objects"] for risk in one["risks"]}
    assert sum(one["size"] for one in answer["objects"][1:]) < 11_000_000
    assert answer["cpu_seconds"] < 3


def test_depth_and_number_are_bounded() -> None:
    assert Risk.ARCHIVE_LIMIT in risks({"deep.zip": nested(6, {"a": b"x"})})
    found = objects({"many.zip": archive({str(number): b"x" for number in range(3000)})}, members=100)
    assert len(found) <= 101
    assert Risk.ARCHIVE_LIMIT in found[0]["risks"]


def test_a_hash_is_only_of_a_whole_file() -> None:
    found = POOL.call("attachments", {"files": [["a.pdf", False]]}, [PDF], seconds=30)["objects"]
    assert found[0]["sha256"] == ""


def test_broken_archives_are_told_and_nothing_worse() -> None:
    generator = random.Random(7)
    good = [
        archive({"a.txt": b"hello" * 50}),
        seven_zip("a", b"hello" * 50),
        macro_document("Sub A()\r\nEnd Sub"),
    ]
    for octets in good:
        for _ in range(25):
            broken = bytearray(octets)
            for _ in range(generator.randrange(1, 20)):
                broken[generator.randrange(len(broken))] = generator.randrange(256)
            objects({"a": bytes(broken[: generator.randrange(1, len(broken))])})


def examined(told: Message) -> Finding:
    told.services = Services(attachments=AttachmentLooker())
    found = looked(AttachmentTypes(), told).finding
    assert found is not None
    return found


def test_the_filter_looks_once_in_a_helper_process() -> None:
    told = message(letter({"invoice.pdf.exe": PROGRAM}))
    assert examined(told).facts["risks"][Risk.DOUBLE_EXTENSION] == "invoice.pdf.exe"

    def nobody(question: object) -> NoReturn:
        raise AssertionError(question)

    (file,) = answered(inspected(told), nobody)  # for whoever asks next, it is known
    assert file["path"] == ["invoice.pdf.exe"]


def test_a_helper_that_is_late_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "SECONDS", 0.0001)
    monkeypatch.setattr(attachments, "_POOL", HelperPool("test", processes=1, waiting=1, memory=2**30))
    found = examined(message(letter({"a.pdf": PDF})))
    assert found.status is Status.UNAVAILABLE
    assert "late" in found.text()


def test_a_helper_has_bounded_memory() -> None:
    pool = HelperPool("test", processes=1, waiting=0, memory=150 * 1024 * 1024)
    with pytest.raises(ServiceError):
        pool.call("attachments", {"files": [["a", True]]}, [bytes(160_000_000)], seconds=20)
    assert pool.call("attachments", {"files": []}, seconds=20)["objects"] == []  # the next one is a fresh one
    pool.close()


def test_a_full_queue_says_so_at_once() -> None:
    pool = HelperPool("test", processes=1, waiting=0, memory=2**30)
    assert pool._room.acquire(blocking=False)
    with pytest.raises(QueueFullError, match="the test queue is full"):
        pool.call("attachments", {"files": []}, seconds=5)


def test_a_helper_that_left_is_replaced() -> None:
    pool = HelperPool("test", processes=1, waiting=0, memory=2**30)
    pool.call("attachments", {"files": []}, seconds=20)
    pool._idle[0]._process.kill()
    pool._idle[0]._process.wait()
    assert pool.call("attachments", {"files": []}, seconds=20)["objects"] == []
    pool.close()
