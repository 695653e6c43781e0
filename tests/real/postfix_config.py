"""The configuration files of a private Postfix: the lines of deploy/postfix, and what surrounds them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.real.support import REPOSITORY

DEPLOYED = REPOSITORY / "deploy" / "postfix"

# The places that deploy/postfix names, each once.
_MILTER = "unix:tamis/milter"
_DESK = "unix:tamis/desk"
_REINJECTION = "127.0.0.1:8897"

# What Postfix ships in master.cf, none of it in a chroot: a private queue has none.
_SERVICES = """\
pickup     unix  n  -  n  1  1  pickup
cleanup    unix  n  -  n  -  0  cleanup
qmgr       unix  n  -  n  1  1  qmgr
tlsmgr     unix  -  -  n  1000?  1  tlsmgr
rewrite    unix  -  -  n  -  -  trivial-rewrite
bounce     unix  -  -  n  -  0  bounce
defer      unix  -  -  n  -  0  bounce
trace      unix  -  -  n  -  0  bounce
verify     unix  -  -  n  -  1  verify
flush      unix  n  -  n  1000?  0  flush
proxymap   unix  -  -  n  -  -  proxymap
proxywrite unix  -  -  n  -  1  proxymap
smtp       unix  -  -  n  -  -  smtp
relay      unix  -  -  n  -  -  smtp
showq      unix  n  -  n  -  -  showq
error      unix  -  -  n  -  -  error
retry      unix  -  -  n  -  -  error
discard    unix  -  -  n  -  -  discard
local      unix  -  n  n  -  -  local
virtual    unix  -  n  n  -  -  virtual
lmtp       unix  -  -  n  -  -  lmtp
anvil      unix  -  -  n  -  1  anvil
scache     unix  -  -  n  -  1  scache
postlog    unix-dgram  n  -  n  -  1  postlogd
# The rest of the world: all mail for it ends in one Maildir.
outside    unix  -  n  n  -  -  virtual
    -o virtual_mailbox_maps=static:outside/
"""


# The queue's directories with group and mode, as "postfix check" makes them, only in seconds.
QUEUE_DIRECTORIES = {
    **dict.fromkeys(
        (
            *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
            *("hold", "incoming", "private", "saved", "trace"),
        ),
        ("root", 0o700),
    ),
    "maildrop": ("postdrop", 0o730),
    "public": ("postdrop", 0o710),
}


def main_cf(
    base: Path,
    *,
    domains: Iterable[str],
    milter: str | None,
    desk: str,
    mailbox_transport: str | None,
    settings: Mapping[str, str],
) -> str:
    """The text of main.cf: a private server's own settings, then the deployed lines."""
    own = {
        "compatibility_level": "3.7",
        "queue_directory": str(base / "queue"),
        "data_directory": str(base / "data"),
        "maillog_file": str(base / "log" / "mail.log"),
        "maillog_file_prefixes": str(base),
        "myhostname": "mx.example.com",
        "mydestination": "",
        "alias_maps": "",
        "alias_database": "",
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "all",  # else XCLIENT refuses IPv6 clients
        "mynetworks": "192.0.2.250/32",  # no test client is one of ours unless it says so
        "local_header_rewrite_clients": "",
        # Any: a connection that goes on as another client is judged by the address it claimed last.
        "smtpd_authorized_xclient_hosts": "static:all",
        "smtpd_peername_lookup": "no",
        "smtpd_client_connection_count_limit": "0",
        "smtpd_client_message_rate_limit": "0",
        "smtpd_error_sleep_time": "0",
        "smtpd_hard_error_limit": "10000",
        "smtpd_soft_error_limit": "10000",
        "smtpd_recipient_restrictions": "reject_unauth_destination",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "in_flow_delay": "0",  # speed matters more here than fairness between queues
        "default_process_limit": "100",
        "virtual_mailbox_domains": ", ".join(domains),
        "virtual_mailbox_base": str(base / "mail"),
        "virtual_mailbox_maps": f"texthash:{base}/config/mailboxes",
        "virtual_alias_maps": f"texthash:{base}/config/aliases",
        "virtual_uid_maps": "static:65534",
        "virtual_gid_maps": "static:65534",
        "virtual_mailbox_limit": "0",
        "virtual_transport": mailbox_transport or "virtual",
        "default_transport": "outside:",
        "relay_transport": "outside:",
        # Deferred mail is tried again within a second or two.
        "minimal_backoff_time": "1s",
        "maximal_backoff_time": "2s",
        "queue_run_delay": "1s",
        "transport_retry_time": "1s",
        "qmgr_clog_warn_time": "0",
        "max_idle": "10s",
        **settings,
    }
    lines = [f"{name} = {value}\n" for name, value in own.items()]
    deployed = _placed((DEPLOYED / "main.cf").read_text(encoding="utf-8"), {_DESK: desk})
    if milter is None:
        deployed = re.sub(r"(?m)^smtpd_milters = .*$", "smtpd_milters =", deployed)
    else:
        deployed = _placed(deployed, {_MILTER: milter})
    # What a test sets itself wins over a deployed line of the same name.
    for name in settings:
        deployed = re.sub(rf"(?m)^{re.escape(name)} = .*\n", "", deployed)
    return "".join(lines) + "\n" + deployed


def master_cf(*, port: int, reinjection_port: int, extra: str, chroot: bool = False) -> str:
    """The text of master.cf: the usual services, the inbound listener, the deployed ones."""
    inbound = f"127.0.0.1:{port}  inet  n  -  {'y' if chroot else 'n'}  -  200  smtpd\n"
    deployed = _placed(
        (DEPLOYED / "master.cf").read_text(encoding="utf-8"),
        {_REINJECTION: f"127.0.0.1:{reinjection_port}"},
    )
    return _SERVICES + inbound + deployed + extra


def _placed(text: str, places: Mapping[str, str]) -> str:
    for default, place in places.items():
        if text.count(default) != 1:
            raise AssertionError(f"deploy/postfix names {default} {text.count(default)} times, not once")
        text = text.replace(default, place)
    return text
