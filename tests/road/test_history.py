"""The history through Postfix: every message's story is told, and replay is exact."""

from __future__ import annotations

import signal
import urllib.request
from functools import partial
from typing import Any

import pytest

from tests.real import Client, free_port, wait_until
from tests.road.installation import Installation, ham, spam

pytestmark = pytest.mark.real

INBOX, TAG = "inbox@example.com", "tag@example.com"
JUNK, QUARANTINE = "junk@example.org", "quarantine@example.org"
STRANGER = Client("192.0.2.7")


def stories(installation: Installation) -> list[dict[str, Any]]:
    """All that is kept, the oldest first."""
    told = installation.tamis("history", "list", "--limit", "100000", "--json")
    return sorted(told, key=lambda one: str(one["at"]))


def wait_for(installation: Installation, count: int) -> None:
    with installation.store() as store:
        wait_until(lambda: len(store.history.find(limit=count)) >= count, timeout=60, what=f"{count} stories")


def messages() -> list[bytes]:
    """Ham, spam, malformed, empty, and one with raw octets in its header."""
    mixed = (
        b"From: a@example.net\r\nSubject: Hello \xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82\r\n\r\n"
        + b"x" * 40
    )
    return [
        ham(1),
        spam(2),
        b"Subject: x\r\nSubject: y\r\n" + ham(3),
        b"From: a@example.net\r\n\r\n",
        mixed,
        b"From: \xff\xfe@example.net\r\nDate: nonsense\r\nSubject: =?x?q?y?=\r\n\r\nText\0here\r\n",
    ]


CHANGED = ("required=1.5", "example.com:filters.cyrillic.state=shadow", "tag@example.com:outcome=junk")


def test_the_story_of_every_message_and_an_exact_replay() -> None:
    with Installation() as installation:
        sent = messages()
        for number, raw in enumerate(sent * 2):
            client = Client(f"192.0.2.{number}", login="marie@example.com" if number == 7 else "")
            to = [INBOX, TAG, JUNK, QUARANTINE][: 1 + number % 4]
            assert installation.postfix.send(raw, to=to, client=client).accepted
        wait_for(installation, len(sent) * 2)
        installation.postfix.wait_idle()
        kept = stories(installation)
        assert len(kept) == len(sent) * 2
        assert [len(one["recipients"]) for one in kept] == [1 + n % 4 for n in range(len(kept))]
        assert kept[1]["recipients"][0]["decided_by"] == "cyrillic"
        _filters_of_the_list(installation, kept)
        _one_story(installation, kept[1])

        copies = sum(len(one["recipients"]) for one in kept)
        in_force = installation.tamis("replay", "--since", "1d", "--json")
        assert (in_force["copies"], in_force["same"], in_force["moved"]) == (copies, copies, 0)
        assert in_force["unknown"] == {}
        assert "all would have gone where they went" in installation.tamis("replay")

        settings = [argument for one in CHANGED for argument in ("--set", one)]
        changed = installation.tamis("replay", *settings, "--limit", "1000", "--json")
        assert changed["moved"] > 0
        assert f"{changed['same']} as recorded" in installation.tamis("replay", *settings)
        would_be = {(c["message"], c["recipient"]): c["would_be"]["outcome"] for c in changed["changed"]}
        for one in CHANGED:
            scope, _, rest = one.rpartition(":")
            installation.tamis("policy", "set", scope or "platform", *rest.split("="))
        for raw, story in zip(sent * 2, kept, strict=True):
            scanned = _scan(installation, raw, story)
            for who in story["recipients"]:
                expected = would_be.get((story["id"], who["recipient"]), who["outcome"])
                assert scanned[who["recipient"]] == expected, (story["id"], who)
        # what is in force now is no change to itself, however it came about
        after = installation.tamis("replay", "--json")
        assert (after["moved"], after["earlier"]) == (0, changed["moved"])


