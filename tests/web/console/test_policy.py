"""Policy in the console: what is in force and why, changed by versions that can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

import pytest

from tamis.judging.stored_policy import Override
from tamis.message.address import PLATFORM
from tamis.web.visit import SESSION
from tests.web.console.conftest import PLATFORM_ADMIN
from tests.web.pages import ADMIN, MARIE, Pages, Visitor

HERE = "?in=example.com"


@pytest.fixture(autouse=True)
def nothing_set(pages: Pages) -> Iterator[None]:
    """Each test begins with a policy without overrides, whatever the one before stored."""
    yield
    stored = [Override(one.override.scope, one.override.key, None) for one in pages.store.overrides.list()]
    pages.store.overrides.change(stored, by="test", check=lambda *_: None)


def values(pages: Pages) -> dict[tuple[str, str], object]:
    return {
        (one.override.scope, one.override.key): one.override.value for one in pages.store.overrides.list()
    }


def change(visitor: Visitor, scope: str = "example.com", **fields: str) -> str:
    """Review and save as a browser does it: what the review's form holds is what is sent."""
    page = f"/admin/policy?in={scope}"
    reviewed = visitor.send(
        page,
        {name.replace("__", "."): value for name, value in fields.items()},
        f"/admin/policy/review?in={scope}",
    )
    assert reviewed.status == 200, reviewed.text
    form = {"csrf": reviewed.field("csrf"), "base": reviewed.field("base"), "note": "because"}
    for name in ("set", "reset"):
        if f'name="{name}"' in reviewed.text:
            form[name] = reviewed.field(name)
    saved = visitor.post(f"/admin/policy/save?in={scope}", form)
    assert saved.status == 303, saved.text
    return saved.location


def test_a_row_a_filter_with_where_its_state_is_set(pages: Pages) -> None:
    pages.store.overrides.set(PLATFORM, "filters.spf.state", "shadow", by="t", check=pages.check)
    pages.store.overrides.set("example.com", "filters.helo.state", "on", by="t", check=pages.check)
    page = pages.visitor(ADMIN).get(f"/admin/policy{HERE}").text
    for name in ("spf", "helo", "reverse_dns", "statistics"):
        assert f'href="/admin/policy/{name}?in=example.com"' in page
    assert "from the platform" in " ".join(page.split())
    assert "<strong>set here</strong>" in page
    assert 'name="reset" value="filters.helo.state"' in page
    assert 'name="reset" value="filters.spf.state"' not in page


def test_all_settings_are_found_by_their_words(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    found = admin.get(f"/admin/policy{HERE}&q=retention").text
    assert "<code>retention_days</code>" in found
    assert "days that quarantined mail is kept" in found
    assert "No setting has these words" in admin.get(f"/admin/policy{HERE}&q=zzzz").text
    page = admin.get(f"/admin/policy/dnsbl{HERE}").text
    assert 'name="now.filters.dnsbl.share"' in page
    assert admin.get(f"/admin/policy/nothing{HERE}").status == 404


def test_a_change_is_reviewed_saved_and_taken_back(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    where = change(admin, now__required="6.5", was__required="7.5")
    assert values(pages) == {("example.com", "required"): 6.5}
    said = admin.get(where).text
    number = pages.store.overrides.versions.newest()
    assert f"Saved as version {number}" in said
    page = admin.get(f"/admin/policy/versions/{number}{HERE}")
    assert "because" in page.text
    back = admin.submit(
        f"/admin/policy/versions/{number}{HERE}", f"/admin/policy/versions/{number}/undo{HERE}"
    )
    assert back.status == 303
    assert f"Taken back by version {number + 1}" in admin.get(back.location).text
    assert values(pages) == {}
    change(admin, now__required="6.5", was__required="7.5")
    change(admin, reset="required")
    assert values(pages) == {}


def test_what_did_not_differ_is_not_changed(pages: Pages) -> None:
    """A form holds every field: those that somebody else changed meanwhile stay."""
    admin = pages.visitor(ADMIN)
    form = {"now.required": "7.5", "was.required": "7.5", "now.tag": "X: ", "was.tag": '"SPAM: "'}
    reviewed = admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/review{HERE}").text
    assert "<code>tag</code>" in reviewed
    assert "<code>required</code>" not in reviewed
    nothing = admin.send(
        f"/admin/policy{HERE}", {"now.tag": "x", "was.tag": "x"}, f"/admin/policy/review{HERE}"
    )
    assert "Nothing differs" in nothing.text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("required=-1", "greater than 0"),
        ("requird=6", "Did you mean required?"),
        ("filters.cyrilic.state=off", "Did you mean filters.cyrillic.state?"),
        ("outcome=junck", "Did you mean junk?"),
        ("required=[1", "no TOML value"),
        ("filters.spf=off", "must be a table"),
        ("a..b=1", "no such setting"),
    ],
)
def test_bad_values_are_refused_with_key_value_and_nearest_name(pages: Pages, given: str, says: str) -> None:
    admin = pages.visitor(ADMIN)
    answer = admin.get(f"/admin/policy/review{HERE}&set={quote(given)}")
    assert answer.status == 422
    assert says in answer.text
    form = {"set": given, "base": "0"}
    assert admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/save{HERE}").status == 422
    assert values(pages) == {}


