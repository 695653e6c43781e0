"""Policy: platform -> domain -> mailbox, the nearer wins, and the store has the last word in each scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tamis.base.errors import ConfigError
from tamis.chain.registry import BUILT_IN, in_order
from tamis.contract.filter import Effect, Filter, FilterOptions, Message, State
from tamis.contract.finding import Finding
from tamis.judging.policy import Outcome, Policy
from tamis.judging.stored_policy import Override, with_overrides
from tests.builders import MARIE, PAUL, Aliases, book, layers, site

THREE_LAYERS = """
outcome = "tag"
required = 5.0
[filters.empty]
state = "off"
[filters.cyrillic]
state = "shadow"
share = 0.5
[domains."Example.COM"]
outcome = "junk"
tag = "[JUNK] "
filters.cyrillic.state = "on"
[mailboxes."Marie@example.com"]
required = 9.0
filters.empty.state = "on"
filters.cyrillic = { effect = "score", score = 1.0 }
"""


def rule(policy: Policy, name: str) -> FilterOptions:
    return next(r.options for r in policy.rules if r.filter.name == name)


def names(policy: Policy) -> list[str]:
    return [r.filter.name for r in policy.rules]


@pytest.mark.parametrize(
    ("recipient", "outcome", "required", "tag"),
    [
        ("someone@example.org", Outcome.TAG, 5.0, "SPAM: "),
        (PAUL, Outcome.JUNK, 5.0, "[JUNK] "),
        (MARIE, Outcome.JUNK, 9.0, "[JUNK] "),
        ("MARIE+news@EXAMPLE.com", Outcome.JUNK, 9.0, "[JUNK] "),
        ("sub.example.com", Outcome.TAG, 5.0, "SPAM: "),
        ("x@sub.example.com", Outcome.TAG, 5.0, "SPAM: "),  # a sub-domain is a domain of its own
        ("", Outcome.TAG, 5.0, "SPAM: "),
    ],
)
def test_the_nearer_term_wins(recipient: str, outcome: Outcome, required: float, tag: str) -> None:
    policy = book(THREE_LAYERS).policy(recipient)
    assert (policy.outcome, policy.required, policy.terms.tag) == (outcome, required, tag)


def test_filter_options_merge_key_by_key() -> None:
    policies = book(THREE_LAYERS)
    platform, domain, mailbox = (rule(policies.policy(r), "cyrillic") for r in ("x@example.org", PAUL, MARIE))
    assert (platform.state, domain.state, mailbox.state) == (State.SHADOW, State.ON, State.ON)
    assert (domain.effect, mailbox.effect, mailbox.score) == (Effect.SPAM, Effect.SCORE, 1.0)
    assert {getattr(options, "share", None) for options in (platform, domain, mailbox)} == {0.5}


def test_a_mailbox_has_a_filter_that_its_domain_lacks() -> None:
    policies = book(THREE_LAYERS)
    assert "empty" not in names(policies.policy(PAUL))
    assert "empty" in names(policies.policy(MARIE))


def test_rules_stand_in_chain_order_without_those_that_are_off() -> None:
    expected = [one.name for one in in_order(BUILT_IN) if one.state is not State.OFF]
    assert names(book().policy(MARIE)) == expected
    assert expected.index("antivirus") < expected.index("ip_whitelist") < expected.index("malformed")
    assert "cyrillic" not in expected


def test_the_whole_anti_spam_can_be_off_for_one_mailbox() -> None:
    policies = book('[mailboxes."marie@example.com"]\nenabled = false')
    assert policies.policy(MARIE).rules == ()
    assert policies.policy(PAUL).rules != ()


def test_delimiter_is_the_platforms() -> None:
    layer = '[mailboxes."marie@example.com"]\noutcome = "junk"'
    assert book(layer, delimiter="-").policy("marie-x@example.com").outcome is Outcome.JUNK
    assert book(layer, delimiter="").policy("marie+x@example.com").outcome is Outcome.QUARANTINE


INFO, TEAM, FAN = "info@example.org", "team@example.com", "fan@example.net"
ALIASES = Aliases({INFO: [MARIE], TEAM: [MARIE, PAUL, FAN], "club@example.com": [FAN]})
MARIES = """
[domains."example.org"]
outcome = "tag"
[mailboxes."marie@example.com"]
outcome = "junk"
"""


def test_an_alias_obeys_its_owners_policy_not_its_domains() -> None:
    policy = book(MARIES, directory=ALIASES).policy(INFO)
    assert (policy.recipient, policy.mailbox, policy.outcome) == (INFO, MARIE, Outcome.JUNK)
    assert policy.scopes == (INFO, MARIE, "example.com", "platform")


def test_what_is_set_for_an_alias_itself_is_nearest() -> None:
    """postmaster@ without a filter, though somebody reads it whose other mail is filtered."""
    layer = f'{MARIES}[mailboxes."{INFO}"]\nenabled = false\n'
    policy = book(layer, directory=ALIASES).policy(INFO)
    assert (policy.rules, policy.outcome) == ((), Outcome.JUNK)


def test_each_mailbox_behind_an_alias_has_its_copy_and_its_policy() -> None:
    policies = book(MARIES, directory=ALIASES).policies([TEAM])
    assert [(one.recipient, one.outcome, one.forward, one.via) for one in policies] == [
        (MARIE, Outcome.JUNK, False, (TEAM,)),
        (PAUL, Outcome.QUARANTINE, False, (TEAM,)),
        (FAN, Outcome.QUARANTINE, True, (TEAM,)),
    ]
    assert [one.mailbox for one in policies] == [
        MARIE,
        PAUL,
        TEAM,
    ]  # what leaves is nobody's here but the alias's


def test_a_mailbox_that_is_named_and_stands_behind_an_alias_has_one_copy() -> None:
    for order in ([TEAM, MARIE], [MARIE, TEAM]):
        policies = {one.recipient: one for one in book(MARIES, directory=ALIASES).policies(order)}
        assert set(policies) == {MARIE, PAUL, FAN}
        assert set(policies[MARIE].via) == {MARIE, TEAM}
        assert policies[MARIE].scopes[0] == MARIE


def test_aliases_that_lead_outside_are_forwards() -> None:
    policies = book(MARIES, directory=ALIASES)
    forwards = {one: policies.policy(one).forward for one in ("club@example.com", TEAM, INFO, PAUL)}
    assert forwards == {"club@example.com": True, TEAM: True, INFO: False, PAUL: False}
    (club,) = policies.policies(["club@example.com"])
    assert (club.recipient, club.via) == ("club@example.com", ("club@example.com",))


def test_show_follows_an_alias() -> None:
    assert book(MARIES, directory=ALIASES).show(INFO)["outcome"] == ["junk", MARIE]


def test_show_names_the_scope_that_sets_a_value() -> None:
    shown = book(THREE_LAYERS).show(MARIE)
    assert shown["required"] == [9.0, "marie@example.com"]
    assert shown["outcome"] == ["junk", "example.com"]
    assert shown["filters.cyrillic.share"] == [0.5, "platform"]
    assert shown["filters.cyrillic.state"] == ["on", "example.com"]
    assert shown["filters.sinograms.state"] == ["off", "default"]
    assert shown["retention_days"] == [30, "default"]


FILE = """
[policy.filters.empty]
state = "off"
[policy.domains."example.com"]
outcome = "junk"
"""


@pytest.mark.parametrize(
    ("override", "recipient", "expected"),
    [
        (Override("platform", "filters.empty.state", "on"), MARIE, True),
        (Override("Example.COM", "filters.empty.state", "on"), MARIE, True),
        (Override("example.com", "filters.empty.state", "on"), "x@example.org", False),
        (Override("Marie@Example.com", "filters.empty.state", "on"), MARIE, True),
        (Override("marie@example.com", "filters.empty.state", "on"), PAUL, False),
    ],
)
def test_the_store_switches_on_what_the_file_switched_off(
    override: Override, recipient: str, expected: bool
) -> None:
    policy = site(FILE, overrides=[override]).book.policy(recipient)
    assert ("empty" in names(policy)) is expected


def test_the_store_wins_over_the_file_in_its_own_scope_only() -> None:
    changed = site(FILE, overrides=[Override("platform", "outcome", "tag")])
    assert changed.book.policy(MARIE).outcome is Outcome.JUNK
    assert changed.book.policy("x@example.org").outcome is Outcome.TAG


def test_overrides_leave_the_files_layers_alone() -> None:
    given = layers('[filters.empty]\nstate = "off"')
    with_overrides(given, [Override("platform", "filters.empty.state", "on")])
    assert given["platform"]["filters"]["empty"]["state"] == "off"


class Compulsory(Filter):
    """A filter that nobody may switch off."""

    name = "compulsory"
    spec_id = "S10"
    summary = "compulsory"
    switchable = False

    def examine(self, message: Message) -> Finding:
        return self.clear()


CHAIN: Sequence[Filter[Any]] = in_order((*BUILT_IN, Compulsory))


@pytest.mark.parametrize(
    ("policy", "key", "says", "value", "nearest"),
    [
        ('outcom = "tag"', "policy.outcom", "no such setting", None, "outcome"),
        ('outcome = "tagg"', "policy.outcome", "input should be", "tagg", "tag"),
        ('outcome = "defer"', "policy.outcome", "input should be", "defer", ""),
        ("required = 0", "policy.required", "greater than 0", 0, ""),
        ("required = inf", "policy.required", "less than or equal to 1000", float("inf"), ""),
        ('required = "much"', "policy.required", "valid number", "much", ""),
        ("retention_days = 0", "policy.retention_days", "greater than or equal to 1", 0, ""),
        ("retention_days = 1.5", "policy.retention_days", "valid integer", 1.5, ""),
        ('tag = ""', "policy.tag", "at least 1 character", "", ""),
        ('tag = "a\\nb"', "policy.tag", "match pattern", "a\nb", ""),
        ("[filter.empty]", "policy.filter", "no such setting", None, "filters"),
        ('[domain."example.com"]', "policy.domain", "no such setting", None, "domains"),
        ("filters = 3", "policy.filters", "must be a table", 3, ""),
        ("[filters]\nempty = 3", "policy.filters.empty", "must be a table", 3, ""),
        ("[filters.emty]", "policy.filters.emty", "no such filter", None, "empty"),
        ("[filters.S18]", "policy.filters.S18", "no such filter", None, "empty"),
        ("[filters.s8a]", "policy.filters.s8a", "no such filter", None, "ip_blacklist"),
        ("[filters.nothing_like_it]", "policy.filters.nothing_like_it", "no such filter", None, ""),
        ('[filters.empty]\nstat = "on"', "policy.filters.empty.stat", "no such setting", None, "state"),
        ('[filters.empty]\nstate = "offf"', "policy.filters.empty.state", "input should be", "offf", "off"),
        ("[filters.empty]\nstate = false", "policy.filters.empty.state", "input should be", False, ""),
        ("[filters.empty]\nscore = 101", "policy.filters.empty.score", "less than or equal", 101, ""),
        ("[filters.empty]\nscore = nan", "policy.filters.empty.score", "or equal", None, ""),
        (
            '[filters.empty]\neffect = "accept"',
            "policy.filters.empty.effect",
            "score, spam, tag",
            "accept",
            "",
        ),
        (
            '[filters.ip_whitelist]\neffect = "spam"',
            "policy.filters.ip_whitelist.effect",
            "accept, score",
            "spam",
            "",
        ),
        (
            '[filters.score_tags]\neffect = "spam"',
            "policy.filters.score_tags.effect",
            "must be one of tag",
            "spam",
            "",
        ),
        (
            '[filters.compulsory]\nstate = "off"',
            "policy.filters.compulsory.state",
            "can't be switched",
            "off",
            "",
        ),
        (
            '[filters.compulsory]\nstate = "shadow"',
            "policy.filters.compulsory.state",
            "can't be",
            "shadow",
            "",
        ),
        ("[filters.cyrillic]\nshare = 0", "policy.filters.cyrillic.share", "greater than 0", 0, ""),
        (
            "[filters.sinograms]\nalso = ['hangl']",
            "policy.filters.sinograms.also.0",
            "should be",
            "hangl",
            "hangul",
        ),
        (
            "[filters.malformed.points]\nnull = 1",
            "policy.filters.malformed.points",
            "did you mean 'nul'",
            {"null": 1},
            "",
        ),
        ("[filters.malformed]\npoints = 3", "policy.filters.malformed.points", "must be a table", 3, ""),
        (
            "[filters.malformed.points]\nnul = inf",
            "policy.filters.malformed.points.nul",
            "less",
            float("inf"),
            "",
        ),
        (
            '[domains."example.com"]\nrequired = -1',
            'policy.domains."example.com".required',
            "greater than 0",
            -1,
            "",
        ),
        (
            '[mailboxes."marie@example.com".filters.emty]',
            'policy.mailboxes."marie@example.com".filters.emty',
            "no such filter",
            None,
            "empty",
        ),
        ("domains = 3", "policy.domains", "must be a table", 3, ""),
        ('[domains]\n"example.com" = 3', 'policy.domains."example.com"', "must be a table", 3, ""),
        ('[domains."marie@example.com"]', 'policy.domains."marie@example.com"', "policy.mailboxes", None, ""),
        ('[mailboxes."example.com"]', 'policy.mailboxes."example.com"', "policy.domains", None, ""),
        (
            '[domains."Example.com"]\n[domains."example.com"]',
            'policy.domains."example.com"',
            "stands there twice",
            None,
            "",
        ),
        ('[domains."platform"]', 'policy.domains."platform"', "stands there twice", None, ""),
    ],
)
def test_mistakes_are_named(policy: str, key: str, says: str, value: object, nearest: str) -> None:
    with pytest.raises(ConfigError) as refused:
        book(policy, CHAIN)
    error = refused.value
    assert (error.source, error.key, error.nearest) == ("test.toml", key, nearest)
    assert says in error.problem
    if value is not None:
        assert error.value == value
    assert str(error).startswith(f"test.toml: {key}: ")


@pytest.mark.parametrize(
    ("override", "says"),
    [
        (Override("platform", "outcom", "tag"), "no such setting; did you mean 'outcome'?"),
        (Override("example.com", "filters.emty.state", "on"), "no such filter; did you mean 'empty'?"),
        (Override("example.com", "outcome.deep", "tag"), "no such setting"),
        (Override("marie@example.com", "filters.empty.state", "maybe"), "input should be"),
    ],
)
def test_a_wrong_override_is_refused_and_blamed_on_the_store(override: Override, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        site(FILE, overrides=[override])
    assert says in str(refused.value)
    assert "store" in refused.value.source


def test_a_mistake_in_the_file_is_not_hidden_by_an_override() -> None:
    with pytest.raises(ConfigError, match=r"^defaults: policy\.outcome"):
        site('[policy]\noutcome = "nowhere"', overrides=[Override("platform", "outcome", "tag")])


def test_what_is_fixed_above_counts_alone() -> None:
    policies = book(
        'fixed = ["filters.empty", "tag"]\ntag = "P"\n[domains."example.com"]\ntag = "D"\nfixed = ["required"]\n'
        'required = 3\n[domains."example.com".filters]\nempty.state = "off"\nhelo.state = "shadow"\n'
        '[mailboxes."marie@example.com"]\nrequired = 9\nfixed = []\nfilters.empty.state = "shadow"\noutcome = "junk"\n'
    )
    marie = policies.policy(MARIE)
    assert (marie.terms.tag, marie.required, marie.outcome) == ("P", 3.0, Outcome.JUNK)
    assert rule(marie, "empty").state is State.ON
    assert rule(marie, "helo").state is State.SHADOW
    assert policies.show(MARIE)["filters.empty.state"] == ["on", "default"]
    assert policies.show_above(MARIE)["outcome"] == ["quarantine", "default"]
    for scope, key, by in (
        (MARIE, "filters.empty.state", "platform"),
        (MARIE, "required", "example.com"),
        ("example.com", "required", ""),
        ("platform", "tag", ""),
        ("example.org", "filters.emptying.state", ""),
    ):
        assert policies.fixed_above(scope, key) == by
