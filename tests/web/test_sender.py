"""The sender's page without scripts: what it says, what is counted, what happens once."""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import altcha
import pytest

from tamis.base.tokens import Purpose
from tamis.chain.registry import BUILT_IN, in_order
from tamis.challenge.answers import terms_of
from tamis.challenge.captcha import MOST_TRIES, WRONG_BEFORE_PAUSE
from tamis.challenge.captcha import MOST_WRONG as MOST_OF_NETWORK
from tamis.challenge.challenge_records import MOST_WRONG, AnswerProof
from tamis.desk.release import delivery_by_answer
from tamis.message.envelope import Recipient
from tamis.quarantine.records import HeldState
from tests.web.pages import CODE, MARIE, Pages, Visitor
from tests.web.samples import content, message

ROOT = Path(__file__).parents[2]


def ask(pages: Pages, number: int = 1, **how: Any) -> tuple[str, str]:
    """A held message whose sender is asked: its id, and the path of the page."""
    held, challenge = pages.store.challenges.hold_asked(
        message(number, **how), content(f"No. {number}"), language="en", authenticated=True
    )
    assert challenge
    return held, f"/c/{pages.token(Purpose.CHALLENGE, challenge)}"


def state(pages: Pages, held: str) -> HeldState:
    record = pages.store.quarantine.get(held)
    assert record is not None
    return record.summary.state


def type_code(visitor: Visitor, path: str, typed: str = CODE) -> Any:
    """Ask for a code, as the button does without a script, and answer it."""
    asked = visitor.post(path)
    return visitor.post(path, code=asked.field("code"), typed=typed)


def test_the_page_says_who_what_why_and_until_when(pages: Pages) -> None:
    held, path = ask(pages)
    stranger = pages.visitor()
    page = stranger.get(path)
    assert page.status == 200
    for said in (
        "Your message to marie@example.com is waiting",
        "Votre devis",
        "the server it came from has no name (PTR)",
        "Type a code, and never be asked again",
        "There is nothing to pay, and we ask for no password",
        "it will be deleted on",
        "Not you? Just close this page",
    ):
        assert said in page.text, said
    assert "No. 1" not in page.text  # nothing of the content
    assert "set-cookie" not in page.headers  # nobody is followed
    french = pages.visitor(**{"Accept-Language": "fr-FR"}).get(path).text
    assert "Votre message à marie@example.com est en attente" in french
    for _ in range(50):
        stranger.get(path)
        stranger.get(path, method="HEAD")
        stranger.get(f"{path}/work")
        stranger.get(f"{path}/image?code=x")
    assert state(pages, held) is HeldState.HELD


def test_who_is_behind_an_alias_is_not_told(pages: Pages) -> None:
    """The sender wrote to a team; whose mailbox is held for is no business of theirs."""
    behind = Recipient(MARIE, ("NOTIFY=FAILURE", "ORCPT=rfc822;team+2Bx@example.com"))
    _, challenge = pages.store.challenges.hold_asked(
        replace(message(1), recipients=(behind,)), content(), language="en", authenticated=True
    )
    path = f"/c/{pages.token(Purpose.CHALLENGE, challenge or '')}"
    stranger = pages.visitor()
    for page in (stranger.get(path), type_code(stranger, path)):
        assert "team+x@example.com" in page.text
        assert MARIE not in page.text


def test_the_page_says_the_reason_that_another_packages_filter_gives(tmp_path: Path) -> None:
    """The example's own; one that gives none, or is gone, took it for unwanted mail."""
    shouting = runpy.run_path(str(ROOT / "examples" / "plugin" / "tamis_shouting.py"))["Shouting"]
    silent = type("Silent", (shouting,), {"name": "silent", "plain_reason": "", "__doc__": "Says nothing."})
    with Pages(tmp_path, filters=in_order((*BUILT_IN, shouting, silent))) as pages:
        told = {}
        for number, name in enumerate(("shouting", "silent", "gone"), 1):
            _, path = ask(pages, number, decided_by=name)
            told[name] = pages.visitor().get(path).text
    assert "its subject is written in capitals" in told["shouting"]
    assert "a filter here took it for unwanted mail" in told["silent"]
    assert "a filter here took it for unwanted mail" in told["gone"]