def test_a_change_made_meanwhile_is_not_gone_over(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    base = str(pages.store.overrides.versions.newest())
    pages.store.overrides.set("example.com", "required", 5.0, by="paul", check=pages.check)
    form = {"set": "required=9", "base": base}
    answer = admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/save{HERE}")
    assert "Somebody changed this meanwhile: required" in answer.text
    assert values(pages) == {("example.com", "required"): 5.0}


def test_export_is_what_import_takes(pages: Pages) -> None:
    admin = pages.visitor(ADMIN)
    for key, value in (
        ("required", 6.5),
        ("digest", ["17:00"]),
        ("filters.dnsbl.state", "shadow"),
        ("tag", 'a "b" '),
    ):
        pages.store.overrides.set("example.com", key, value, by="t", check=pages.check)
    before = values(pages)
    exported = admin.get(f"/admin/policy/export{HERE}")
    assert exported.headers["content-disposition"] == 'attachment; filename="policy-example.com.toml"'
    pages.store.overrides.change(
        [Override(scope, key, None) for scope, key in before], by="t", check=pages.check
    )
    reviewed = admin.send(f"/admin/policy{HERE}", {"toml": exported.text}, f"/admin/policy/review{HERE}")
    assert reviewed.status == 200, reviewed.text
    assert reviewed.text.count('name="set"') == 8  # to save, and to try
    wrong = admin.send(f"/admin/policy{HERE}", {"toml": "required = = 1"}, f"/admin/policy/review{HERE}")
    assert wrong.status == 422


def test_nobody_changes_above_the_own_scope(pages: Pages) -> None:
    """Not by another `in`, not by a scope in a key, not by undoing what touched more."""
    admin, root = pages.visitor(ADMIN), pages.visitor(PLATFORM_ADMIN)
    for scope in ("platform", "example.org", "paul@example.org"):
        form = {"set": "required=1", "base": "0"}
        answer = admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/save?in={scope}")
        assert answer.status == 404
        assert admin.get(f"/admin/policy?in={scope}").status == 404
    for key in ("platform:required=1", "example.org:required=1"):
        form = {"set": key, "base": "0"}
        assert admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/save{HERE}").status == 422
    assert values(pages) == {}
    both = [Override("example.com", "tag", "X"), Override("example.org", "tag", "X")]
    made = pages.store.overrides.change(both, by="root", check=pages.check)
    only = pages.store.overrides.change([Override(PLATFORM, "tag", "P")], by="root", check=pages.check)
    assert made is not None
    assert only is not None
    page = admin.get(f"/admin/policy/versions/{made.id}{HERE}")
    assert "example.org" not in page.text
    assert "Take this version back" not in page.text
    undo = f"/admin/policy/versions/{made.id}/undo{HERE}"
    assert admin.send(f"/admin/policy{HERE}", {}, undo).status == 404
    assert admin.get(f"/admin/policy/versions/{only.id}{HERE}").status == 404
    assert root.get(f"/admin/policy/versions/{only.id}?in=platform").status == 200
    for number in ("0", "-1", "x", "9" * 30, "٣"):
        assert admin.get(f"/admin/policy/versions/{quote(number)}{HERE}").status == 404


def test_what_the_platform_fixes_is_shown_and_stays(pages: Pages) -> None:
    pages.store.overrides.set(PLATFORM, "fixed", ["outcome", "filters.spf"], by="t", check=pages.check)
    admin = pages.visitor(ADMIN)
    page = " ".join(admin.get(f"/admin/policy{HERE}").text.split())
    assert "fixed by the platform" in page
    assert 'name="now.outcome"' not in page
    assert 'name="now.filters.spf.state"' not in page
    form = {"set": "filters.spf.state=off", "base": "99"}
    refused = admin.send(f"/admin/policy{HERE}", form, f"/admin/policy/save{HERE}")
    assert (refused.status, "is fixed by platform" in refused.text) == (422, True)


@pytest.mark.parametrize("path", ["/policy/review", "/policy/save", "/policy/versions/1/undo"])
def test_forms_of_others_are_refused(pages: Pages, path: str) -> None:
    admin = pages.visitor(ADMIN)
    assert admin.post(f"/admin{path}{HERE}", {"set": "required=1", "csrf": "x"}).status == 403
    assert values(pages) == {}


def test_who_was_granted_nothing_finds_no_page(pages: Pages) -> None:
    for path in ("/policy", "/policy/versions", "/policy/spf", "/policy/export", "/policy/review"):
        assert pages.visitor(MARIE).get(f"/admin{path}{HERE}").status == 404


def test_nobody_else_opens_what_is_locked(pages: Pages) -> None:
    """Not by a value, not by a reset, not by undoing, not by fixing it above."""
    admin = pages.visitor(ADMIN)
    locked = "paul@example.com"
    change(admin, locked, now__locked="true", was__locked="false")
    assert values(pages) == {(locked, "locked"): True}
    number = pages.store.overrides.versions.newest()
    for form in ({"set": "locked=false"}, {"reset": "locked"}):
        saved = admin.send(f"/admin/policy{HERE}", {**form, "base": "99"}, f"/admin/policy/save?in={locked}")
        assert (saved.status, "only by the mailbox itself" in saved.text) == (422, True)
    undo = f"/admin/policy/versions/{number}/undo?in={locked}"
    assert admin.send(f"/admin/policy{HERE}", {}, undo).status == 404
    fixing = {"set": 'fixed=["locked"]', "base": "99"}
    assert admin.send(f"/admin/policy{HERE}", fixing, f"/admin/policy/save{HERE}").status == 422
    assert values(pages) == {(locked, "locked"): True}


def test_the_platforms_policy_wants_a_code(pages: Pages) -> None:
    """And whoever gives it comes back to what was to be changed."""
    before = datetime.now(UTC) - timedelta(minutes=20)
    session = pages.store.sessions.begin(
        PLATFORM_ADMIN, timedelta(hours=1), how="password", strong=True, now=before
    )
    root = Visitor(pages, {SESSION: session})
    form = {"set": "required=6", "base": "99"}
    for path in ("save", "review"):
        asked = root.send("/admin/policy?in=platform", form, f"/admin/policy/{path}?in=platform")
        assert asked.status == 303
        assert unquote(asked.location).startswith("/admin/confirm")
        assert "/admin/policy/review?in=platform&set=required=6" in unquote(unquote(asked.location))
    assert values(pages) == {}
