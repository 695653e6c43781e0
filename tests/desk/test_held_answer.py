"""What the desk answers for a held copy: read back as it was said, and never out of anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.desk.held_answer import HeldAnswer
from tamis.desk.lmtp import LMTPReply
from tests.builders import PROPERTY

ULIDS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26)
ONE, TWO = "01JDCHA77ENGE0000000000001", "01JDCHA77ENGE0000000000002"


@PROPERTY
@given(ULIDS, ULIDS | st.just(""))
def test_what_is_said_is_read(message: str, challenge: str) -> None:
    answer = HeldAnswer(message, challenge)
    assert HeldAnswer.decode(answer.encode()) == answer
    wire = LMTPReply(ok=True, text=answer.encode()).line().decode()
    assert HeldAnswer.decode(wire.removeprefix("250 2.0.0 ").rstrip()) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "held",
        "sent back as tag",
        "probe noted",
        "was sent back before",
        f"held message={ONE} challenge=",
        f"held challenge={TWO}",
        f"held challenge={TWO} message={ONE}",
        f"held message={ONE} challenge={TWO} challenge={TWO}",
        f"held message={ONE} challenge={TWO}x",
        f"held message={ONE} challenge={TWO.lower()}",
        f"held message={ONE}  challenge={TWO}",
        f"held message={ONE} challenge={TWO}\n",
        f" held message={ONE} challenge={TWO}",
        f"not held message={ONE} challenge={TWO}",
        f"held message={ONE[1:]}I challenge={TWO}",
        f"held message={ONE} challenge={TWO[1:]}\N{ARABIC-INDIC DIGIT ONE}",
        f"held as {ONE}, challenge {TWO}",
    ],
)
def test_what_the_desk_does_not_say_is_no_answer(text: str) -> None:
    assert HeldAnswer.decode(text) is None


@PROPERTY
@given(
    st.text() | st.lists(st.sampled_from(["held", ONE, TWO, "message=", "challenge=", " ", "="])).map("".join)
)
def test_garbage_is_no_answer(text: str) -> None:
    answer = HeldAnswer.decode(text)
    assert answer is None or answer.encode() == text
