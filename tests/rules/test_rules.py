"""Rule files: what they say, what is refused with its place, and that no pattern takes long."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.contract.filter import Effect, Opinion
from tamis.contract.finding import Finding, Status
from tamis.message.mail import Mail, Seen
from tamis.rules import Expression, RuleBook, RuleSource, holds
from tamis.rules.expression import MAX_DEPTH, ExpressionError, parse, reduce, truth, written
from tamis.rules.rule_file import compile_book, failed_examples, read_sources
from tests.attachments import letter
from tests.builders import FILTERS, PROPERTY, message, site
from tests.cli.conftest import Run, config, run  # noqa: F401 # fixtures
from tests.documents import pdf
from tests.services.files.test_documents import invoice

NAMES = frozenset(one.name for one in FILTERS)
EXAMPLE = Path(__file__).parents[2] / "deploy" / "rules" / "example.toml"


def book(text: str) -> RuleBook:
    return compile_book((RuleSource("r.toml", text),), NAMES)


def met(text: str, raw: bytes) -> dict[str, Expression]:
    return dict(book(text).match(Mail(raw)).values)


def rule(match: str, where: str = "subject", more: str = "") -> str:
    return f"[[rule]]\nname = 'one'\nmatch = '''{match}'''\nwhere = ['{where}']\n{more}"


MIME = (
    b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.net>\r\nX-Thing: one\r\nX-Thing: two\r\n"
    b"Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b'<p>Click <a href="http://www.example.org/x">here</a></p>\r\n--b\r\nContent-Type: application/pdf\r\n'
    b'Content-Disposition: attachment; filename="bill.pdf.exe"\r\n\r\nMZ\xff\xfe\r\n--b--\r\n'
)


@pytest.mark.parametrize(
    ("match", "where", "hit"),
    [
        ("^GRÜSSE$", "subject", False),
        ("^grüße$", "subject", True),
        ("click here", "text", True),
        ("^x-thing: two$", "headers", False),
        ("(?m)^x-thing: two$", "headers", True),
        ("jürgen", "header:from", True),
        ("(?s)one.*two", "header:x-thing", True),
        (r"\bwww\.example\.org/x", "urls", True),
        (r"\.exe$", "attachments", True),
        (r"\xff\xfe", "raw", True),
        ("click", "subject", False),
    ],
)
def test_places(match: str, where: str, hit: bool) -> None:
    assert (met(rule(match, where), MIME) == {"one": True}) is hit


def test_case_counts_when_it_is_told_to() -> None:
    assert met(rule("HELLO"), b"Subject: hello\n\n")
    assert not met(rule("HELLO", more="ignore_case = false"), b"Subject: hello\n\n")
    assert met(rule("(?i:HELLO)", more="ignore_case = false"), b"Subject: hello\n\n")


@pytest.mark.parametrize(
    ("text", "where", "told"),
    [
        ("[[rule]]\nname = a\n", "r.toml:2:8", "no valid TOML"),
        ("[[rules]]\nname = 'a'\n", "r.toml:1:3", "did you mean 'rule'"),
        ("[[rule]]\nname = 'aa'\nmach = 'x'\n", "r.toml:3:1", "no such key 'mach'; did you mean 'match'"),
        ("[[rule]]\nname = 'aa'\nmatch = ['x', 'y(']\n", "r.toml:3:16", "missing )"),
        ("[[rule]]\nname = 'aa'\nmatch = '(?=x)'\n", "r.toml:3:10", "invalid perl operator"),
        ("[[rule]]\nname = 'aa'\nmatch = 'x'\nwhere = ['subjct']\n", "r.toml:4:11", "did you mean 'subject'"),
        ("[[rule]]\nname = 'aa'\nmatch = 'x'\naction = 'spma'\n", "r.toml:4:11", "did you mean 'spam'"),
        (
            "[[rule]]\nname = 'aa'\nmatch = 'x'\n[[rule]]\nname = 'bb'\nwhen = 'aa and (cyrilic)'\n",
            "r.toml:6:17",
            "'cyrillic'",
        ),
        ("[[rule]]\nname = 'aa'\nwhen = 'empty and or'\n", "r.toml:3:19", "expected a name, not 'or'"),
        ("[[rule]]\nname = 'aa'\nwhen = '3 of (empty, cyrillic)'\n", "r.toml:3:9", "can never be"),
        ("[[rule]]\nname = 'aa'\nwhen = 'aa'\n", "r.toml:3:9", "no rule above"),
        ("[[rule]]\nname = 'empty'\nmatch = 'x'\n", "r.toml:2:9", "taken"),
        ("[[rule]]\nname = 'aa'\n", "r.toml:2:1", "needs one of match, when, measure, table, brand_at"),
        ("[[rule]]\nname = 'aa'\nmatch = '((a{100}){100}){100}'\n", "r.toml:3:10", "repetition"),
        ("rule = 3\n", "r.toml:1:1", "[[rule]]"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, where: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        book(text)
    assert str(refused.value).startswith(where)
    assert told in str(refused.value)


def test_many_patterns_with_gaps_are_no_burden() -> None:
    many = "".join(f"[[rule]]\nname = 'r{n}'\nmatch = 'foo{n}x.{{0,250}}bar{n}x'\n" for n in range(300))
    assert book(many).match(Mail(b"Subject: x\n\nfoo7x and bar7x, foo8x and bar9x\n")).values == {"r7": True}


def test_many_patterns_without_letters_are_refused() -> None:
    many = "".join(f"[[rule]]\nname = 'r{n}'\nmatch = '[a-z][0-9]'\n" for n in range(600))
    with pytest.raises(ConfigError, match="too many patterns over"):
        book(many)


@pytest.mark.parametrize(
    "pattern", ["(x+x+)+y", "(x|xx)+$", "(.*)*z", "(x*)*x*!", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.?){100}q"]
)
def test_evil_patterns_take_linear_time(pattern: str) -> None:
    compiled = book(rule(pattern, "text"))
    begun = time.process_time()
    compiled.match(Mail(b"Subject: x\n\n" + b"x" * 1_000_000))
    assert time.process_time() - begun < 5.0  # a hang: exponential time would be years


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "c", "d", "e"]),
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner).map(list),
        st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(list),
        st.lists(inner, min_size=1, max_size=4).flatmap(
            lambda parts: st.integers(1, len(parts)).map(lambda n: ["least", n, *parts])
        ),
    ),
    max_leaves=12,
)


def plainly(one: Expression, hits: frozenset[str]) -> bool:
    if isinstance(one, str):
        return one in hits
    assert not isinstance(one, bool)
    if one[0] == "not":
        return not plainly(one[1], hits)
    if one[0] == "least":
        return sum(plainly(part, hits) for part in one[2:]) >= int(one[1])
    return (all if one[0] == "and" else any)(plainly(part, hits) for part in one[1:])


@PROPERTY
@given(EXPRESSIONS, st.frozensets(st.sampled_from("abcde")), st.frozensets(st.sampled_from("abcde")))
def test_an_expression_in_two_steps_is_the_whole(
    one: Expression, hits: frozenset[str], known: frozenset[str]
) -> None:
    """Part of the names when the message is examined, the others when it is judged."""
    read, _ = parse(written(one))
    assert holds(read, hits) is plainly(one, hits)
    assert truth(read)(hits) is plainly(one, hits)
    left = reduce(read, lambda name: name in hits if name in known else name)
    assert holds(left, hits) is plainly(one, hits)


@PROPERTY
@given(st.lists(EXPRESSIONS, min_size=1, max_size=4), st.frozensets(st.sampled_from("abcde")))
def test_rules_that_a_message_meets_are_all_that_hold_in_their_order(
    logic: list[Expression], there: frozenset[str]
) -> None:
    """Rules are not looked at one by one, and each may name those above it."""
    rules = [f"[[rule]]\nname = '{n}{n}'\nmatch = '{n * 4}'\nwhere = ['subject']\n" for n in "abcde"]
    for number, one in enumerate(logic):
        when = re.sub(r"\b([a-e])\b", r"\1\1", written(one))
        rules.append(f"[[rule]]\nname = 'l{number}'\nwhen = '{when}'\n")
        rules.append(f"[[rule]]\nname = 'm{number}'\nwhen = 'l{number} and not aa'\n")
    wanted = [name * 2 for name in sorted(there)]
    for number, one in enumerate(logic):
        if plainly(one, there):
            wanted += [f"l{number}"] if "a" in there else [f"l{number}", f"m{number}"]
    subject = " ".join(name * 4 for name in sorted(there))
    found = met("".join(rules), b"Subject: " + subject.encode() + b"\r\n\r\n")
    assert [*found.items()] == [(name, True) for name in wanted]


@PROPERTY
@given(st.text("abof12() ,ntdr", max_size=40))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        parse(text)
    except ExpressionError as error:
        place = error.place
    else:
        place = 0
    assert 0 <= place <= len(text)


def test_depth_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="deep"):
        parse("(" * (MAX_DEPTH + 2) + "a" + ")" * (MAX_DEPTH + 2))
    with pytest.raises(ExpressionError, match="deep"):
        parse("not " * 500 + "a")


def test_the_shipped_example_is_good() -> None:
    compiled = compile_book(read_sources([EXAMPLE]), NAMES)
    assert list(failed_examples(compiled)) == []
    assert len(compiled.rules) == 4


def test_effects_that_policy_chooses() -> None:
    """Spam becomes points or a tag where the filter's effect says so."""
    (keywords,) = (one for one in FILTERS if one.name == "keywords")
    text = (
        rule("x", more="action = 'spam'\n")
        + "[[rule]]\nname = 'two'\nmatch = 'x'\naction = 'score'\npoints = 1.5\n"
    )
    given_message = message(b"Subject: x\n\n")
    given_message.rules = book(text)
    finding = keywords.examine(given_message)
    assert isinstance(finding, Finding)

    def judged(**options: object) -> Opinion:
        return keywords.judge(finding, keywords.options.model_validate(options), ())

    assert finding.status is Status.HIT
    assert judged().effect is Effect.SPAM
    assert (judged(effect="score").effect, judged(effect="score").points) == (Effect.SCORE, 4.0)
    assert judged(effect="tag").effect is Effect.TAG
    assert (judged(leave_out=["one"]).effect, judged(leave_out=["one"]).points) == (Effect.SCORE, 1.5)
    assert judged(leave_out=["one", "two"]).effect is None


