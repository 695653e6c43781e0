"""`tamis setup` on a Postfix that has settings of its own: what it changes, and that all of it can be taken back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from tamis.cli import main
from tamis.installation.postfix_changes import PostfixFiles
from tamis.services.postfix.desk_queue import DeskQueue, desk_queue
from tamis.services.postfix.listeners import pairs, postconf
from tamis.settings import Settings, SettingsFile
from tests.real import PrivatePostfix, TamisDaemon, wait_until
from tests.real.smtp import send
from tests.real.support import private_directory

pytestmark = pytest.mark.real

SETTINGS = """\
# ours
state_directory = "{folder}/state"  # here
run_directory = "{folder}/run"

[postfix]
config_directory = "{folder}/postfix"
{more}
"""
SOCKETS = """
[milter]
socket = "unix:{folder}/queue/tamis/milter"
[desk]
socket = "unix:{folder}/queue/tamis/desk"
"""
PORTS = """
[milter]
socket = "inet:127.0.0.1:8895"
[desk]
socket = "inet:127.0.0.1:8896"
reinject = "127.0.0.1:8899"
"""
MAIN = """\
# Our own Postfix.
queue_directory = {folder}/queue
myhostname = mx.example.com
mydestination = $myhostname, localhost, example.com
virtual_mailbox_domains = example.org, hash:/etc/postfix/domains

# several lines
transport_maps = inline:{{ {{lists.example.com = discard:}} }}
smtpd_milters =
    inet:127.0.0.1:11332
    { inet:127.0.0.1:8891, default_action=accept }
smtpd_discard_ehlo_keywords = chunking
smtpd_recipient_limit = 50
"""
MASTER = """\
# our services
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
    -o smtpd_sasl_auth_enable=yes
