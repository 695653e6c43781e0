"""From reports to rules that are in force: what is kept, taken, put into shadow and forgotten."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from tamis.base.errors import ConfigError
from tamis.handover import rule_material
from tamis.handover.rule_material import Material, MaterialFile, with_folders
from tamis.handover.taken_rules import TakenRules
from tamis.installation.site_loading import SiteSource
from tamis.installation.snapshot import write_snapshot
from tamis.judging.stored_policy import Snapshot
from tamis.message.mail import Mail
from tamis.models.reports import Label, Report
from tamis.rules.proposals import Sighting
from tamis.rules.rule_file import compile_book, read_sources
from tamis.rules.traits import hashed
from tamis.settings import Settings, read_settings
from tests.builders import FILTERS

TRAIT = "phrase:warm garden sheds today"
NAMES = frozenset(one.name for one in FILTERS)


def offer(number: int, text: str = "Order warm garden sheds today.") -> Mail:
    trace = (
        f"Received: from x.example (x.example [203.0.{number % 7}.9])\r\n\tby mx.example.com (Postfix)\r\n"
    )
    return Mail(f"{trace}From: a@example.net\r\nMessage-ID: <{number}@x.example>\r\n\r\n{text}\r\n".encode())


def report(label: Label, mail: Mail, reporter: str = "marie@example.com") -> Report:
    return Report(label, "dovecot", reporter, mail.raw, Path())


def filled(settings: Settings, *, spam: int = 12, ham: int = 250) -> MaterialFile:
    material = MaterialFile(settings)
    for number in range(spam):
        material.note(report("spam", offer(number), f"r{number % 3}@example.com"), offer(number))
    for number in range(ham):
        letter = offer(1000 + number, f"See you on Tuesday at the sieve, number {number}.")
        material.note(report("ham", letter), letter)
    return material


def settings_in(folder: Path, **more: Any) -> Settings:
    return Settings(state_directory=folder, run_directory=folder, **more)


def test_reports_lead_to_a_proposal_that_is_taken_shadowed_and_forgotten(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    taken = TakenRules(settings, NAMES)
    found = taken.propose(filled(settings).read())
    (one,) = [each for each in found if each.trait == "phrase:order warm garden sheds" or each.trait == TRAIT]
    assert (one.hits, one.spam, one.voices, one.ham) == (12, 12, 3, 250)
    assert taken.take(["nonsense", one.name], shadow=True) == ["nonsense"]

    def rule() -> tuple[bool, float]:
        (only,) = compile_book(read_sources([settings.taken_rules]), NAMES).rules
        return only.shadow, only.points

    assert rule() == (True, one.points)
    assert taken.take([one.name], shadow=False) == []
    assert rule() == (False, one.points)
    assert taken.propose(MaterialFile(settings).read()) == [], "its messages have a rule"
    assert taken.forget([one.name]) == []
    assert compile_book(read_sources([settings.taken_rules]), NAMES).rules == ()
    assert one.trait not in [each.trait for each in taken.propose(MaterialFile(settings).read())]


def test_of_honest_mail_no_word_is_kept(tmp_path: Path) -> None:
    material = filled(settings_in(tmp_path))
    octets = (tmp_path / "rules" / "material.sqlite").read_bytes()
    assert b"warm garden sheds" in octets
    assert b"Tuesday" not in octets
    assert b"tuesday" not in octets
    assert hashed("phrase:tuesday at the sieve") in material.read().ham[0]
    mode = (tmp_path / "rules" / "material.sqlite").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_word_taken_back_or_changed_counts_no_more(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    material = filled(settings, spam=3, ham=2)
    material.note(report("forget", offer(0)), offer(0))
    material.note(report("ham", offer(1)), offer(1))
    material.note(report("spam", offer(2), "other@example.com"), offer(2))
    known = material.read()
    assert [one.voice for one in known.spam] == ["other@example.com"]
    assert len(known.ham) == 3


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_material, "MOST", 5)
    known = filled(settings_in(tmp_path), spam=9, ham=8).read()
    assert (len(known.spam), len(known.ham)) == (5, 5)
    assert known.spam[-1].network == "203.0.1.0/24"


def test_a_site_may_keep_nothing(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, rules={"propose": "off"})
    assert filled(settings, spam=2, ham=2).read() == Material((), ())
    assert not (tmp_path / "rules").exists()


def test_trouble_costs_what_was_to_be_kept_and_not_the_report(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "rules").write_text("no folder")
    MaterialFile(settings_in(tmp_path)).note(report("spam", offer(1)), offer(1))
    assert "a report leaves nothing for proposed rules" in caplog.text


def test_labelled_folders_count_beside_reports(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    spam = [offer(number) for number in range(20)]
    known = with_folders(
        filled(settings, spam=3).read(), spam, [offer(5000, "A letter of four long words")], settings
    )
    assert (len(known.spam), len(known.ham)) == (20, 251)
    assert {one.voice for one in known.spam} >= {f"203.0.{n}.0/24" for n in range(3, 7)}


def test_own_domains_and_those_of_brands_are_not_proposed(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, platform={"domains": ["mail.example.com"]})
    brand = "paypal.com"
    traits = frozenset({"host:example.com", f"host:{brand}", "host:sheds.example"})
    spam = tuple(Sighting(f"m{n}", traits, f"r{n}", f"192.0.{n}.0/24") for n in range(9))
    ham = tuple(frozenset[str]() for _ in range(300))
    found = TakenRules(settings, NAMES).propose(Material(spam, ham))
    assert [one.trait for one in found] == ["host:sheds.example"]


def test_a_rule_that_fits_not_beside_the_others_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    settings = settings_in(tmp_path, rules={"files": [str(file)]})
    file.write_text("")
    taken = TakenRules(settings, NAMES)
    (one, *_) = taken.propose(filled(settings).read())
    file.write_text(f'[[rule]]\nname = "{one.name}"\nmatch = "x"\n')
    with pytest.raises(ConfigError, match="is taken"):
        taken.take([one.name], shadow=False)
    assert not settings.taken_rules.exists()


def test_a_running_process_takes_them_up_by_itself(tmp_path: Path) -> None:
    config = tmp_path / "tamis.toml"
    config.write_text(f'state_directory = "{tmp_path}"\nrun_directory = "{tmp_path}"\n')
    settings = read_settings(config).settings
    source = SiteSource(config, FILTERS)
    site = source.read(first=True)
    assert site.rules.rules == ()
    write_snapshot(settings.snapshot_file, Snapshot(1))
    taken = TakenRules(settings, NAMES)
    (one, *_) = taken.propose(filled(settings).read())
    taken.take([one.name], shadow=False)
    fresh = source.fresh(site)
    assert fresh is not None
    assert [rule.name for rule in fresh.rules.rules] == [one.name]
    assert source.fresh(fresh) is None
    settings.taken_rules.write_text("[[rule]]\nname = 1\n")
    assert source.fresh(fresh) is None, "a mistake leaves what is in force"
