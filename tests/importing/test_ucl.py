"""The reader of UCL: what configurations have, with lines; anything else refused with its line, within bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tamis.base.errors import ConfigError
from tamis.importing.ucl import MAX_DEPTH, NodeKind, read_ucl

TEXT = """\
# comment
first = 1; second: "two\\n\\u00e9"
/* outer /* inner */
   comment */
third 'its own'
section "named" {
  list = [ "a", b c, { x = 1; } ];
  again = 1
  again = 2
}
plain key { deep = <<EOD
line one
line two
EOD
}
.include(try=true; priority=1) "$CONFDIR/x.conf"
last = no"""


def test_values_sections_and_their_lines() -> None:
    root = read_ucl(TEXT, "a.conf")
    assert root.get("first") == "1"
    assert root.get("second") == "two\n\u00e9"
    (section,) = root.all("section")
    (named,) = section.all("named")
    assert [one.text for one in named.values("again")] == ["1", "2"]
    (items,) = named.all("list")
    assert (items.kind, items.place) == (NodeKind.ARRAY, "a.conf:7")
    assert [one.text for one in items.children[:2]] == ["a", "b c"]
    assert items.children[2].get("x") == "1"
    assert root.all("plain")[0].all("key")[0].get("deep") == "line one\nline two"
    (macro,) = [one for one in root.children if one.kind is NodeKind.MACRO]
    assert (macro.key, macro.text, macro.place) == ("include", "$CONFDIR/x.conf", "a.conf:16")
    assert [(one.key, one.text) for one in macro.children] == [("try", "true"), ("priority", "1")]
    assert root.all("last")[0].place == "a.conf:17"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a = 1\nb {\n c = 2\n", 4, "not closed"),
        ("a = 1\n}\n", 2, "closes nothing"),
        ("\na = [1,\n2", 3, "not closed"),
        ('a = 1\nb = "no end\n', 2, "no end"),
        ("a = 1\n/* no end", 2, "no end"),
        ("a = ;\n", 1, "value"),
        ("a {" * (MAX_DEPTH + 2), 1, "deep"),
        ("a = " + "[" * (MAX_DEPTH + 2), 1, "deep"),
        ("{ a = 1 } b = 2", 1, "behind"),
    ],
)
def test_what_is_broken_is_refused_with_its_line(text: str, line: int, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as refused:
        read_ucl(text, "a.conf")
    assert refused.value.source == f"a.conf:{line}"


@given(st.text(alphabet="ab =:{}[]\"'\\;,\n.#/*<E(1)") | st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        root = read_ucl(text, "any")
    except ConfigError as error:
        assert error.source.startswith("any:")  # noqa: PT017 # where it is refused, it says where
        return
    lines = text.count("\n") + 1
    for node in root.walk():
        assert 1 <= int(node.place.rpartition(":")[2]) <= lines
