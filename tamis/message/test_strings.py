"""Lines by which anybody can try an installation: a message that has one goes where the line says.

The first is GTUBE, the Generic Test for Unsolicited Bulk Email of SpamAssassin; those for a tagged subject and for Junk
are the ones that rspamd has beside it ("rewrite subject", "add header"); the last two are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from tamis.message.mail import Mail

AS_SPAM = "spam"
"""What GTUBE asks for: what the recipient's policy does with spam."""

_BEHIND_FIRST = "JS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"

TEST_STRINGS: Mapping[str, str] = MappingProxyType(
    {
        AS_SPAM: "X" + _BEHIND_FIRST,
        "tag": "Z" + _BEHIND_FIRST,
        "junk": "Y" + _BEHIND_FIRST,
        "quarantine": "Q" + _BEHIND_FIRST,
        "defer": "D" + _BEHIND_FIRST,
    }
)
"""What is asked for, and the line that asks; of several in one message the last of these counts."""

_ASKED = {line: asked for asked, line in TEST_STRINGS.items()}
_ORDER = list(TEST_STRINGS)


def asked_of(mail: Mail) -> str:
    """What a test message asks for, a key of TEST_STRINGS; "" for all other mail.

    The string must be all of a line that a reader sees, blanks around it left aside: not part of a sentence, nor quoted
    behind ">", nor in the header, a file, hidden text or an enclosed message. So who writes about it, answers a test or
    is sent the bounce of one makes no test of that.
    """
    if _BEHIND_FIRST not in mail.text:
        return ""
    found = {_ASKED.get(line.strip(), "") for line in mail.own_text.splitlines()} - {""}
    return max(found, key=_ORDER.index, default="")
