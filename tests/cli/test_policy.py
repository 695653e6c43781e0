"""`tamis policy`, and what it says to wrong settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run

BAD = Path(__file__).parents[1] / "bad_configs"


def test_set_show_unset(run: Run, config: Path) -> None:
    config.write_text(
        f'{config.read_text()}[policy]\nrequired = 6\n[policy.domains."example.com"]\ntag = "X"\n'
    )
    ended = run("policy", "set", "Marie@Example.com", "outcome", "junk")
    assert ended.out.startswith('marie@example.com: outcome = "junk". In force within seconds')
    assert run("policy", "set", "example.com", "filters.cyrillic.state", '"off"', "--json").data == {
        "scope": "example.com",
        "key": "filters.cyrillic.state",
        "value": "off",
    }
    shown = {one["key"]: one for one in run("policy", "show", "marie@example.com", "--json").data}
    for key, value, scope, source in (
        ("outcome", "junk", "marie@example.com", "store"),
        ("tag", "X", "example.com", "file"),
        ("filters.cyrillic.state", "off", "example.com", "store"),
        ("required", 6.0, "platform", "file"),
        ("enabled", True, "default", "default"),
    ):
        assert shown[key] == {"key": key, "value": value, "scope": scope, "source": source}
    lines = run("policy", "show", "marie@example.com").out.splitlines()
    assert next(line.split() for line in lines if line.startswith("*")) == [
        "*", "outcome", "marie@example.com", "(store)", '"junk"',
    ]  # fmt: skip
    platform = {one["key"]: one["value"] for one in run("policy", "show", "--json").data}
    assert platform["outcome"] == "quarantine"
    assert run("policy", "unset", "marie@example.com", "outcome").status == 0
    left = {one["key"]: one["value"] for one in run("policy", "show", "marie@example.com", "--json").data}
    assert (left["enabled"], left["outcome"]) == (True, "quarantine")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("set", "platform", "requierd", "5"), 78, "did you mean 'required'?"),
        (
            ("set", "platform", "required", "-5"),
            78,
            "policy.required: input should be greater than 0 (value -5)",
        ),
        (("set", "example.com", "outcome", "bin"), 78, 'policy.domains."example.com".outcome'),
        (("set", "a@example.com", "enabled", "perhaps"), 78, 'policy.mailboxes."a@example.com".enabled'),
        (("set", "platform", "filters.cyrilic.state", "off"), 78, "did you mean 'filters.cyrillic.state'?"),
        (("set", "platform", "filters.cyrillic.stat", "off"), 78, "did you mean 'filters.cyrillic.state'?"),
        (("set", "platform", "cyrillic", "off"), 78, "did you mean 'filters.cyrillic.state'?"),
        (("set", "platform", "filters.cyrillic.state", "of"), 78, "did you mean 'off'?"),
        (("set", "platform", "filters.cyrillic", "off"), 78, "must be a table"),
        (("set", "platform", "filters", "off"), 78, "must be a table"),
        (("set", "platform", "filters.ip_whitelist.effect", "spam"), 78, "must be one of accept, score, tag"),
        (("set", "platform", "outcome.deeper", "x"), 78, "outcome"),
        (("set", "platform", "a..b", "x"), 78, "must be a name of a setting"),
        (("set", "platform", "required", "[1"), 64, "no TOML value"),
        (("set", "plattform", "required", "1"), 64, "did you mean 'platform'?"),
        (("unset", "platform", "tag"), 66, "set there: required"),
        (("unset", "example.org", "tag"), 66, "nothing is set there"),
        (("show", "a b"), 64, "domain or a mailbox"),
    ],
)
def test_mistakes_are_explained_and_change_nothing(
    run: Run, arguments: tuple[str, ...], status: int, says: str
) -> None:
    run("policy", "set", "platform", "required", "5")
    before = run("policy", "show", "--json").data
    ended = run("policy", *arguments)
    assert (ended.status, says in ended.err) == (status, True), ended
    assert run("policy", "show", "--json").data == before


def test_a_negative_value_is_no_option(run: Run) -> None:
    assert run("policy", "set", "platform", "filters.cyrillic.score", "-2.5", "--json").data["value"] == -2.5
    assert run("policy", "set", "platform", "required", "3", "--by").status == 64


def test_check_makes_no_store(run: Run, config: Path) -> None:
    ended = run("policy", "check")
    assert ended.out == f"{config}: ok, with 0 overrides in the store\n"
    assert not (config.parent / "tamis.sqlite").exists()
    run("policy", "set", "platform", "required", "5")
    assert run("policy", "check", "--json").data == {"ok": True, "file": str(config), "overrides": 1}


def test_check_of_another_file_takes_its_store(run: Run, config: Path, tmp_path: Path) -> None:
    run("policy", "set", "platform", "filters.cyrillic.state", "shadow")
    other = tmp_path / "other.toml"
    other.write_text('[policy]\nfilters = "none"\n')
    ended = run("policy", "check", str(other))
    assert (ended.status, ended.err) == (
        78,
        f"tamis: {other}: policy.filters: must be a table (value 'none')\n",
    )
    other.write_text('store.url = "postgresql://x@127.0.0.1:1/x"\n')
    ended = run("policy", "check", str(other))
    assert ended.status == 69
    assert f"{other} is good by itself, but the store can't answer" in ended.err


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.toml")))
def test_bad_settings_are_refused_with_file_key_value_and_nearest_name(run: Run, name: str) -> None:
    path = BAD / f"{name}.toml"
    ended = run("policy", "check", str(path))
    assert (ended.status, ended.out) == (78, "")
    expected = path.with_suffix(".expected").read_text().strip()
    assert ended.err == f"tamis: {expected.replace('FILE', str(path))}\n"


def test_versions_are_shown_and_taken_back(run: Run) -> None:
    assert run("policy", "versions").out == "Nothing was changed yet.\n"
    run("policy", "set", "platform", "required", "6", "--note", "milder", "--by", "anne")
    run("policy", "set", "example.com", "outcome", "junk")
    shown = run("policy", "versions").out.splitlines()
    assert shown[0].startswith("version 2, ")
    assert shown[1] == '    example.com: outcome: default -> "junk"'
    assert shown[2].endswith(" UTC, anne: milder")
    (one,) = run("policy", "versions", "example.com", "--json").data
    assert one["changes"] == [{"scope": "example.com", "key": "outcome", "was": None, "now": "junk"}]
    assert run("policy", "undo", "1").out.startswith("Version 1 is taken back by version 3. In force")
    values = {line["key"]: line["value"] for line in run("policy", "show", "--json").data}
    assert values["required"] == 7.5
    run("policy", "set", "example.com", "outcome", "tag")
    refused = run("policy", "undo", "2")
    assert (refused.status, "changed since by somebody else: example.com outcome" in refused.err) == (
        65,
        True,
    )
    assert run("policy", "undo", "99").status == 78
    assert run("policy", "undo", "1").status == 65


def test_what_the_platform_fixes_has_no_effect_below(run: Run) -> None:
    run("policy", "set", "example.com", "required", "3")
    run("policy", "set", "platform", "fixed", '["required", "filters.spf"]')
    shown = {one["key"]: one for one in run("policy", "show", "example.com", "--json").data}
    assert (shown["required"]["value"], shown["required"]["scope"]) == (7.5, "default")
    refused = run("policy", "set", "example.com", "filters.spf.state", "off")
    assert (refused.status, "is fixed by platform" in refused.err) == (78, True)
    assert run("policy", "unset", "example.com", "required").status == 0
