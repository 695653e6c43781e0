"""rspamd's configuration: what the site set itself, module by module, and an account of every file of the folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tamis.importing.bounded_files import ReadingBudget, below
from tamis.importing.gathering import Fate, Gathering, Line
from tamis.importing.rspamd_modules import SETTINGS
from tamis.importing.rspamd_rules import SymbolRules
from tamis.importing.rspamd_tree import RspamdTree
from tamis.importing.rspamd_words import MODULES, SCALE, symbol_filter
from tamis.importing.ucl import Node, NodeKind

_OWN_FOLDERS = ("local.d", "override.d")
_OWN_FILES = ("rspamd.conf.local", "rspamd.conf.local.override", "rspamd.conf.override")
_SUFFIXES = (".conf", ".inc")
_FIRST = ("groups", "metrics", "actions")
"""Modules that say what others need: weights of symbols."""
_LAST = ("composites", "force_actions")
"""Modules that need the rules of others."""

NamedSection = tuple[str, Node]


def read_rspamd(root: Path, into: Gathering, budget: ReadingBudget) -> None:
    """Read a folder like /etc/rspamd: the site's own files and the maps that they name. Raises ConfigError."""
    tree = RspamdTree(root, into, budget)
    sections = _sections(tree)
    weights: dict[str, float] = {}
    for name, node in sections:
        if name == "groups":
            _weights(node, weights)
    rules = SymbolRules(tree, weights)
    makers: Mapping[str, Callable[[Node], None]] = MappingProxyType(
        {
            "multimap": rules.multimap,
            "regexp": rules.regexp,
            "composites": rules.composites,
            "force_actions": rules.force_actions,
            "whitelist": rules.whitelist,
        }
    )
    rank = dict.fromkeys(_FIRST, -1) | dict.fromkeys(_LAST, 1)
    for name, node in sorted(sections, key=lambda one: rank.get(one[0], 0)):
        if maker := makers.get(name):
            maker(node)
        elif setting := SETTINGS.get(name):
            setting(tree, node)
        elif name == "groups":
            _groups(tree, node)
        has_equal, told = MODULES.get(name, (False, f"{name} is no module that rspamd 3 comes with"))
        tree.rest(node, Fate.ELSEWHERE if has_equal else Fate.NONE, told)
    _others(tree)
    into.sort()


def _sections(tree: RspamdTree) -> list[NamedSection]:
    """The site's own sections: of the files beside the main one, of local.d, then of override.d, which is stronger."""
    found: list[NamedSection] = []
    for name in _OWN_FILES:
        file = tree.root / name
        if file.is_file():
            found += [(_module(one.key), _as_section(one)) for one in tree.nodes(file).children]
    local, override = (dict(_of_folder(tree, tree.root / name)) for name in _OWN_FOLDERS)
    for name, node in override.items():
        stronger = {one.key for one in node.children if one.kind is NodeKind.SCALAR}
        for one in local[name].children if name in local else ():
            if one.key in stronger:
                tree.account(one, Fate.SILENT, "override.d says otherwise")
    for sections in (local, override):
        for name, node in sections.items():
            node.children = [one for one in node.children if not tree.is_known(one)]
            found.append((name, node))
    return found


def _of_folder(tree: RspamdTree, folder: Path) -> Iterator[NamedSection]:
    """A section for each file that is called like a module; others are read where something includes them."""
    files: dict[str, Node] = {}
    for file in below(folder):
        name = _module(file.name)
        if file.suffix not in _SUFFIXES or (
            file.suffix == ".inc" and name not in MODULES and name not in SETTINGS
        ):
            continue
        if not file.is_file():
            continue
        node = tree.nodes(file)
        whole = [one for one in node.children if one.key == name and one.kind is NodeKind.OBJECT]
        for one in whole:  # the section is written out once more
            node.children[node.children.index(one) : node.children.index(one) + 1] = one.children
            tree.account(Node(one.key, one.place, NodeKind.OBJECT), Fate.OVER, "the section of this file")
        files.setdefault(name, Node(name, node.place, NodeKind.OBJECT)).children += node.children
    yield from files.items()


def _as_section(node: Node) -> Node:
    return node if node.kind is NodeKind.OBJECT else Node("", node.place, NodeKind.OBJECT, children=[node])


def _module(name: str) -> str:
    """A file's module: groups have files of their own, workers one for each kind."""
    stem = name.partition(".")[0]
    if stem.endswith("_group") or stem in ("group", "groups", "metric", "metrics"):
        return "groups"
    return {"spamassassin_rules": "spamassassin", "rmilter_headers": "milter_headers"}.get(stem, stem)


def _weights(node: Node, into: dict[str, float]) -> None:
    for one in node.walk():
        if one.key in ("symbols", "symbol"):
            for symbol in one.children:
                text = (
                    symbol.get("weight") or symbol.get("score")
                    if symbol.kind is NodeKind.OBJECT
                    else symbol.text
                )
                try:
                    into[symbol.key] = float(text or "0")
                except ValueError:
                    continue


def _groups(tree: RspamdTree, node: Node) -> None:
    """Weights of symbols: those of the site's own rules went into them, those of rspamd's are filters' here."""
    for one in node.walk():
        if one.key in ("symbols", "symbol"):
            for symbol in one.children:
                near = symbol_filter(symbol.key)
                told = f"in the rule of that name, times {SCALE:g}; of rspamd's own symbols: filter {near}"
                tree.account(symbol, Fate.ELSEWHERE, told)
    tree.rest(
        node, Fate.ELSEWHERE, "filters stand for themselves; rules have `group`, of which the highest counts"
    )


def _others(tree: RspamdTree) -> None:
    """The files that nobody read: rspamd's own defaults, code, maps that nothing names."""
    for path in tree.others():
        shown = str(path.relative_to(tree.root))
        line = Line(shown, "(the file)")
        top = shown.partition("/")[0]
        if path.suffix == ".lua" or top in ("lua", "plugins.d"):
            tree.into.tell(
                line,
                Fate.NONE,
                "code in Lua: rules, or a filter of your own (docs/writing-a-filter.md)",
            )
        elif top in (*_OWN_FOLDERS, "maps.d", "maps"):
            tree.into.tell(line, Fate.SILENT, "no file of the site's configuration names it")
        elif re.fullmatch(r"[\w.-]+\.(conf|inc)|(modules|scores)\.d/[\w.-]+\.conf", shown):
            has_equal, told = MODULES.get(
                _module(path.name), (True, "defaults of rspamd; filters have theirs")
            )
            fate = Fate.ELSEWHERE if has_equal else Fate.NONE
            tree.into.tell(line, fate, f"rspamd's own defaults: {told}")
        else:
            tree.into.tell(line, Fate.NONE, "no file of rspamd's configuration")