def test_text_of_images_and_documents_is_a_place_and_meets_rules_over_text() -> None:
    text = rule("grand prize", "text") + rule("scan me", "files").replace("'one'", "'two'")
    compiled = book(text)
    mail = Mail(b"Subject: x\n\nScan me for the grand prize\n")
    assert set(compiled.match(mail).values) == {"one"}
    seen = Mail(b"Subject: x\n\nHello\n").with_seen(Seen("Scan me for the GRAND PRIZE"))
    found = compiled.match(seen)
    assert set(found.values) == found.in_files == {"one", "two"}
    assert {(spot.rule, spot.place) for spot in compiled.spots(seen)} == {("one", "files"), ("two", "files")}
    both = compiled.match(mail.with_seen(Seen("grand prize")))
    assert both.in_files == frozenset()  # the message itself says it
    assert (
        list(
            failed_examples(book(rule("scan", "files", 'hits = ["\\n\\nScan\\n"]\nclear = ["\\n\\nx\\n"]\n')))
        )
        == []
    )


def test_the_command_reads_documents(run: Run, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "r.toml").write_text(rule("invoice is due", "text"))
    (tmp_path / "m.eml").write_bytes(letter({"a.pdf": pdf(invoice)}, kind="application/pdf"))
    tested = run("rules", "test", "--rules", str(tmp_path / "r.toml"), str(tmp_path / "m.eml"))
    assert "files: 'invoice is due' by" in tested.out