def test_a_code_delivers_once(pages: Pages) -> None:
    held, path = ask(pages)
    stranger = pages.visitor()
    asked = stranger.post(path)
    code = asked.field("code")
    image, sound = stranger.get(f"{path}/image?code={code}"), stranger.get(f"{path}/audio?code={code}")
    assert (image.headers["content-type"], image.body[:4]) == ("image/png", b"\x89PNG")
    assert (sound.headers["content-type"], sound.body[:4]) == ("audio/wav", b"RIFF")
    assert stranger.get(f"{path}/image?code={'A' * 22}").status == 404
    receipt = stranger.post(path, code=code, typed=f" {CODE[:3]} {CODE[3:]} ")
    assert receipt.status == 200
    assert "Delivered to marie@example.com" in receipt.text
    assert "example.com will not ask you again" in receipt.text
    assert state(pages, held) is HeldState.RELEASED
    assert [mail.recipients for mail in pages.postbox.got] == [[MARIE]]
    assert "Your message was delivered" in stranger.get(path).text
    assert "Your message was delivered" in stranger.post(path, code=code, typed=CODE).text
    assert len(pages.postbox.got) == 1
    (earned,) = pages.store.senders.find()
    assert (earned.address, earned.validations) == ("contact@garage.example.net", 1)


def test_a_code_may_be_mistyped_once_then_there_is_a_new_one_then_a_pause(pages: Pages) -> None:
    held, path = ask(pages)
    stranger = pages.visitor()
    code = stranger.post(path).field("code")
    for number in range(1, WRONG_BEFORE_PAUSE + 1):
        answer = stranger.post(path, code=code, typed="000000")
        if number == WRONG_BEFORE_PAUSE:
            assert answer.status == 429
            break
        assert answer.status == 422
        assert f"{MOST_WRONG - number} attempts are left" in answer.text
        assert (answer.field("code") == code) == bool(number % MOST_TRIES)
        code = answer.field("code")
    for answer in (stranger.post(path), stranger.post(path, code=code, typed=CODE)):
        assert answer.status == 429
        assert "Please try again in a quarter of an hour" in answer.text
    _, other = ask(pages, 2)
    assert "Delivered" in type_code(stranger, other).text, "the pause is this challenge's alone"
    assert state(pages, held) is HeldState.HELD


def test_too_many_wrong_answers_close_the_page(pages: Pages) -> None:
    held, path = ask(pages)
    stranger = pages.visitor()
    challenge = pages.store.challenges.list()[0].id
    for _ in range(MOST_WRONG - 1):
        pages.store.answers.fail(challenge)
    code = stranger.post(path).field("code")
    last = stranger.post(path, code=code, typed="000000")
    assert last.status == 303
    page = stranger.get(path)
    assert "too many wrong answers" in page.text
    assert "too many wrong answers" in stranger.post(path).text
    assert state(pages, held) is HeldState.HELD


def by_work(visitor: Visitor, path: str) -> Any:
    """Answer by a proof of work, as a program does."""
    return visitor.post(path, altcha=_solved(json.loads(visitor.post(f"{path}/work").body)))


def test_a_proof_of_work_delivers_that_message_and_earns_no_way(pages: Pages) -> None:
    held, path = ask(pages)
    robot = pages.visitor()
    receipt = by_work(robot, path)
    assert "Delivered to marie@example.com" in receipt.text
    assert "will not ask you again" not in receipt.text
    assert state(pages, held) is HeldState.RELEASED
    (earned,) = pages.store.senders.find()
    assert (earned.validations, earned.works) == (0, 1)
    (kept,) = pages.store.challenges.list()
    assert (kept.proof, kept.whitelisted) == (AnswerProof.WORK, False)
    assert not list(pages.settings.spool_directory.glob("*challenge*")), "what programs prove teaches nothing"


