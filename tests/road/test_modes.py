"""Through Postfix: filters in shadow, stopping when decided against examining everything, reloaded rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tamis.database.history import KeptStory
from tests.attachments import blank_png, letter
from tests.real import Client, wait_until
from tests.road.installation import Installation, ham
from tests.road.test_outcomes import header, only

pytestmark = pytest.mark.real

ALICE, BOB, CAROL = "alice@example.com", "bob@example.com", "carol@example.com"
STRANGER = Client("192.0.2.7")
RULE = '[[rule]]\nname = "lunch"\nmatch = "{}"\naction = "spam"\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Bob has everything examined; for Carol the filter that decides is in shadow."""
    rules = tmp_path_factory.mktemp("rules") / "rules.toml"
    rules.write_text(RULE.format("Tuesday"))
    policy = {
        "mailboxes": {
            BOB: {"examine_everything": True},
            CAROL: {"filters": {"same_address": {"state": "shadow"}}},
        }
    }
    with Installation(policy=policy, settings={"rules": {"files": [str(rules)]}}) as installation:
        yield installation


def story(installation: Installation, number: int) -> dict[str, Any]:
    """The story of the message with this number."""
    wanted = f"<{number}@example.net>"

    def told() -> list[KeptStory]:
        return [one for one in store.history.find() if one.story.message_id == wanted]

    with installation.store() as store:
        wait_until(lambda: bool(told()), timeout=60, what=f"the story of {wanted}")
        (kept,) = told()
    (found,) = installation.tamis("history", "show", str(kept.id), "--json")
    assert isinstance(found, dict)
    return found


def image_finding(installation: Installation, who: str, number: int) -> tuple[str, str]:
    """What became of looking at an image for somebody whose message is spam before: its status, and why."""
    raw = letter({"a.png": blank_png(160, 120) + bytes(100)}, kind="image/png", number=number)
    assert installation.postfix.send(raw, to=[who], sender=who, client=STRANGER).accepted
    one = story(installation, number)
    assert one["recipients"][0]["decided_by"] == "same_address"
    (found,) = (f for f in one["findings"] if f["filter"] == "image_text")
    return found["status"], found["text"]


def test_what_is_dear_is_left_out_when_all_is_decided(running: Installation) -> None:
    assert image_finding(running, ALICE, 1) == ("skipped", "already decided")


def test_everything_is_examined_for_who_wants_it(running: Installation) -> None:
    status, _ = image_finding(running, BOB, 2)
    assert status == "clear"


def test_a_filter_in_shadow_is_seen_and_does_nothing(running: Installation) -> None:
    """It stands in the header and in the story; replay says what it would do."""
    quiet = ham(3).replace(b"Tuesday", b"Monday")
    assert running.postfix.send(quiet, to=[CAROL], sender=CAROL, client=STRANGER).accepted
    running.postfix.wait_idle()
    status = header(only(running.postfix.maildir(CAROL), 3), "X-Spam-Status") or ""
    assert status.startswith("No, ")
    assert "same_address=spam(shadow)" in status
    (told,) = story(running, 3)["recipients"]
    assert (told["decision"], told["outcome"], told["decided_by"]) == ("ham", "inbox", "")
    assert 'filters.same_address.state = "on"' in told["now"]["otherwise_with"]
    switched = f"{CAROL}:filters.same_address.state=on"
    replayed = running.tamis("replay", "--set", switched, "--domain", CAROL, "--json")
    (would,) = replayed["changed"]
    assert (would["would_be"]["outcome"], would["would_be"]["decided_by"]) == ("quarantine", "same_address")


def test_rules_are_taken_up_whole_or_not_at_all(running: Installation) -> None:
    (file,) = map(Path, running.daemon.settings["rules"]["files"])

    def outcome(number: int) -> str:
        assert running.postfix.send(ham(number), to=[ALICE], client=STRANGER).accepted
        return str(story(running, number)["recipients"][0]["outcome"])

    assert outcome(10) == "quarantine"
    file.write_text(RULE.format("(Tuesday"))
    running.daemon.hup()
    assert outcome(11) == "quarantine"
    assert f"{file.name}:3:10: lunch: missing )" in running.daemon.log()
    file.write_text(RULE.format("Friday"))
    running.daemon.hup()
    assert outcome(12) == "inbox"