"""


class Host:
    """A folder with a Postfix's configuration that does not run, and Tamis's settings."""

    def __init__(self, folder: Path, *, main: str = MAIN, sockets: str = SOCKETS) -> None:
        self.folder = folder
        self.config = folder / "tamis.toml"
        self.postfix = folder / "postfix"
        for name in ("postfix", "state", "run", "queue"):
            (folder / name).mkdir()
        self.config.write_text(SETTINGS.format(folder=folder, more=sockets.format(folder=folder)))
        (self.postfix / "main.cf").write_text(
            main.replace("{folder}", str(folder)).replace("{{", "{").replace("}}", "}")
        )
        (self.postfix / "master.cf").write_text(MASTER)
        self.settle()

    def setup(self, *arguments: str, code: int = 0) -> str:
        """What the command prints; the daemon does not run, which it says last."""
        command = ["--config", str(self.config), "setup", "--no-dovecot", *arguments]
        said = StringIO()
        with pytest.raises(SystemExit) as ended, redirect_stdout(said), redirect_stderr(said):
            main(command)
        assert (ended.value.code or 0) == code, said.getvalue()
        self.settle()
        return said.getvalue()

    def settle(self) -> None:
        """Date the files back: postconf waits two seconds for one that was just written."""
        for path in self.postfix.iterdir():
            os.utime(path, (0, 0))

    def change(self, name: str, value: str) -> None:
        """As an administrator does."""
        postconf(self.postfix, "-e", f"{name} = {value}")
        self.settle()

    def values(self) -> dict[str, str]:
        """What main.cf says."""
        return pairs(postconf(self.postfix, "-n"))

    def services(self) -> str:
        return postconf(self.postfix, "-M")

    def files(self) -> dict[str, bytes]:
        """All that may change."""
        return {one.name: one.read_bytes() for one in (self.config, *sorted(self.postfix.iterdir()))}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_everything_that_was_there_stays(host: Host) -> None:
    host.setup("--yes", "--url", "https://mail.example.com", "--dns", "192.0.2.53:53", code=os.EX_UNAVAILABLE)
    values = host.values()
    assert values["smtpd_milters"].startswith("unix:tamis/milter, inet:127.0.0.1:11332")
    assert "{ inet:127.0.0.1:8891, default_action=accept }" in values["smtpd_milters"]
    assert values["transport_maps"].endswith("inline:{ {lists.example.com = discard:} }")
    assert ".tamis.invalid = tamis:unix:tamis/desk" in values["transport_maps"]
    assert values["smtpd_discard_ehlo_keywords"] == "chunking, silent-discard, dsn"
    assert values["smtpd_recipient_limit"] == "50"
    assert postconf(host.postfix, "-h", "milter_default_action") == "tempfail\n"
    assert set(values["milter_connect_macros"].split()) >= {"j", "v", "_", "{client_addr}", "{daemon_port}"}
    main = (host.postfix / "main.cf").read_text()
    assert main.startswith("# Our own Postfix.\n")
    services = host.services()
    assert re.search(r"(?m)^tamis +unix .* lmtp -o lmtp_line_length_limit=0", services)
    assert re.search(r"(?m)^127\.0\.0\.1:8897 +inet .* smtpd", services)
    assert re.search(r"(?m)^tamis-cleanup +unix .* cleanup", services)
    submission = pairs(postconf(host.postfix, "-P"))
    assert submission["submission/inet/smtpd_discard_ehlo_keywords"] == ""
    assert submission["submission/inet/smtpd_sasl_auth_enable"] == "yes"
    assert "submission/inet/smtpd_recipient_limit" not in submission, "the limit of main.cf did not change"
    text = host.config.read_text()
    assert text.startswith('# ours\nstate_directory = "')
    assert "  # here\n" in text
    told = tomllib.loads(text)
    assert told["platform"]["domains"] == ["mx.example.com", "example.com", "example.org"]
    assert (told["web"]["url"], told["dns"]["servers"]) == ("https://mail.example.com", ["192.0.2.53:53"])


def test_a_second_run_finds_nothing_to_do(host: Host) -> None:
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    before = host.files()
    assert "nothing to change" in host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    assert host.files() == before


def test_it_can_be_taken_back_octet_for_octet(host: Host) -> None:
    before = host.files()
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    host.setup("--yes", "--url", "https://mail.example.com", code=os.EX_UNAVAILABLE)
    assert host.files() != before
    assert "taken back" in host.setup("--undo", "--yes")
    assert host.files() == before
    assert not (host.folder / "setup.json").exists()
    assert "nothing to take back" in host.setup("--undo", "--yes")


def test_settings_can_stay(host: Host) -> None:
    before = host.files()
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    with_domain = host.config.read_bytes()
    host.setup("--undo", "--yes", "--keep-settings")
    assert host.files() == before | {"tamis.toml": with_domain}


def test_of_a_file_that_was_changed_since_only_our_lines_go(host: Host) -> None:
    before = host.values(), host.services(), pairs(postconf(host.postfix, "-P"))
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    host.change("smtpd_milters", f"{host.values()['smtpd_milters']}, inet:127.0.0.1:9999")
    host.change("transport_maps", f"{host.values()['transport_maps']}, hash:/etc/postfix/more")
    host.change("relayhost", "[mail.example.net]")
    host.change("smtpd_recipient_limit", "40")
    host.setup("--undo", "--yes")
    values, services, overrides = before
    assert host.values() == values | {
        "smtpd_milters": "inet:127.0.0.1:11332, { inet:127.0.0.1:8891, default_action=accept }, inet:127.0.0.1:9999",
        "transport_maps": f"{values['transport_maps']}, hash:/etc/postfix/more",
        "relayhost": "[mail.example.net]",
        "smtpd_recipient_limit": "40",
    }
    assert (host.services(), pairs(postconf(host.postfix, "-P"))) == (services, overrides)


def test_nothing_is_left_where_nothing_was(tmp_path: Path) -> None:
    """Also in a file that somebody has changed since."""
    host = Host(tmp_path, main="queue_directory = {folder}/queue\nmyhostname = mx.example.com\n")
    before = host.values()
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    host.change("relayhost", "[mail.example.net]")
    host.setup("--undo", "--yes")
    assert host.values() == before | {"relayhost": "[mail.example.net]"}


def test_nothing_is_written_without_a_yes(host: Host) -> None:
    before = host.files()
    told = host.setup("--dry-run", "--domain", "example.com")
    assert "+smtpd_milters = unix:tamis/milter" in told
    assert "nothing was changed" in told
    assert "there is nobody to ask" in host.setup("--domain", "example.com", code=os.EX_USAGE)
    assert host.files() == before


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (("--domain", "marie@example.com"), os.EX_USAGE),
        (("--url", "ftp://x"), os.EX_CONFIG),
        (("--dns", "resolver"), os.EX_CONFIG),
    ],
)
def test_a_wrong_answer_is_refused_before_anything_changes(
    host: Host, wrong: tuple[str, str], code: int
) -> None:
    before = host.files()
    assert wrong[1] in host.setup("--yes", *wrong, code=code)
    assert host.files() == before


def test_what_postfix_does_not_take_is_taken_back(tmp_path: Path) -> None:
    host = Host(tmp_path, main=f"{MAIN}\nmail_owner = nobody-of-that-name\n")
    before = host.files()
    told = host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    assert "all changes were taken back" in told
    assert host.files() == before


def test_ports_of_the_settings_are_what_postfix_is_told(tmp_path: Path) -> None:
    host = Host(tmp_path, sockets=PORTS)
    host.setup("--yes", "--domain", "example.com", code=os.EX_UNAVAILABLE)
    values = host.values()
    assert values["smtpd_milters"].startswith("inet:127.0.0.1:8895, ")
    assert "{.tamis.invalid = tamis:[127.0.0.1]:8896}" in values["transport_maps"]
    assert re.search(r"(?m)^127\.0\.0\.1:8899 +inet", host.services())


NOBODYS = f"marie@example.com.{'a' * 20}.{'b' * 20}.quarantine.tamis.invalid"
"""An address as the milter makes them, which the desk has not signed: such a copy stays in the queue."""


def settings_of(daemon: TamisDaemon) -> Settings:
    return SettingsFile(daemon.config, daemon.config.read_text()).settings


@pytest.fixture(scope="module")
def bare() -> Iterator[tuple[PrivatePostfix, TamisDaemon]]:
    """A Postfix that does not know Tamis, and a daemon that nobody hands mail to."""
    folder = private_directory("setup")
    with PrivatePostfix(milter=None) as postfix:
        for name in ("main.cf", "master.cf"):
            path = postfix.config_directory / name
            path.write_text(path.read_text().partition("# Tamis behind Postfix")[0])
        settings = {
            "postfix": {"config_directory": str(postfix.config_directory)},
            "desk": {"reinject": f"127.0.0.1:{postfix.reinjection_port}"},
        }
        with TamisDaemon(settings, directory=folder) as daemon:
            yield postfix, daemon


def test_it_ends_with_a_message_through_postfix(bare: tuple[PrivatePostfix, TamisDaemon]) -> None:
    """And the way back lets no copy bounce that Postfix has already redirected."""
    postfix, daemon = bare
    files = [daemon.config, *(postfix.config_directory / name for name in ("main.cf", "master.cf"))]
    before = [one.read_bytes() for one in files]
    command = [
        sys.executable,
        "-m",
        "tamis.cli",
        "--config",
        str(daemon.config),
        "setup",
        "--no-dovecot",
        "--yes",
    ]
    options = ["--domain", "example.com", "--to", "inbox@example.com", "--smtp", f"127.0.0.1:{postfix.port}"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert "inbox@example.com: quarantine (test_string: " in done.stdout, done.stdout + done.stderr
    assert "all mail goes through Tamis" in done.stdout
    send(postfix.reinjection_port, b"Subject: x\r\n\r\nx\r\n", sender="", to=NOBODYS)
    wait_until(lambda: bool(PostfixFiles(settings_of(daemon)).queued()), timeout=30, what="a copy that waits")
    assert desk_queue(settings_of(daemon).postfix.config_directory) == DeskQueue(1, True)
    refused = subprocess.run([*command, "--undo", "--wait", "0"], capture_output=True, text=True, check=False)
    assert refused.returncode == os.EX_TEMPFAIL, refused.stdout + refused.stderr
    assert "copies for Tamis wait in Postfix's queue" in refused.stderr
    assert postfix.parameter("smtpd_milters") == ""
    assert ".tamis.invalid" in postfix.parameter("transport_maps"), "their way stays"
    subprocess.run(
        ["postsuper", "-c", str(postfix.config_directory), "-d", "ALL"], check=True, capture_output=True
    )
    undone = subprocess.run([*command, "--undo"], capture_output=True, text=True, check=False)
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert [one.read_bytes() for one in files] == before
    assert postfix.bounces() == []