def test_the_receipt_offers_a_code_that_whitelists(pages: Pages) -> None:
    _, path = ask(pages)
    stranger = pages.visitor()
    assert "Never ask me again" in by_work(stranger, path).text
    assert "Never ask me again" in stranger.get(path).text, "and later, as long as the page is there"
    asked = stranger.post(path)
    assert "Never be asked again" in asked.text
    wrong = stranger.post(path, code=asked.field("code"), typed="000000")
    assert wrong.status == 422
    kept = stranger.post(path, code=wrong.field("code"), typed=CODE)
    assert "example.com will not ask you again" in kept.text
    assert "Never ask me again" not in kept.text
    (earned,) = pages.store.senders.find()
    assert (earned.validations, earned.works) == (1, 1)
    assert len(pages.postbox.got) == 1, "nothing is delivered twice"
    (solved,) = pages.store.answers.solved()  # the background process tells everybody
    assert (solved.proof, solved.whitelisted) == (AnswerProof.CODE, True)
    assert "will not ask you again" in stranger.post(path, code="A" * 22, typed=CODE).text
    assert pages.store.senders.find() == [earned]


@pytest.mark.parametrize(
    ("proof", "first", "work", "code"),
    [
        ("work", "work", True, True),
        ("code", "code", True, True),
        ("work-only", "work", True, False),
        ("code-only", "code", False, True),
    ],
)
def test_policy_says_what_is_asked_first_or_alone(
    pages: Pages, proof: str, first: str, work: bool, code: bool
) -> None:
    held, path = ask(pages)
    pages.store.overrides.set("example.com", "challenge_proof", proof, by="test", check=pages.check)
    stranger = pages.visitor()
    page = stranger.get(path).text
    assert ("data-work" in page) == work
    assert ('class="primary" data-ready' in page) == (first == "work")
    asked = stranger.post(path)
    assert ('name="code"' in asked.text) == code
    assert ("its recipient can still have it delivered" in asked.text) == (not code)
    if not work:
        assert stranger.post(f"{path}/work").status == 404
        asked_elsewhere = asyncio.run_coroutine_threadsafe(
            pages.house.captcha.work(pages.store.challenges.list()[0].id, "192.0.2.0/24"), pages.loop
        ).result(60)
        assert "Delivered" not in stranger.post(path, altcha=_solved(asked_elsewhere)).text
        assert state(pages, held) is HeldState.HELD
    if not code:
        assert "Never ask me again" not in by_work(stranger, path).text
        assert state(pages, held) is HeldState.RELEASED


def test_a_recipients_own_delivery_is_recorded(pages: Pages) -> None:
    held, _ = ask(pages)
    pages.visitor(MARIE).submit("/mail", f"/mail/{held}", verb="deliver")
    assert [one.proof for one in pages.store.challenges.list()] == [AnswerProof.RECIPIENT]


def test_a_code_is_good_for_one_answer_about_one_message(pages: Pages) -> None:
    held, path = ask(pages)
    _, other = ask(pages, 2)
    stranger = pages.visitor()
    code = stranger.post(path).field("code")
    assert stranger.post(other, code=code, typed=CODE).status == 422  # another's: stale, not counted
    for _ in range(MOST_TRIES):
        assert stranger.post(path, code=code, typed="000000").status == 422
    again = stranger.post(path, code=code, typed=CODE)
    assert (again.status, "too old" in again.text) == (422, True)
    assert state(pages, held) is HeldState.HELD
    assert "Delivered" in stranger.post(path, code=again.field("code"), typed=CODE).text


