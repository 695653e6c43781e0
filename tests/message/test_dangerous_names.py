"""Names of files: each row has a source, and a file without a name is named by its type or by what it begins with."""

from __future__ import annotations

import pytest

from tamis.message.dangerous_names import (
    CARRIES,
    DANGEROUS,
    MARKS,
    RUNS,
    TYPES,
    named_by_content,
    named_by_type,
)
from tamis.message.file_names import Risk, name_risks


def test_every_row_says_who_says_so() -> None:
    assert all(row.source and row.extensions for row in DANGEROUS)


def test_what_types_and_marks_stand_for_is_in_the_table() -> None:
    assert {*TYPES.values(), *(suffix for _, suffix in MARKS)} <= RUNS | CARRIES


@pytest.mark.parametrize("media_type", TYPES)
@pytest.mark.parametrize("name", ["", "invoice"])
def test_a_file_without_an_extension_is_named_by_its_type(media_type: str, name: str) -> None:
    assert name_risks(named_by_type(name, media_type), "")


@pytest.mark.parametrize(
    "octets",
    [
        b"[InternetShortcut]\r\nURL=http://a.example/",
        b"\xff\xfe" + "Windows Registry Editor Version 5.00".encode("utf-16-le"),
        b"  @echo off\r\nstart x",
        b'Set s = CreateObject("WScript.Shell")',
        b'<?xml version="1.0"?><PCSettings>',
        b"screen mode id:i:2\r\nfull address:s:198.51.100.1\r\n",
    ],
)
def test_a_file_without_an_extension_is_named_by_what_it_begins_with(octets: bytes) -> None:
    assert name_risks(named_by_content("notes", octets), "")
    assert named_by_content("notes.txt", octets) == "notes.txt"


@pytest.mark.parametrize(
    "octets", [b"diff --git a/x b/x\n+#!/bin/sh\n", b"Dear all,\nthe job is done\n", b"%PDF-1.4", b""]
)
def test_other_files_stay_without_a_name(octets: bytes) -> None:
    assert named_by_content("notes", octets) == "notes"


def test_a_class_instead_of_an_extension_is_dangerous() -> None:
    assert Risk.DANGEROUS_NAME in name_risks("a.{3050f4d8-98b5-11cf-bb82-00aa00bdce0b}", "")


@pytest.mark.parametrize(
    "suffix", ["vsto", "btm", "au3", "a3x", "ica", "pbk", "rqy", "ex_", "msrcincident", "ftploc"]
)
def test_what_attackers_have_people_open(suffix: str) -> None:
    assert name_risks(f"invoice.{suffix}", "") == {Risk.DANGEROUS_NAME}


@pytest.mark.parametrize(
    "suffix",
    [
        *(
            "nrg",
            "daa",
            "ccd",
            "isz",
            "mdx",
            "ffu",
            "sit",
            "egg",
            "alz",
            "kgb",
            "ear",
            "war",
            "php3",
            "php5",
            "phtml",
        ),
        *("ost", "vsix", "nupkg", "contact", "ovpn", "jsp", "mof"),
    ],
)
def test_what_attackers_pack_programs_into(suffix: str) -> None:
    assert name_risks(f"invoice.{suffix}", "") == {Risk.RISKY_NAME}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("meeting.ics", "text/calendar"), ("card.vcf", "text/vcard"), ("main.c", "text/x-c")),
        *(("server.ex", "text/plain"), ("system.asd", "text/plain"), ("guide.mdx", "text/plain")),
        *(("letter.odt", ""), ("app.aab", ""), ("example.com", "text/plain")),
    ],
)
def test_names_of_honest_files(name: str, kind: str) -> None:
    assert not name_risks(name, kind)
