"""Every sentence that people read, in every language, with something in each of its places."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from hypothesis import given
from hypothesis import strategies as st

from tamis.challenge.challenge_records import ChallengeState
from tamis.contract.finding import Finding, Status
from tamis.contract.sentences import SENTENCES, retold
from tamis.filters.helo import _WORDS as HELO_WORDS
from tamis.filters.helo import POINTS
from tamis.judging.reasons import TOTAL, UNKNOWN, plain_reason
from tamis.judging.suppression import SENTENCES as NOT_ASKED
from tamis.judging.suppression import NotAsked
from tamis.language.enumeration import listed
from tamis.language.translation import CATALOGUES, LANGUAGES, translations
from tests.builders import FILTERS
from tests.real.support import REPOSITORY

PERCENT = re.compile(r"%\((\w+)\)s")
BRACES = re.compile(r"\{(\w+)\}")


def sentences() -> Iterator[tuple[str, str]]:
    """Every English sentence with its French."""
    with (CATALOGUES / "fr" / "LC_MESSAGES" / "tamis.po").open("rb") as file:
        for message in read_po(file):
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            said = message.string if isinstance(message.string, tuple) else (message.string,)
            yield from ((str(one), str(other)) for one, other in zip(ids, said, strict=True) if one)


def filled(sentence: str, names: list[str]) -> str:
    """A sentence with a word of its own in each place."""
    words = {name: f"<{name.upper()}>" for name in names}
    return sentence % words if PERCENT.search(sentence) else sentence.format_map(words)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_can_be_said_with_its_places_filled(language: str) -> None:
    for english, french in sentences():
        names = PERCENT.findall(english) or BRACES.findall(english)
        said = filled(english if language == "en" else french, names)
        for name in names:
            assert f"<{name.upper()}>" in said, english
        assert not PERCENT.search(said), english
        assert not BRACES.search(said), english


def test_french_is_french() -> None:
    """What reads the same in both has one word at most: several together are English."""
    same = [english for english, french in sentences() if english == french]
    words = {one: re.findall(r"[a-z]{3,}", BRACES.sub("", PERCENT.sub("", one))) for one in same}
    assert {one for one, of in words.items() if len(of) > 1} == set()


def test_apostrophes_are_those_of_print() -> None:
    straight = re.compile(r"(?<=\w)'(?=\w)")
    assert [french for _, french in sentences() if straight.search(french)] == []


def test_a_button_is_quoted_as_it_reads() -> None:
    """What a sentence says to press stands on the page with just these words."""
    french = dict(sentences())
    quoted = [(one, name) for one in french for name in re.findall("“([A-Z][^”]+)”", one) if name in french]
    assert len(quoted) > 5
    spaces = str.maketrans("\u00a0\u202f", "  ")
    wrong = [one for one, name in quoted if f"« {french[name]} »" not in french[one].translate(spaces)]
    assert wrong == []


def test_one_word_for_one_thing() -> None:
    """A message is "message", a mailbox "boîte", what people want "voulu", and the filter is "anti-spam"."""
    others = (
        "courriel|mails?|mél|boîte aux lettres|e-mails (?:retenus|en attente)|antispam|(?:désir|souhait)ée?s?"
    )
    wrong = re.compile(rf"\b(?<!-)({others})\b")
    assert [french for _, french in sentences() if wrong.search(french)] == []


def called() -> Iterator[tuple[str, str]]:
    """What filters and the chain say by something else than a sentence that stands there: file, expression."""
    for folder in ("filters", "tamis/chain"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call):
                    continue
                name = (
                    node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                )
                says = name in ("hit", "clear", "unavailable", "skipped", "say") and node.args
                if says and not isinstance(node.args[0], ast.Constant):
                    yield str(path.relative_to(REPOSITORY)), ast.unparse(node.args[0])


def test_what_filters_say_stands_in_the_catalogue() -> None:
    """`scripts/catalogues` finds a sentence that stands in the call, and those that are `marked`. These are all others,
    each of which is marked where it is made."""
    assert set(called()) == {
        ("filters/dmarc.py", "sentence"),
        ("filters/honeypot.py", "_PROMPTED[prompted]"),
        ("filters/image_text.py", "_ALL"),
        ("filters/image_text.py", "_NOT_ALL"),
        ("filters/shared/on_dns_lists.py", "because"),
        ("filters/spf.py", "sentence"),
        ("filters/test_string.py", "TEST_ASKS.english"),
    }
    for path in {path for path, _ in called()}:
        tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
        tables = [n.value for n in tree.body if isinstance(n, ast.Assign) and isinstance(n.value, ast.Dict)]
        for table in tables:
            said = [v.value for v in table.values if isinstance(v, ast.Constant) and isinstance(v.value, str)]
            assert [one for one in said if " " in one] == [], f"{path}: not marked"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_for_recipients_and_senders(language: str) -> None:
    translate = translations(language).gettext
    reasons = {plain_reason(one.name, FILTERS) for one in FILTERS} | {TOTAL, UNKNOWN}
    for reason in reasons | set(NOT_ASKED.values()):
        said = translate(reason)
        assert (said == reason) is (language == "en"), reason
        assert "{" not in said
        assert not said.endswith(".")
    assert set(NOT_ASKED) == set(NotAsked)
    assert ChallengeState.ASKED


SHAPES = {
    "answered": "4",
    "total": "12.5",
    "required": "7.5",
    "listed": "3",
    "seen": "40",
    "window": "60",
    "marks": "2",
    "fingerprint": "a1b2",
    "asked": "spam",
    "decided_by": "spf",
    "because": "on no list",
}


@pytest.mark.parametrize("sentence", SENTENCES, ids=lambda one: one.english[:30])
def test_what_policy_says_is_told_again_in_french(sentence: object) -> None:
    names = BRACES.findall(sentence.english)  # type: ignore[attr-defined]
    facts = {name: SHAPES.get(name, f"{name}.example") for name in names}
    said = retold(sentence(**facts), translations("fr").gettext)  # type: ignore[operator]
    for name, fact in facts.items():
        assert ("sur aucune liste" if name == "because" else fact) in said
    english = re.findall(r"\b(?:the|and|lists?|came|reaches|asks for|by hand|Blacklisted)\b", said)
    assert english == [], said


def test_a_phrase_within_a_sentence_is_translated_too() -> None:
    assert set(HELO_WORDS) == set(POINTS)
    facts = {"helo": "mail", "shown": list(HELO_WORDS.values())}
    seen = Finding("helo", Status.HIT, "HELO {helo}: {shown}", facts)
    assert seen.text() == "HELO mail: " + ", ".join(HELO_WORDS.values())
    said = seen.text(translations("fr").gettext)
    assert said.startswith(
        "HELO mail\u00a0: pas de HELO, ni nom ni adresse entre crochets, un nom sans domaine"
    )
    for phrase in HELO_WORDS.values():
        assert phrase not in said


@given(st.dictionaries(st.sampled_from("ab"), st.text() | st.integers() | st.lists(st.text()), min_size=2))
def test_no_fact_breaks_a_sentence(facts: dict[str, object]) -> None:
    seen = Finding("x", Status.HIT, "{a} and {b}", facts)
    assert " and " in seen.text(translations("fr").gettext)


@pytest.mark.parametrize(
    ("people", "french"),
    [
        ([], ""),
        (["a"], "a"),
        (["a", "b"], "a et b"),
        (["a", "b", "c"], "a, b et c"),
        ([*"abcdefg"], "a, b, c, d, e et 2 autres"),
    ],
)
def test_several_in_a_sentence(people: list[str], french: str) -> None:
    assert listed(people, "fr") == french


def test_the_catalogue_is_one_file_a_language() -> None:
    assert [one.name for one in sorted(Path(CATALOGUES).iterdir())] == [*LANGUAGES[1:]]
