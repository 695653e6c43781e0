"""The schema in words: what the page of the console and the documents show of each operation. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Described:
    """One operation: its scopes ("" for none), its sentence, and a command that asks for it, with the parts that one
    fills in written in capitals."""

    method: str
    path: str
    scopes: str
    sentence: str
    curl: str


def described(schema: Mapping[str, Any], url: str) -> Iterator[Described]:
    """The operations of a schema; `url` is where the API stands."""
    for path, operations in schema["paths"].items():
        for method, told in operations.items():
            yield Described(
                method.upper(),
                path,
                " ".join(told["security"][0]["token"]),
                told.get("description", told.get("summary", "")),
                _curl(schema, method.upper(), f"{url}{path}", told),
            )


def _curl(schema: Mapping[str, Any], method: str, url: str, told: Mapping[str, Any]) -> str:
    words = ["curl", "-H", '"Authorization: Bearer $TAMIS_TOKEN"']
    if method != "GET":
        words += ["-X", method]
    for kind, one in told.get("requestBody", {}).get("content", {}).items():
        octets = "@FILE"
        if kind == "application/json":
            octets = shlex.quote(json.dumps(_example(schema, one["schema"])))
        words += ["-H", shlex.quote(f"Content-Type: {kind}"), "--data-binary", octets]
    if any(one["name"] == "if-match" for one in told.get("parameters", ())):
        words += ["-H", shlex.quote('If-Match: "ETAG"')]
    asked = [one["name"] for one in told.get("parameters", ()) if one["in"] == "query" and one["required"]]
    query = "&".join(f"{name}={name.upper()}" for name in asked)
    for name in (one["name"] for one in told.get("parameters", ()) if one["in"] == "path"):
        url = url.replace(f"{{{name}}}", name.upper())
    return " ".join([*words, shlex.quote(url + (f"?{query}" if query else ""))])


def _example(schema: Mapping[str, Any], kind: Mapping[str, Any]) -> Any:
    """What a value may look like; of an object, what it must have."""
    if "$ref" in kind:
        return _example(schema, schema["components"]["schemas"][kind["$ref"].rpartition("/")[2]])
    if "anyOf" in kind:
        return _example(schema, kind["anyOf"][0])
    if "enum" in kind:
        return kind["enum"][0]
    if kind.get("type") == "object":
        needed = {name: kind["properties"][name] for name in kind.get("required", ())}
        return {name: _example(schema, one) for name, one in needed.items()} or (
            {"KEY": "VALUE"} if "additionalProperties" in kind else {}
        )
    if kind.get("type") == "array":
        return [_example(schema, kind["items"])]
    simple = {"string": "TEXT", "integer": kind.get("minimum", 1), "number": 1.5, "boolean": True}
    return simple.get(kind.get("type", ""))