def _filters_of_the_list(installation: Installation, kept: list[dict[str, Any]]) -> None:
    def numbers(*options: str) -> set[int]:
        return {one["id"] for one in installation.tamis("history", "list", *options, "--json")}

    assert numbers("--for", "example.org") == {k["id"] for k in kept if len(k["recipients"]) > 2}
    assert numbers("--decided-by", "cyrillic") == {
        k["id"] for k in kept if any(r["decided_by"] == "cyrillic" for r in k["recipients"])
    }
    assert numbers("--sender", "example.net") == {k["id"] for k in kept}
    assert numbers("--sender", "nobody@example.net") == set()
    assert numbers("--verdict", "defer") == set()
    assert numbers("--since", "1h") == {k["id"] for k in kept}


def _one_story(installation: Installation, story: dict[str, Any]) -> None:
    (by_queue_id,) = installation.tamis("history", "show", story["queue_id"], "--json")
    assert by_queue_id["id"] == story["id"]
    (cyrillic,) = [f for f in by_queue_id["findings"] if f["filter"] == "cyrillic"]
    assert cyrillic["status"] == "hit"
    now = by_queue_id["recipients"][0]["now"]
    assert (now["decision"], now["outcome"]) == ("spam", "inbox")
    assert 'filters.cyrillic.state = "off"' in now["otherwise_with"]
    shown = installation.tamis("history", "show", str(story["id"]))
    assert "inbox@example.com: spam -> inbox, score " in shown
    assert "    decided by cyrillic: " in shown
    assert "    otherwise with: " in shown
    assert ' or filters.cyrillic.state = "off"' in shown
    assert "<2@example.net>" in shown
    assert "    clear: " in shown
    assert "has content" not in shown
    assert "has content" in installation.tamis("history", "show", str(story["id"]), "--all")


def _scan(installation: Installation, raw: bytes, story: dict[str, Any]) -> dict[str, str]:
    """Outcomes of the message scanned now."""
    path = installation.directory / "message.eml"
    path.write_bytes(raw)
    to = [argument for r in story["recipients"] for argument in ("--rcpt", r["recipient"])]
    envelope = ["--ip", story["client_ip"], "--helo", story["helo"], "--from", story["sender"]]
    login = ["--login", story["login"]] if story["login"] else []
    told = installation.tamis("scan", *envelope, *login, *to, "--json", str(path), status=(0, 1))
    return {one["recipient"]: one["outcome"] for one in told["recipients"]}


def test_a_killed_worker_loses_no_story_of_an_accepted_message() -> None:
    """What is lost is the message whose answer Postfix never got: it is tried again and told then."""
    with Installation(settings={"milter": {"workers": 1}}) as installation:
        for number in range(30):
            assert installation.postfix.send(ham(number), to=[INBOX], client=STRANGER).accepted
            if number in (9, 19, 29):
                before = installation.daemon.pids("workers")
                installation.daemon.signal("workers", signal.SIGKILL)
                wait_until(partial(_replaced, installation, before), timeout=60, what="another worker")
        wait_for(installation, 30)
        told = [one["message_id"].strip("<>").partition("@")[0] for one in stories(installation)]
        assert sorted(map(int, told)) == list(range(30))


def _replaced(installation: Installation, before: list[int]) -> bool:
    return installation.daemon.pids("workers") not in ([], before)


def test_metrics_add_up_over_workers() -> None:
    port = free_port()
    with Installation(settings={"metrics": {"listen": f"127.0.0.1:{port}"}}) as installation:
        for number in range(10):
            raw = spam(number) if number % 2 else ham(number)
            assert installation.postfix.send(raw, to=[INBOX, JUNK], client=STRANGER).accepted
        wait_until(lambda: "tamis_messages_total 10.0" in _metrics(port), timeout=60, what="all counts")
        shown = _metrics(port)
        assert 'tamis_copies_total{decided_by="cyrillic",outcome="junk"} 5.0' in shown
        assert 'tamis_copies_total{decided_by="",outcome="inbox"} 10.0' in shown
        assert 'tamis_findings_total{filter="cyrillic",status="hit"} 5.0' in shown
        assert 'tamis_filter_seconds_count{filter="cyrillic"} 10.0' in shown
        assert "tamis_route_proof_age_seconds" in shown or "tamis_journal_octets" in shown


def _metrics(port: int) -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return str(answer.read().decode())
    except OSError:  # it does not listen yet
        return ""
