"""The page of the API: words and examples, of which tests/web/api/test_page.py runs each; the table is the schema's."""

from __future__ import annotations

from tamis.people.token_scopes import RIGHT_OF
from tamis.web.api.assembly import schema
from tamis.web.api.described import described

TEXT = """
# The API

`/api/v1`, on the same address as the [pages](pages.md): what the [console](console.md) and the
[commands](commands.md) do, for programs. `GET /api/v1/openapi.json` is its schema (OpenAPI 3.1, no token needed);
the console's page *API* shows the same with a command for each operation. `tamis --url https://mail.example.com
--token FILE` uses it for `challenges` (list, show), `history`, `lists`, `policy` (all but check), `quarantine`,
`status`, `rules` (test, taken, accept, shadow, forget), `senders` (show, remove), `model status` and `people suspend`.

## Tokens

    tamis token make --for anne@example.com --scope held:read --scope held:act --domain example.com --days 30

prints a token, once. It may do **the smallest of three things**: what its maker may at that moment, what its scopes
say, and that in its domains. Whoever takes a right from the maker takes it from the token; the token of somebody
who is suspended may do nothing. A token lasts a year at most; with `people:admin`, which changes what others may
do, a day. `tamis token show` says when each was used last, and `tamis token revoke ID` ends one at once. Keep it in
a file that only its program can read (`chmod 600`). Every deed stands in the audit trail with the maker's name and
the token's id.

{scopes}

## Asking

Send it in the header `Authorization`, as a bearer token; cookies are not looked at.

```sh
export TAMIS_TOKEN=tms_…
curl -H "Authorization: Bearer $TAMIS_TOKEN" https://mail.example.com/api/v1/me
```

Lists are read in parts: `limit` is 200 at most, and `before` goes on after the answer whose `next` it was (null at
the end). `in` says in which scope one looks: `platform`, a domain or a mailbox. A list has what the token may see
there.

```sh
curl -H "Authorization: Bearer $TAMIS_TOKEN" \\
    'https://mail.example.com/api/v1/held?in=example.com&search=garage&limit=20'
curl -H "Authorization: Bearer $TAMIS_TOKEN" \\
    'https://mail.example.com/api/v1/messages?in=example.com&sender=garage.example.net&verdict=spam'
```

## Changing

What changes something may have an `Idempotency-Key` of the program's choice (200 printable characters at most, no
space). Asked again with the same key within a day, the answer is the first one, and nothing is done a second time:
after a lost answer, ask again. The same key with another request is refused.

```sh
curl -H "Authorization: Bearer $TAMIS_TOKEN" -H 'Content-Type: application/json' \\
    -H 'Idempotency-Key: night-17' --data '{"act": "delete", "ids": ["01JDX3A8Y0000000000000000A"]}' \\
    https://mail.example.com/api/v1/held/acts
curl -H "Authorization: Bearer $TAMIS_TOKEN" -H 'Content-Type: application/json' \\
    --data '{"colour": "white", "subject": "sender", "pattern": "friend@example.net", "scope": "marie@example.com"}' \\
    https://mail.example.com/api/v1/lists/entries
```

Policy is changed as it was read: the answer to `GET` has an `ETag`, which the change sends as `If-Match` (`*` for
whatever is there). The change is a [version](operations.md) that can be taken back, and is in force within seconds.
null takes a setting back.

```sh
curl -i -H "Authorization: Bearer $TAMIS_TOKEN" https://mail.example.com/api/v1/policy/example.com
curl -X PATCH -H "Authorization: Bearer $TAMIS_TOKEN" -H 'Content-Type: application/json' -H 'If-Match: *' \\
    --data '{"set": {"retention_days": 14}, "note": "less to look through"}' \\
    https://mail.example.com/api/v1/policy/example.com
```

What a change would have done is asked before it is made: a replay is a job whose result grows, at the address that
`Location` names.

```sh
curl -H "Authorization: Bearer $TAMIS_TOKEN" -H 'Content-Type: application/json' \\
    --data '{"scope": "example.com", "set": {"required": 6.5}, "days": 7}' \\
    https://mail.example.com/api/v1/replays
```

## Refusals

Every refusal is a problem (RFC 9457, `application/problem+json`): `status`, `title`, a sentence in `detail`, and of
wrong fields `errors`, each with where and what. Nothing that was sent comes back in it.

| status | |
|---|---|
| 401 | no token, or none that is valid |
| 403 | the token lacks the scope that is named |
| 404 | not there, or not for this token: one answer for both |
| 409 | a version that was changed since; a request with this key that is under way; a change that changes nothing |
| 412, 428 | policy was changed since it was read; `If-Match` is missing |
| 413, 408 | more than 1 MiB; it took more than 10 seconds to arrive |
| 422 | a field is wrong; an Idempotency-Key was used for another request |
| 429 | 600 requests a minute of a token, and `web.requests` of a network; `Retry-After` says when |
| 503 | the store or the mail server can't answer now; ask again with the same key |

## Operations
"""


def api_page() -> str:
    """The page."""
    scopes = ["| scope | needs of its maker |", "|---|---|"]
    scopes += [f"| `{scope}` | `{right}` |" for scope, right in RIGHT_OF.items()]
    rows = ["| operation | scope | |", "|---|---|---|"]
    for one in described(schema(), ""):
        needed = " ".join(f"`{scope}`" for scope in one.scopes.split())
        rows.append(f"| `{one.method} {one.path}` | {needed} | {' '.join(one.sentence.split())} |")
    text = TEXT.replace("{scopes}", "\n".join(scopes)).strip()
    return text + "\n\n" + "\n".join(rows) + "\n"
