"""A private Dovecot: LMTP and IMAP on loopback ports, filing with deploy/dovecot as it stands.

Its own configuration is there in both forms, as deploy/dovecot is: 2.4's and 2.3's.
"""

from __future__ import annotations

import imaplib
import re
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from tamis.installation.dovecot_files import form
from tests.real.support import (
    LOOPBACK,
    REPOSITORY,
    PrivateServer,
    find_program,
    free_port,
    own,
    read_line,
    read_text,
    run,
    tail,
)

DEPLOYED = REPOSITORY / "deploy" / "dovecot"
PASSWORD = "secret"  # of every user of a private Dovecot

_DEPLOYED_SCRIPT = "/etc/dovecot/sieve/tamis.sieve"
_DEPLOYED_SIEVE = "/etc/dovecot/sieve/"
_DEPLOYED_PROGRAMS = "/usr/local/lib/tamis"
_DEPLOYED_SPOOL = "/var/spool/tamis"


class PrivateDovecot(PrivateServer):
    """A Dovecot in which every address has a mailbox; `tamis.sieve` files junk into Junk.

    With `learning`, moves into and out of Junk are reported into `spool`. With `tls`, IMAP is on `imaps_port`, too,
    with `certificate`, and on `imap_port` after STARTTLS. `lines` of configuration are read before those of
    deploy/dovecot. The users that doveadm can list are `users`.
    """

    def __init__(
        self, *, learning: bool = False, tls: bool = False, lines: str = "", users: Sequence[str] = ()
    ) -> None:
        super().__init__("Dovecot", "dovecot")
        self.form = dovecot_form()
        self._learning = learning
        self._tls = tls
        self._lines = lines
        self._users = users
        self.imaps_port = free_port() if tls else 0
        self.lmtp_port = free_port()
        self.imap_port = free_port()
        self.spool = self.directory / "spool"
        self.certificate = self.directory / "certificate.pem"

    @property
    def doveadm(self) -> list[str]:
        """Its administrator's tool."""
        return [str(find_program("doveadm")), "-c", str(self._configuration)]

    @property
    def transport(self) -> str:
        """What Postfix's virtual_transport is set to for deliveries to this Dovecot."""
        return f"lmtp:inet:{LOOPBACK}:{self.lmtp_port}"

    def start(self) -> None:
        """Start (again) and wait for the banners of LMTP and IMAP."""
        self._server.start([find_program("dovecot"), "-F", "-c", self._configuration])
        self._server.await_ready(self._greets, timeout=30, log=self.log)

    def mailbox(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """The messages in a folder, oldest first, read over IMAP as a mail program does."""
        connection = self._log_in(user)
        try:
            status, _ = connection.select(f'"{folder}"', readonly=True)
            assert status == "OK", f"{user} has no folder {folder}"
            _, numbers = connection.search(None, "ALL")
            return [self._fetch(connection, number.decode("ascii")) for number in numbers[0].split()]
        finally:
            connection.logout()

    def move(self, user: str, origin: str, target: str, number: int = 1) -> None:
        """Move a message to another folder, as a mail program without MOVE does."""
        connection = self._log_in(user)
        try:
            status, _ = connection.select(f'"{origin}"')
            assert status == "OK", f"{user} has no folder {origin}"
            status, said = connection.copy(str(number), f'"{target}"')
            assert status == "OK", said
            connection.store(str(number), "+FLAGS", r"(\Deleted)")
            connection.expunge()
        finally:
            connection.logout()

    def folders(self, user: str) -> list[str]:
        """The lines of IMAP's LIST: each folder with its attributes (\\Junk ...)."""
        connection = self._log_in(user)
        try:
            _, lines = connection.list()
            return [line.decode("utf-8") for line in lines if isinstance(line, bytes)]
        finally:
            connection.logout()

    def log(self) -> str:
        """The end of Dovecot's log."""
        return tail(read_text(self.directory / "dovecot.log") + self._server.text())

    @property
    def _configuration(self) -> Path:
        return self.directory / "dovecot.conf"

    def _greets(self) -> bool:
        return read_line(self.lmtp_port).startswith(b"220 ") and read_line(self.imap_port).startswith(
            b"* OK "
        )

    def _log_in(self, user: str) -> imaplib.IMAP4:
        connection = imaplib.IMAP4(LOOPBACK, self.imap_port, timeout=30)
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.login(user, PASSWORD)
        return connection

    @staticmethod
    def _fetch(connection: imaplib.IMAP4, number: str) -> bytes:
        _, parts = connection.fetch(number, "(BODY.PEEK[])")
        first = parts[0]
        assert isinstance(first, tuple)
        return bytes(first[1])

    def prepare(self) -> None:
        """Write the configuration."""
        mail = self.directory / "mail"
        mail.mkdir()
        own(mail, "nobody")
        sieve = self.directory / "sieve"
        sieve.mkdir()
        script = sieve / "tamis.sieve"
        shutil.copy(DEPLOYED / "tamis.sieve", script)
        deployed, places = re.subn(re.escape(_DEPLOYED_SCRIPT), str(script), deployed_lines("99-tamis.conf"))
        assert places == 1, f"99-tamis.conf names {_DEPLOYED_SCRIPT} {places} times, not once"
        own_lines = _CONFIGURATIONS[self.form].format(
            directory=self.directory,
            host=LOOPBACK,
            lmtp=self.lmtp_port,
            imap=self.imap_port,
            password=PASSWORD,
            imaps=self.imaps_port,
            ssl="yes" if self._tls else "no",
        )
        if self._tls:
            own_lines += self._certified()
        if self._learning:
            deployed += self._learning_configuration(sieve)
        if self._users:
            known = "".join(f"{user}:{{PLAIN}}{PASSWORD}::::::\n" for user in self._users)
            (self.directory / "users").write_text(known, encoding="utf-8")
            own_lines += _LISTED[self.form].format(directory=self.directory)
        self._configuration.write_text(own_lines + self._lines + deployed, encoding="utf-8")
        # As deploy/dovecot tells the administrator to: Dovecot itself may not write beside the script.
        for one in sorted(sieve.glob("*.sieve")):
            run([find_program("sievec"), "-c", self._configuration, one])

    def append(self, user: str, message: bytes, folder: str = "INBOX") -> None:
        """Put a message into a folder, as it is."""
        connection = self._log_in(user)
        try:
            status, said = connection.append(f'"{folder}"', "", "", message)
            assert status == "OK", said
        finally:
            connection.logout()

    def _certified(self) -> str:
        """A certificate for this machine, signed by itself, and the lines that name it."""
        key = self.directory / "key.pem"
        name = f"/CN={LOOPBACK}"
        request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", name]
        names = ["-addext", f"subjectAltName=IP:{LOOPBACK}"]
        run([find_program("openssl"), *request, *names, "-keyout", key, "-out", self.certificate])
        return _CERTIFIED[self.form].format(certificate=self.certificate, key=key)

    def _learning_configuration(self, sieve: Path) -> str:
        """deploy/dovecot's learning part, with its places below this server's directory."""
        self.spool.mkdir()
        own(self.spool, "nobody")
        for name in ("tamis-spam.sieve", "tamis-ham.sieve"):
            shutil.copy(DEPLOYED / name, sieve / name)
        programs = self.directory / "programs"
        programs.mkdir()
        report = (DEPLOYED / "tamis-report").read_text(encoding="utf-8")
        assert report.count(_DEPLOYED_SPOOL) == 1
        script = programs / "tamis-report"
        script.write_text(report.replace(_DEPLOYED_SPOOL, str(self.spool)), encoding="utf-8")
        script.chmod(0o755)
        lines = deployed_lines("99-tamis-learn.conf")
        assert (lines.count(_DEPLOYED_SIEVE), lines.count(_DEPLOYED_PROGRAMS)) == (2, 1)
        return lines.replace(_DEPLOYED_SIEVE, f"{sieve}/").replace(_DEPLOYED_PROGRAMS, str(programs))


def dovecot_form() -> str:
    """The form of configuration that the installed Dovecot reads."""
    return form(run([find_program("dovecot"), "--version"]))


def deployed_lines(name: str) -> str:
    """A file of deploy/dovecot in that form."""
    return (DEPLOYED / dovecot_form() / name).read_text(encoding="utf-8")


def inet_listener(name: str, host: str, port: int) -> str:
    """A listener within a service."""
    address = {"2.3": "address", "2.4": "listen"}[dovecot_form()]
    return f"  inet_listener {name} {{\n    {address} = {host}\n    port = {port}\n  }}\n"


_LISTED = {
    "2.3": """\
userdb {{
  driver = passwd-file
  args = {directory}/users
  default_fields = uid=nobody gid=nogroup home={directory}/mail/%d/%n
}}
""",
    "2.4": """\
userdb passwd-file {{
  passwd_file_path = {directory}/users
  fields {{
    uid = nobody
    gid = nogroup
    home = {directory}/mail/%{{user|domain}}/%{{user|username}}
  }}
}}
""",
}
_CERTIFIED = {
    "2.3": "ssl_cert = <{certificate}\nssl_key = <{key}\n",
    "2.4": "ssl_server_cert_file = {certificate}\nssl_server_key_file = {key}\n",
}
_SERVICES = """\
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
namespace inbox {{
  inbox = yes
  mailbox Trash {{
    auto = create
  }}
}}
"""
_CONFIGURATIONS = {
    "2.3": """\
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = tamis-tests
log_path = {directory}/dovecot.log
protocols = lmtp imap
listen = {host}
ssl = {ssl}
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:~/Maildir
mail_fsync = never
lmtp_save_to_detail_mailbox = no
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={directory}/mail/%d/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = {host}
    port = {lmtp}
  }}
}}
"""
    + _SERVICES,
    "2.4": """\
dovecot_config_version = 2.4.0
dovecot_storage_version = 2.4.0
base_dir = {directory}/run
state_dir = {directory}/state
instance_name = tamis-tests
log_path = {directory}/dovecot.log
protocols = lmtp imap
listen = {host}
ssl = {ssl}
auth_allow_cleartext = yes
auth_mechanisms = plain
first_valid_uid = 1
mail_driver = maildir
mail_path = ~/Maildir
mail_fsync = never
lmtp_save_to_detail_mailbox = no
passdb static {{
  password = {password}
}}
userdb static {{
  allow_all_users = yes
  fields {{
    uid = nobody
    gid = nogroup
    home = {directory}/mail/%{{user|domain}}/%{{user|username}}
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    listen = {host}
    port = {lmtp}
  }}
}}
"""
    + _SERVICES,
}
