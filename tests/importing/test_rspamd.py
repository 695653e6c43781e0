"""rspamd's configuration: every key, map line and file accounted for, and what came over does what it did."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.contract.lists import Colour
from tamis.importing.bounded_files import ReadingBudget
from tamis.importing.gathering import Fate, Gathering
from tamis.importing.rspamd_conf import read_rspamd
from tamis.importing.ucl import NodeKind, read_ucl
from tests.importing.conftest import HERE, account_of, book_of, matching

FOLDER = HERE / "rspamd"


@pytest.fixture
def site(gathered: Gathering) -> Gathering:
    """Our site's /etc/rspamd, read."""
    read_rspamd(FOLDER, gathered, ReadingBudget())
    return gathered


def test_every_key_and_every_file_is_accounted_for(site: Gathering) -> None:
    places = {one.line.place for one in site.accounts}
    told = {place.rpartition(":")[0] if place.rpartition(":")[2].isdecimal() else place for place in places}
    files = {str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file()}
    assert files <= told
    for path in FOLDER.glob("*.d/*"):
        if (
            path.is_file()
            and path.suffix in (".conf", ".inc")
            and path.parent.name in ("local.d", "override.d")
        ):
            name = str(path.relative_to(FOLDER))
            root = read_ucl(path.read_text(), name)
            for node in root.walk():
                if node is not root and not (node.kind is NodeKind.SCALAR and not node.text):
                    assert node.place in places, node
    for path in (FOLDER / "local.d" / "maps.d").iterdir():
        name = str(path.relative_to(FOLDER))
        if name in told and name not in places:
            numbers = range(1, len(path.read_text().splitlines()) + 1)
            assert {f"{name}:{number}" for number in numbers} <= places


def test_limits_and_settings(site: Gathering) -> None:
    platform = site.policy["platform"]
    assert platform["required"] == 10.0  # override.d's 8 of 6 is 10 of 7.5
    assert platform["tag"] == "[spam] "
    assert platform["filters.greylisting.state"] == "on"
    assert platform["filters.greylisting.delay"] == 240
    assert site.policy["sales@example.com"] == {"required": 15.0, "filters.dnsbl.state": "off"}
    assert site.policy["spamtest@example.com"] == {"enabled": False}
    assert site.policy["example.org"] == {"enabled": False}
    assert site.settings["platform.networks"][2:] == ["192.0.2.0/24", "2001:db8:1::/48"]
    assert site.settings["platform.dnsbl"][-1] == "bl.example.net=127.0.0.2,127.0.0.3,127.0.0.4"
    assert site.settings["platform.uribl"][-1] == "uri.example.net=&2"
    assert site.settings["dns.servers"] == ["192.0.2.53", "198.51.100.53"]
    assert site.settings["antivirus.engines"] == [{"name": "clamav", "socket": "unix:/run/clamav/clamd.ctl"}]
    assert site.settings["state.url"] == "redis://127.0.0.1:6379/1"


def test_maps_are_lists(site: Gathering) -> None:
    entries = {(one.pattern, one.colour) for one in site.entries.values()}
    assert entries == {
        *((one, Colour.WHITE) for one in ("192.0.2.10", "198.51.100.0/28", "2001:db8:7::1")),
        *((one, Colour.BLACK) for one in ("203.0.113.0/24", "203.0.114.7", "203.0.113.200")),
        *((one, Colour.WHITE) for one in ("partner.example", "friends.example", "*.below.example")),
        *((one, Colour.BLACK) for one in ("worst@example.net", "bad@example.org")),
        *((one, Colour.WHITE) for one in ("bank.example", "shop.example")),
    }
    assert "no IP address" in account_of(site)("not-an-address").told


def test_rules_match_what_they_matched(site: Gathering) -> None:
    book = book_of(site)
    assert matching(book, "Subject: Urgent: cheap watches\n\nPlease buy a gift card\n") == {
        *("bad_subject", "our_pair_part", "our_pair_part_3", "our_pair", "our_both", "hold_pair"),
    }
    assert "our_both" not in matching(book, "Subject: cheap pills\n\nlimited time offer\n")
    assert "bad_hosts" in matching(book, "Subject: x\n\nhttps://a.b.bad.example/x\n")
    assert "bad_hosts" not in matching(book, "Subject: x\n\nhttps://good.example/?q=.bad.example/\n")
    assert site.rules["bad_subject"]["points"] == 5.0
    assert site.rules["hold_pair"]["action"] == "spam"
    assert not [name for name in site.rules if name.startswith("our_lua")]


def test_what_has_no_equal_says_why(site: Gathering) -> None:
    told = account_of(site)
    assert "looks around" in told("/no(?=thing)/").told
    assert "refers back" in told(r"/(a)\1/").told
    assert "Lua" in told("OUR_LUA = {…}").told
    assert "BAYES_SPAM" in told("OUR_STOCK = {…}").told
    assert "outside the folder" in told("OUTSIDE = {…}").told
    assert "outside the folder" in told("FETCHED = {…}").told
    assert told("something = 1").fate is Fate.NONE


def test_the_signer_is_told_its_keys(site: Gathering) -> None:
    assert any("old._domainkey.example.com example.com:old:/var/lib/rspamd" in hint for hint in site.hints)


def test_no_secret_is_shown(site: Gathering) -> None:
    assert not [one for one in site.accounts if "secret" in one.line.text + one.told]


def test_maps_outside_the_folder_are_not_read(gathered: Gathering, tmp_path: Path) -> None:
    folder = tmp_path / "rspamd"
    (folder / "local.d").mkdir(parents=True)
    (tmp_path / "private").write_text("192.0.2.99\n")
    (folder / "local.d" / "linked.map").symlink_to(tmp_path / "private")
    (folder / "local.d" / "multimap.conf").write_text(
        'A { type = "ip"; map = "$LOCAL_CONFDIR/../private"; action = "accept"; }\n'
        'B { type = "ip"; map = "$LOCAL_CONFDIR/local.d/linked.map"; action = "accept"; }\n'
        '.include "/etc/passwd"\n'
    )
    read_rspamd(folder, gathered, ReadingBudget())
    assert not gathered.entries
    assert not [one for one in gathered.accounts if "192.0.2.99" in one.line.text]


def test_broken_input_is_refused_with_file_and_line(gathered: Gathering, tmp_path: Path) -> None:
    folder = tmp_path / "rspamd"
    shutil.copytree(FOLDER, folder)
    (folder / "local.d" / "actions.conf").write_text("reject = 1;\nadd_header = [\n")
    with pytest.raises(ConfigError, match="not closed") as refused:
        read_rspamd(folder, gathered, ReadingBudget())
    assert refused.value.source == "local.d/actions.conf:3"


def test_files_that_include_each_other_are_refused(gathered: Gathering, tmp_path: Path) -> None:
    (tmp_path / "local.d").mkdir()
    (tmp_path / "local.d" / "actions.conf").write_text('.include "$LOCAL_CONFDIR/local.d/actions.conf"\n')
    with pytest.raises(ConfigError, match="include each other"):
        read_rspamd(tmp_path, gathered, ReadingBudget())


def test_too_much_is_refused(gathered: Gathering) -> None:
    with pytest.raises(ConfigError, match="larger than"):
        read_rspamd(FOLDER, gathered, ReadingBudget(octets=500))
    with pytest.raises(ConfigError, match="files"):
        read_rspamd(FOLDER, gathered, ReadingBudget(files=3))
