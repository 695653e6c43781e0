"""The catalogues say everything that the code says, and nothing else."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from tamis.language.translation import CATALOGUES, LANGUAGES
from tests.real.support import REPOSITORY

_PLACE = re.compile(r"%\([a-z_]+\)[a-z]|\{[a-z_]*\}")
_TAG = re.compile(r"<[^>]*>")


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The sentences of code and templates."""
    template = tmp_path_factory.mktemp("catalogues") / "tamis.pot"
    subprocess.run([REPOSITORY / "scripts" / "catalogues", str(template)], check=True)
    return catalogue(template)


def pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Every sentence with each of its translations."""
    for message in catalogue(path):
        originals = message.id if isinstance(message.id, tuple) else (message.id,)
        translated = message.string if isinstance(message.string, tuple) else (message.string,)
        for original, said in zip(originals, translated, strict=True):
            if original:
                yield str(original), str(said or "")


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_catalogue_is_up_to_date_and_complete(language: str, wanted: Catalog) -> None:
    path = CATALOGUES / language / "LC_MESSAGES" / "tamis.po"
    there = {str(message.id) for message in catalogue(path) if message.id}
    assert there == {str(message.id) for message in wanted if message.id}, "run: scripts/catalogues"
    assert [original for original, said in pairs(path) if not said.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_a_translation_has_the_places_of_its_sentence_and_no_markup(language: str) -> None:
    for original, said in pairs(CATALOGUES / language / "LC_MESSAGES" / "tamis.po"):
        assert sorted(_PLACE.findall(said)) == sorted(_PLACE.findall(original)), original
        assert _TAG.findall(said) == _TAG.findall(original), original
        assert original.endswith("\n") == said.endswith("\n"), original