def test_a_broken_file_is_no_site(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        site(f'[rules]\nfiles = ["{tmp_path}/none.toml"]')
    (tmp_path / "r.toml").write_text("[[rule]]\nname = 'aa'\n")
    with pytest.raises(ConfigError, match="needs one of match"):
        site(f'[rules]\nfiles = ["{tmp_path}/r.toml"]'.replace("\n[", "["))


def test_the_commands(run: Run, tmp_path: Path) -> None:  # noqa: F811
    checked = run("rules", "check", str(EXAMPLE), "--json")
    assert checked.data == {"ok": True, "rules": 4, "examples": 6, "failed": []}
    (tmp_path / "r.toml").write_text(
        rule("x", more="hits = ['Subject: y\\n\\n']\n").replace(
            "['Subject: y\\n\\n']", '["Subject: y\\n\\n"]'
        )
    )
    failed = run("rules", "check", str(tmp_path / "r.toml"))
    assert failed.status == os.EX_CONFIG
    assert f"{tmp_path}/r.toml:2: one: example 1 of hits does not match" in failed.err
    (tmp_path / "m.eml").write_bytes(b"Subject: Re: [Ticket #12345] x\x1b[2J\n\nNext of kin\n")
    tested = run("rules", "test", "--rules", str(EXAMPLE), str(tmp_path / "m.eml"))
    assert tested.status == 0
    assert "our_ticket" in tested.out
    assert "subject: '[Ticket #12345]' by" in tested.out
    assert "\x1b" not in tested.out
    (told,) = [run("rules", "test", "--json", "--rules", str(EXAMPLE), str(tmp_path / "m.eml")).data]
    assert [one["rule"] for one in told["rules"]] == ["our_ticket", "advance_fee", "advance_fee_elsewhere"]
    assert told["rules"][2]["depends_on"] == "malformed"
