"""Real servers for the tests, each private: own ports, own directories, nothing left behind."""

from tests.real.daemon import TamisDaemon
from tests.real.databases import PrivatePostgres, PrivateRedis, PrivateSentinel
from tests.real.dovecot import PrivateDovecot
from tests.real.nameserver import PrivateDNS
from tests.real.postfix import PrivatePostfix, body, undelivered
from tests.real.smtp import Client, Envelope, Reply, Sent, Session, crlf, send, send_many
from tests.real.support import HarnessError, free_port, wait_until

__all__ = [
    "Client",
    "Envelope",
    "HarnessError",
    "PrivateDNS",
    "PrivateDovecot",
    "PrivatePostfix",
    "PrivatePostgres",
    "PrivateRedis",
    "PrivateSentinel",
    "Reply",
    "Sent",
    "Session",
    "TamisDaemon",
    "body",
    "crlf",
    "free_port",
    "send",
    "send_many",
    "undelivered",
    "wait_until",
]
