"""What another filter wrote: its own forms are read, contradictions are told, and nothing in them hurts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.judging.other_verdict import OtherVerdict, read_other
from tamis.message.mail import Mail
from tamis.settings.daemon import OtherFilter


def read(by: OtherFilter, *fields: str) -> OtherVerdict | None:
    return read_other(Mail(("\n".join(fields) + "\n\ntext\n").encode("utf-8", "replace")).headers, by)


SPAMASSASSIN = (
    "X-Spam-Flag: YES",
    "X-Spam-Level: *******",
    "X-Spam-Status: Yes, score=7.3 required=5.0 tests=BAYES_99,HTML_MESSAGE,\n\tURIBL_BLACK autolearn=no version=4.0.0",
)
RSPAMD = (
    "X-Spamd-Result: default: False [4.10 / 15.00];\n\tBAYES_SPAM(5.10)[99.99%];\n\tR_SPF_ALLOW(-0.20)[+ip4:192.0.2.7]",
    "X-Rspamd-Queue-Id: ABC",
)
PMG = "X-SPAM-LEVEL: Spam detection results:  4\n\tBAYES_50 0.8 x\n\tSPF_PASS -0.001 y"


@pytest.mark.parametrize(
    ("by", "fields", "expected"),
    [
        ("spamassassin", SPAMASSASSIN, (True, 7.3, 5.0, "BAYES_99,HTML_MESSAGE,URIBL_BLACK")),
        ("spamassassin", ("X-Spam-Status: No, score=-1.9 required=5 tests=BAYES_00",), (False, -1.9, 5.0, "BAYES_00")),
        (
            "spamassassin",
            ("X-Spam-Status: Yes, score=9.1 tagged_above=-999 required=6.31\n\ttests=[A=1.2, B=7.9] autolearn=no",),
            (True, 9.1, 6.31, "A=1.2,B=7.9"),
        ),
        ("spamassassin", ("X-Spam-Flag: YES", "X-Spam-Level: ****"), (True, 4.0, None, "")),
        ("spamassassin", ("X-Spam-Status: No, hits=1 required=5",), (False, 1.0, 5.0, "")),
        ("spamassassin", ("X-Spam-Status: Yes, score=6", "X-Spam-Status: No, score=1"), (None, 6.0, None, "")),
        ("rspamd", RSPAMD, (False, 4.1, 15.0, "BAYES_SPAM,R_SPF_ALLOW")),
        ("rspamd", (*RSPAMD, "X-Rspamd-Action: add header"), (True, 4.1, 15.0, "BAYES_SPAM,R_SPF_ALLOW")),
        ("rspamd", ("X-Spamd-Result: default: True [22.00 / 15.00]", "X-Spam: Yes"), (True, 22.0, 15.0, "")),
        ("rspamd", ("X-Rspamd-Action: no action",), (False, None, None, "")),
        ("rspamd", ("X-Spam-Flag: YES",), (True, None, None, "")),
        ("pmg", (PMG,), (True, 4.0, 3.0, "BAYES_50,SPF_PASS")),
        ("pmg", ("X-SPAM-LEVEL: Spam detection results:  0",), (False, 0.0, 3.0, "")),
    ],
)  # fmt: skip
def test_what_each_writes(by: OtherFilter, fields: tuple[str, ...], expected: tuple[object, ...]) -> None:
    found = read(by, *fields)
    assert found is not None
    assert (found.spam, found.score, found.required, found.tests) == expected
    assert OtherVerdict.from_text(found.to_text()) == found


def test_only_who_is_named_is_read() -> None:
    assert read("", *SPAMASSASSIN) is None
    assert read("pmg", "X-Spam-Status: Yes, score=9") is None
    assert read("spamassassin", *RSPAMD) is None
    assert read("rspamd", "Subject: nothing") is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"by": 1}', '{"x": 2}'])
def test_what_is_no_record_says_nothing(text: str) -> None:
    assert OtherVerdict.from_text(text) is None


@given(
    st.sampled_from(["spamassassin", "rspamd", "pmg"]),
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "X-Spam-Status",
                    "X-Spam-Flag",
                    "X-Spam-Level",
                    "X-Spamd-Result",
                    "X-Rspamd-Action",
                    "X-Spam",
                ]
            ),
            st.text(max_size=60)
            | st.from_regex(
                r"(Yes|No|YES|default: True \[|score=|hits=|[0-9*.\-/ \[\]]){0,8}", fullmatch=True
            ),
        ),
        max_size=8,
    ),
)
def test_any_fields_are_read_or_say_nothing(by: OtherFilter, fields: list[tuple[str, str]]) -> None:
    found = read(by, *(f"{name}: {value}" for name, value in fields))
    if found is not None:
        assert len(found.to_text()) <= 1000
        assert found.told()