def test_wrong_answers_lock_one_network_out(pages: Pages) -> None:
    paths = [ask(pages, n)[1] for n in range(8)]
    robot = pages.visitor(**{"X-Forwarded-For": "203.0.113.7"})
    statuses = []
    for n in range(100):  # a thousand of them: tests/challenge/test_captcha.py
        path = paths[n % len(paths)]
        if n < 2 * MOST_OF_NETWORK:
            asked = robot.post(path)
            answer = type_code(robot, path, "000000") if asked.status == 200 else asked
        else:
            answer = robot.post(path, code="A" * 22, typed="000000")
        statuses.append(answer.status)
    assert set(statuses[MOST_OF_NETWORK:]) <= {429, 200, 303}
    assert statuses[-1] == 429
    _, fresh = ask(pages, 100)
    neighbour = pages.visitor(**{"X-Forwarded-For": "203.0.113.200"})
    assert neighbour.post(fresh).status == 429
    other = pages.visitor(**{"X-Forwarded-For": "198.51.100.7"})
    assert "Delivered to" in type_code(other, fresh).text


def _solved(challenge: dict[str, Any]) -> str:
    asked = altcha.Challenge.from_dict(challenge)
    solution = altcha.solve_challenge(asked)
    assert solution is not None
    payload = {"challenge": challenge, "solution": solution.to_dict()}
    return base64.b64encode(json.dumps(payload).encode()).decode()


def test_the_real_proof_of_work(pages: Pages) -> None:
    held, path = ask(pages)
    _, other = ask(pages, 2)
    stranger = pages.visitor()
    payload = _solved(json.loads(stranger.post(f"{path}/work").body))
    assert stranger.post(other, altcha=payload).status == 422  # of another message
    assert stranger.post(path, altcha=payload[:-8]).status == 422
    assert state(pages, held) is HeldState.HELD
    assert "Delivered to" in stranger.post(path, altcha=payload).text
    assert state(pages, held) is HeldState.RELEASED


def test_postfix_down_is_no_loss(pages: Pages) -> None:
    held, path = ask(pages)
    address = pages.settings.desk.reinject
    pages.settings.desk.__dict__["reinject"] = "127.0.0.1:9"
    answer = type_code(pages.visitor(), path)
    assert (answer.status, "Thank you. It is on its way." in answer.text) == (200, True)
    assert state(pages, held) is HeldState.HELD
    pages.settings.desk.__dict__["reinject"] = address
    (solved,) = pages.store.answers.solved()  # what the background process takes up
    assert pages.store.answers.finish(
        solved, terms_of(pages.site()), delivery_by_answer(pages.settings, AnswerProof.CODE)
    )
    assert state(pages, held) is HeldState.RELEASED


def test_a_lost_state_asks_nothing_and_delivers_nothing(pages: Pages) -> None:
    held, path = ask(pages)
    asked = pages.visitor().post(path)
    code = asked.field("code")
    asyncio.run_coroutine_threadsafe(pages.house.state.close(), pages.loop).result(60)
    state_file = pages.settings.state_file
    state_file.unlink()
    state_file.mkdir()
    answer = pages.visitor().post(path, code=code, typed=CODE)
    assert (answer.status, state(pages, held)) == (503, HeldState.HELD)
    assert pages.visitor().get(path).status == 200  # looking goes on


def test_the_policy_that_asks_nobody_closes_the_page(pages: Pages) -> None:
    _, path = ask(pages)
    good = pages.visitor().get(path)
    assert good.status == 200
    pages.store.overrides.set("example.com", "challenge", "off", by="test", check=pages.check)
    assert pages.visitor().get(path).status == 404
    assert pages.visitor().post(path).status == 404


def test_a_released_message_needs_no_answer(pages: Pages) -> None:
    held, path = ask(pages)
    marie = pages.visitor(MARIE)
    marie.submit("/mail", f"/mail/{held}", verb="deliver")
    assert "Your message was delivered" in pages.visitor().get(path).text
    assert len(pages.postbox.got) == 1
