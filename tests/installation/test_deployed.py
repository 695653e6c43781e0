"""What deploy/ names agrees with the defaults: the sockets of systemd and of Postfix, and what the unit does."""

from __future__ import annotations

import os
from configparser import ConfigParser
from pathlib import Path

import pytest

from tamis.settings import Settings, SettingsFile
from tests.real.support import REPOSITORY

QUEUE = "/var/spool/postfix"
SYSTEMD = REPOSITORY / "deploy" / "systemd"


def unit(name: str) -> ConfigParser:
    read = ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys have case
    read.read(SYSTEMD / name)
    return read


@pytest.mark.parametrize(("name", "file"), [("milter", "tamis.socket"), ("desk", "tamis-desk.socket")])
def test_systemd_makes_the_sockets_of_the_defaults(name: str, file: str) -> None:
    made = unit(file)["Socket"]
    settings = Settings()
    assert f"unix:{made['ListenStream']}" == getattr(settings, name).socket
    assert (made["FileDescriptorName"], made["SocketGroup"]) == (name, settings.milter.socket_group)
    assert made["SocketMode"] == settings.milter.socket_mode
    assert made["Service"] == "tamis.service"


def test_postfix_names_the_sockets_of_the_defaults() -> None:
    """Relative to its queue directory, for a chroot."""
    text = (REPOSITORY / "deploy" / "postfix" / "main.cf").read_text(encoding="utf-8")
    settings = Settings()
    milter, desk = (one.socket.replace(f"{QUEUE}/", "") for one in (settings.milter, settings.desk))
    assert f"\nsmtpd_milters = {milter}\n" in text
    assert f"{{.tamis.invalid = tamis:{desk}}}" in text


def test_a_wrong_setting_is_no_reason_to_start_again() -> None:
    service = unit("tamis.service")["Service"]
    assert int(service["RestartPreventExitStatus"]) == os.EX_CONFIG
    assert service["SupplementaryGroups"] == "postfix"


@pytest.mark.parametrize(
    ("main", "settings", "milter", "desk"),
    [
        ("", "", "unix", "unix"),
        ("smtpd_milters = inet:127.0.0.1:8895\n", "", "inet", "unix"),
        ("smtpd_milters = inet:localhost:8895\n", "", "inet", "unix"),
        ("# smtpd_milters = inet:127.0.0.1:8895\n", "", "unix", "unix"),
        ("smtpd_milters = inet:127.0.0.1:88951\n", "", "unix", "unix"),
        ("transport_maps = inline:{ {.tamis.invalid = tamis:[127.0.0.1]:8896} }\n", "", "unix", "inet"),
        (
            "smtpd_milters = inet:127.0.0.1:8895\n",
            '[milter]\nsocket = "unix:/run/milter"\n[desk]\nsocket = "inet:127.0.0.1:9"\n',
            "unix",
            "inet",
        ),
    ],
)
def test_a_port_that_postfix_still_names_outlives_an_upgrade(
    tmp_path: Path, main: str, settings: str, milter: str, desk: str
) -> None:
    (tmp_path / "main.cf").write_text(main)
    file = SettingsFile(None, f'[postfix]\nconfig_directory = "{tmp_path}"\n{settings}')
    found = (file.settings.milter.socket, file.settings.desk.socket)
    assert [one.partition(":")[0] for one in found] == [milter, desk]
