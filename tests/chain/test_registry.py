"""The registry: the chain's order, and every breach of the contract named with its package and rule."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase
from typing import Any, ClassVar

import pytest
from pydantic import Field

from tamis.base.errors import PluginError
from tamis.chain.inquiry import Kind, kind_of
from tamis.chain.registry import BUILT_IN, GROUP, in_order, load_filters
from tamis.cli import exit_status
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, Stage
from tamis.contract.finding import Finding


class Good(Filter):
    """Sees nothing."""

    name = "good"
    spec_id = "S20"
    summary = "sees nothing"

    def examine(self, message: Message) -> Finding:
        return self.clear()


class Undescribed(FilterOptions):
    """Has an option that nobody explains."""

    number: int = 3


class Contradictory(FilterOptions):
    """Refuses the effect that its own filter has."""

    effect: Effect = Field(Effect.TAG, description="only tag", pattern="^tag$")


class Demanding(Good):
    """Wants to be given something."""

    def __init__(self, something: str) -> None:
        self.something = something


class Abstract(Filter):
    """Has no examine."""

    name = "abstract"
    spec_id = "S20"
    summary = "has no examine"


def breach(**attributes: Any) -> type[Filter[Any]]:
    """`Good` with something about it changed; None takes it away."""
    return type(
        "Breach", (Good,), {"__doc__": "Breaks the contract.", "__module__": "third_party", **attributes}
    )


@pytest.mark.parametrize(
    ("one", "says"),
    [
        (breach(name=None), "lacks the text 'name'"),
        (breach(summary=3), "lacks the text 'summary'"),
        (breach(spec_id=None), "lacks the text 'spec_id'"),
        *(
            (breach(plain_reason=words), "plain_reason must be one line")
            for words in (None, 3, "it", "it is bad.", " it is bad", "it is bad ", "a\nb c", "x" * 201)
        ),
        *((breach(forbids_challenge=why), "forbids_challenge must be") for why in (True, "virus", "FILTER")),
        *(
            (breach(name=name), "must be lower case letters")
            for name in ("Good", "good-one", "", "x", "1x", "x" * 41)
        ),
        *(
            (breach(spec_id=place), "must be a place in the chain")
            for place in ("20", "S", "S200", "S20ab", "s20")
        ),
        (breach(__doc__=""), "has no docstring"),
        (breach(__doc__="  \n "), "has no docstring"),
        (breach(options=dict), "options must derive from"),
        (breach(options={"a": 1}), "options must derive from"),
        (breach(options=Undescribed), "options without description: number"),
        (breach(state="sometimes"), "its own defaults are refused"),
        (breach(effect="explode"), "its own defaults are refused"),
        (breach(stage=4), "stage must be one of"),
        *((breach(deadline=bad), "deadline must be seconds") for bad in (0, -1, 251, "10", None)),
        *(
            (breach(**{word: bad}), says)
            for word, bad, says in (
                ("dear", True, "it is called 'expensive' now"),
                ("dear", False, "it is called 'expensive' now"),
                ("inline", True, "says 'blocks = False' now"),
                ("at_once", lambda self, message: None, "returns early instead"),
                ("begins_at_once", True, "begins at once now"),
                ("blocks", "sometimes", "blocks must be True or False"),
            )
        ),
        (breach(__init__=Demanding.__init__), "can't be made without arguments"),
    ],
)
def test_breaches_are_named(one: type[Filter[Any]], says: str) -> None:
    with pytest.raises(PluginError, match=r"^third_party\.Breach") as refused:
        in_order([one])
    assert says in str(refused.value)


@pytest.mark.parametrize("one", [Abstract, object, Good(), lambda: None, "module:Class", None])
def test_what_is_no_filter_is_refused(one: Any) -> None:
    with pytest.raises(PluginError, match="no concrete subclass"):
        in_order([one])


def test_a_name_is_taken_once() -> None:
    with pytest.raises(PluginError, match="'empty' is taken by another filter"):
        in_order([*BUILT_IN, breach(name="empty")])


def test_the_order_of_the_chain() -> None:
    ids = ["S9", "S8b", "S33", "S8a", "S10", "S8", "S1"]
    classes = [breach(name=f"filter_{place.lower()}", spec_id=place) for place in ids]
    assert [one.spec_id for one in in_order(classes)] == ["S1", "S8", "S8a", "S8b", "S9", "S10", "S33"]


def test_those_of_one_place_keep_their_order() -> None:
    classes = [breach(name=f"filter_{n}") for n in (3, 1, 2)]
    assert [one.name for one in in_order(classes)] == ["filter_3", "filter_1", "filter_2"]


def test_the_built_in_chain() -> None:
    """In the order of the specification, each place of it that is built taken once or more."""
    ids = [one.spec_id for one in in_order(BUILT_IN)]
    assert ids == sorted(ids, key=lambda text: (int(text[1:].rstrip(ascii_lowercase)), text))
    early = {
        one.spec_id
        for one in in_order(BUILT_IN)
        if one.stage <= Stage.MAIL and kind_of(type(one)) is Kind.ASKS
    }
    assert {"S5", "S11", "S16", "S17", "S31"} <= early  # they wait on the DNS behind the SMTP dialogue
    assert {one.stage for one in in_order(BUILT_IN)} == set(Stage)


class Installed:
    """A distribution as importlib.metadata finds it: an entry point of our group, in a folder on the path."""

    counter: ClassVar[int] = 0

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folder = folder
        monkeypatch.syspath_prepend(str(folder))

    def add(self, code: str, attribute: str = "Third") -> str:
        """Install a module with this code; its name."""
        Installed.counter += 1
        module = f"third_party_{Installed.counter}"
        (self._folder / f"{module}.py").write_text(code)
        info = self._folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\nthird = {module}:{attribute}\n")
        return module


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    return Installed(tmp_path, monkeypatch)


THIRD = '''
from tamis.contract.filter import Filter

class Third(Filter):
    """Sees nothing."""

    name = "third"
    spec_id = "S20"
    summary = "sees nothing"

    def examine(self, message):
        return self.clear()
'''


def test_a_package_brings_a_filter(installed: Installed) -> None:
    module = installed.add(THIRD)
    (third,) = (one for one in load_filters() if one.name == "third")
    assert type(third).__module__ == module


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
        ("raise RuntimeError('not today')", "not today"),
        ("1 +", "invalid syntax"),
        ("Fourth = 3", "has no attribute 'Third'"),
        ("Third = 3", "no concrete subclass"),
        (THIRD.replace('"third"', '"empty"'), "'empty' is taken"),
    ],
)
def test_a_package_that_cannot_be_used_refuses_to_start(installed: Installed, code: str, says: str) -> None:
    module = installed.add(code)
    with pytest.raises(PluginError) as refused:
        load_filters()
    assert says in str(refused.value)
    assert module in str(refused.value) or code == "Third = 3"
    assert exit_status(refused.value) >= 64
