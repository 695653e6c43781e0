"""Registered domains, and which ones look alike."""

from __future__ import annotations

import pytest

from tamis.filters.lookalike_domain import looks_like
from tamis.message.domains import is_one_edit, registered_domain


@pytest.mark.parametrize(
    ("host", "registered"),
    [
        ("www.shop.example.co.uk", "example.co.uk"),
        ("example.com", "example.com"),
        ("com", ""),
        ("localhost", ""),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::1"),
        ("a." * 200 + "example.com", ""),
        ("", ""),
    ],
)
def test_registered_domains(host: str, registered: str) -> None:
    assert registered_domain(host) == registered


@pytest.mark.parametrize(
    ("seen", "like", "alike"),
    [
        ("exarnple.com", "example.com", True),
        ("examp1e.com", "example.com", True),
        ("xn--xample-2of.com", "example.com", True),  # a Cyrillic ie
        ("exampel.com", "example.com", True),
        ("exmple.com", "example.com", True),
        ("example.org", "example.com", False),
        ("example.com", "example.com", False),
        ("sample.com", "example.com", False),
        ("bold.example", "gold.example", False),  # too short for one edit to mean anything
        ("192.0.2.7", "example.com", False),
    ],
)
def test_which_domains_look_alike(seen: str, like: str, *, alike: bool) -> None:
    assert looks_like(seen, like) is alike


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("ab", "ba", True),
        ("ab", "ac", True),
        ("a", "ab", True),
        ("abc", "cab", False),
        ("ab", "ab", False),
        ("", "ab", False),
    ],
)
def test_one_edit(one: str, other: str, *, near: bool) -> None:
    assert is_one_edit(one, other) is near
    assert is_one_edit(other, one) is near
