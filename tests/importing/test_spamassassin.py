"""SpamAssassin's configuration: every line accounted for, and what came over does what it did."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.contract.lists import Colour
from tamis.importing.bounded_files import MAX_LINE, ReadingBudget
from tamis.importing.checking import setting_check
from tamis.importing.gathering import Fate, Gathering
from tamis.importing.spamassassin_conf import read_spamassassin
from tests.builders import FILTERS
from tests.importing.conftest import HERE, NAMES, account_of, book_of, fates, matching

LOCAL = HERE / "spamassassin" / "local.cf"
MORE = HERE / "spamassassin" / "more.cf"


@pytest.fixture
def site(gathered: Gathering) -> Gathering:
    """Our site's local.cf, read."""
    read_spamassassin([LOCAL], gathered, ReadingBudget())
    return gathered


def test_every_line_is_accounted_for_in_its_order(site: Gathering) -> None:
    wanted = []
    for path in (LOCAL, MORE):
        wanted += [(f"{path}:{n}", text.strip()) for n, text in enumerate(path.read_text().split("\n"), 1)]
    assert len(wanted) > 200
    last = wanted.index((f"{LOCAL}:{len(LOCAL.read_text().splitlines())}", "include more.cf"))
    told = [(one.line.place, one.line.text) for one in site.accounts]
    assert sorted(told) == sorted(wanted)
    assert told[: last + 1] == wanted[: last + 1]
    for one in site.accounts:
        assert one.told or one.fate is Fate.SILENT, one


def test_what_came_over_as_settings(site: Gathering) -> None:
    platform = site.policy["platform"]
    assert platform["required"] == 9.0  # 6 of 5 is 9 of 7.5
    assert platform["tag"] == "[Spam?] "
    assert platform["filters.authenticated_whitelist.state"] == "on"
    assert site.policy["spamtest@example.com"] == {"enabled": False}
    assert site.settings["platform.networks"][2:] == [
        "192.0.2.0/28",
        "198.51.100.7/32",
        "2001:db8:0:5::/64",
        "10.0.0.0/8",
    ]
    assert site.settings["platform.dnsbl"][-2:] == [
        "bl.example.net=127.0.0.2",
        "wide.example.net=127.0.0.4,&8",
    ]
    assert site.settings["platform.rhsbl"][-1] == "rhs.example.net"
    assert site.settings["platform.uribl"][-1] == "uri.example.net=&2"
    assert site.settings["learning.minimum"] == 300


def test_lists_in_all_spellings(site: Gathering) -> None:
    entries = {one.pattern: one.colour for one in site.entries.values()}
    white = {pattern for pattern, colour in entries.items() if colour is Colour.WHITE}
    assert white == {
        *("newsletter@example.net", "partner@example.net", "*@example.org", "*@provider.example"),
        *("*@signed.example", "invoices@spf.example", "sales@dkim.example", "*@big.example"),
        *("*@both.example", "news@both.example"),
    }
    assert {pattern for pattern in entries if pattern not in white} == {
        "*@spammer.example",
        "bad@example.net",
    }


def test_rules_match_what_they_matched(site: Gathering) -> None:
    book = book_of(site)
    shop = (
        "From: My Web Shop <info@shop.example>\nTo: info@example.com\nSubject: You are a Lottery winner\n"
        "X-Campaign-Id: 7\nList-Id: <example>\n\nUrgent: your parcel is waiting\ndefined further down\n"
    )
    assert matching(book, shop) == {
        *("local_from_shop_part", "local_to_info_part", "local_lottery", "local_has_campaign_part"),
        *("local_no_list_there", "local_parcel", "local_urgent_part", "local_combined", "local_two_of"),
        *("local_defined_below", "local_later"),
    }
    assert "local_no_list" in matching(book, "From: a@example.net\n\nhello\n")
    assert "local_nice" in matching(book, "From: a@example.net\n\nour contract number 123456\n")
    assert site.rules["local_raw"]["action"] == "spam"
    assert site.rules["local_nice"]["action"] == "accept"
    assert site.rules["local_xmailer"]["points"] == 2.25  # the fourth score, 1.5 of 5
    assert site.rules["local_lottery"]["points"] == 6.0  # 3.5, and 0.5 more behind the else


def test_what_has_no_equal_says_why(site: Gathering) -> None:
    told = account_of(site)
    expected = {
        "body LOCAL_LOOK /free(?! of charge)/i": "looks around",
        r"body LOCAL_BACK /(\w{4}) \1 \1/": "refers back",
        "meta LOCAL_STOCK BAYES_99 && LOCAL_LOTTERY": "BAYES_99",
        "meta LOCAL_CIRCLE_A LOCAL_CIRCLE_B": "in turn",
        "meta LOCAL_WEIGHTED 2*LOCAL_LOTTERY + LOCAL_PARCEL > 3": "arithmetic",
        "body LOCAL_BROKEN /unbalanced (group/": "RE2",
        "header LOCAL_ENV EnvelopeFrom =~ /bounce/": "envelope",
        "blocklist_from *": "every sender",
        "colour_of_the_sky blue": "no setting",
    }
    for text, reason in expected.items():
        one = told(text)
        assert one.fate is Fate.NONE, one
        assert reason in one.told, one
    assert fates(site)["bayes_path /var/lib/spamassassin/bayes"] is Fate.ELSEWHERE
    assert "spf" in told("loadplugin Mail::SpamAssassin::Plugin::SPF").told


def test_what_is_not_in_force_there_is_not_in_force_here(site: Gathering) -> None:
    assert fates(site)["header OUR_OWN eval:our_own_test()"] is Fate.SILENT
    assert "local_old" not in site.rules
    assert "local_new" in site.rules
    assert "local_off" not in site.rules


def test_a_users_preferences_are_policy_of_a_mailbox() -> None:
    own = Gathering(setting_check(FILTERS), NAMES, "marie@example.com")
    read_spamassassin([HERE / "spamassassin" / "user_prefs"], own, ReadingBudget())
    assert own.policy == {"marie@example.com": {"required": 6.0}}
    assert {one.scope for one in own.entries.values()} == {"marie@example.com"}
    assert not own.rules
    assert "platform" in account_of(own)("body MY_OWN /my own rule/").told


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("score A 1\nif (version > 3)\nscore B 1\n", 2, "no endif"),
        ("# one\nendif\n", 2, "without an if"),
        ("score A 1\nbody B /\0/\n", 2, "NUL"),
        ("\n\nbody A /" + "x" * MAX_LINE + "/\n", 3, "characters"),
        ("score A 1\n" + "ifplugin X\n" * 60, 52, "conditions"),
    ],
)
def test_broken_input_is_refused_with_file_and_line(
    gathered: Gathering, tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = tmp_path / "local.cf"
    path.write_text(text)
    with pytest.raises(ConfigError, match=problem) as refused:
        read_spamassassin([path], gathered, ReadingBudget())
    assert refused.value.source == f"{path}:{line}"


def test_a_file_that_includes_itself_is_refused(gathered: Gathering, tmp_path: Path) -> None:
    path = tmp_path / "local.cf"
    path.write_text("include local.cf\n")
    with pytest.raises(ConfigError, match="includes itself"):
        read_spamassassin([path], gathered, ReadingBudget())


def test_too_much_is_refused(gathered: Gathering, tmp_path: Path) -> None:
    path = tmp_path / "local.cf"
    path.write_text("# comment\n" * 50)
    with pytest.raises(ConfigError, match="larger than"):
        read_spamassassin([path], gathered, ReadingBudget(octets=100))
    with pytest.raises(ConfigError, match="lines"):
        read_spamassassin([path], gathered, ReadingBudget(lines=10))
    with pytest.raises(ConfigError, match=r"no regular file|can't be read"):
        read_spamassassin([tmp_path], gathered, ReadingBudget())


def test_a_chain_of_rules_that_would_grow_without_end_stops(gathered: Gathering, tmp_path: Path) -> None:
    """Each names the one before twice: the twentieth would have a million terms."""
    path = tmp_path / "local.cf"
    lines = ["body R0 /three letters/"]
    lines += [f"meta R{n} R{n - 1} && (R{n - 1} || R0)" for n in range(1, 300)]
    path.write_text("\n".join(lines))
    read_spamassassin([path], gathered, ReadingBudget())
    assert any("too long" in one.told for one in gathered.accounts)
    assert book_of(gathered).rules


_words = st.sampled_from(
    [
        *(
            "header",
            "body",
            "meta",
            "score",
            "tflags",
            "whitelist_from",
            "trusted_networks",
            "if",
            "ifplugin",
            "else",
        ),
        *(
            "endif",
            "rewrite_header",
            "uri",
            "describe",
            "urirhssub",
            "(",
            ")",
            "&&",
            "!",
            "+",
            ">=",
            "2",
            "/x/i",
            "=~",
        ),
        *(
            "A",
            "B",
            "eval:check_rbl('a','b.example.net')",
            "Subject",
            "*@example.net",
            "!~",
            "[if-unset:",
            "#",
            "\\",
        ),
        *(
            "m{",
            "}",
            "exists:",
            "0",
            "-1",
            "(1)",
            "10.",
            "::1",
            "ALL",
            "From:addr",
            "/(?=x)/",
            "replace_rules",
        ),
    ]
)
_lines = st.lists(st.lists(_words | st.text(max_size=12), max_size=8).map(" ".join), max_size=12)


@given(_lines)
def test_whatever_the_lines_are_each_is_accounted_for_or_the_file_is_refused(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.cf"
    path.write_bytes("\n".join(lines).encode("utf-8", "replace"))
    gathered = Gathering(setting_check(FILTERS), NAMES)
    try:
        read_spamassassin([path], gathered, ReadingBudget())
    except ConfigError as error:
        assert error.source.startswith(str(path))  # noqa: PT017 # where it is refused, it says where
        return
    assert len(gathered.accounts) == path.read_bytes().count(b"\n") + 1
    book_of(gathered)
