"""`tamis doctor` on Postfix: each way in which mail could come in unseen, as postconf reads it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tamis.cli.checks import CheckResult, Health
from tamis.cli.doctor_postfix import postfix_checks
from tamis.services.postfix.listeners import Listener, foreign_ports, listeners, milters, pairs
from tamis.settings import Settings
from tests.real.postfix_config import DEPLOYED

pytestmark = pytest.mark.real

PUBLIC = "smtp inet n - n - - smtpd"


MAIN = "compatibility_level = 3.7\nmyhostname = mx.example.com\nalias_maps =\n"


def write(path: Path, text: str) -> None:
    """A file that is not of this moment: Postfix waits a second or two with one that may still be written."""
    path.write_text(text, encoding="utf-8")
    os.utime(path, (path.stat().st_mtime - 10,) * 2)


def examined(folder: Path, *, main: str = "", master: str = PUBLIC) -> dict[str, CheckResult]:
    """What doctor says of a Postfix with the deployed lines and these, by check."""
    deployed = (DEPLOYED / "main.cf").read_text(encoding="utf-8")
    write(folder / "main.cf", f"{MAIN}queue_directory = {folder}\n{deployed}\n{main}\n")
    write(folder / "master.cf", f"{master}\n{(DEPLOYED / 'master.cf').read_text(encoding='utf-8')}\n")
    return looked_at(folder)


def looked_at(folder: Path) -> dict[str, CheckResult]:
    """What doctor says of the configuration there, by check."""
    places = {name: {"socket": f"unix:{folder}/tamis/{name}"} for name in ("milter", "desk")}
    settings = Settings.model_validate({"postfix": {"config_directory": folder}, **places})
    return {one.check: one for one in postfix_checks(settings)}


def test_the_deployed_lines_are_right(tmp_path: Path) -> None:
    found = examined(tmp_path)
    assert {one.health for one in found.values()} == {Health.OK}
    assert set(found) == {
        "smtp/inet",
        "127.0.0.1:8897/inet",
        "transport of .tamis.invalid",
        "default_delivery_status_filter",
        "alias maps",
    }


@pytest.mark.parametrize(
    ("main", "master", "said"),
    [
        ("", f"{PUBLIC}\n -o smtpd_milters=", "does not go through Tamis"),
        (
            "",
            f"{PUBLIC}\n -o {{ smtpd_milters = inet:127.0.0.1:1, inet:127.0.0.1:2 }}",
            "does not go through",
        ),
        ("smtpd_milters = inet:127.0.0.1:1", PUBLIC, "does not go through Tamis"),
        ("", f"{PUBLIC}\n -o receive_override_options=no_milters", "does not go through Tamis"),
        ("", "smtp inet n - n - 1 postscreen\nsmtpd pass - - n - - smtpd -o smtpd_milters=", "does not go"),
        ("", "203.0.113.7:25 inet n - n - - smtpd -o smtpd_milters=", "does not go through Tamis"),
        ("", f"{PUBLIC}\n -o smtpd_proxy_filter=127.0.0.1:10026", "no content"),
        ("smtpd_proxy_filter = 127.0.0.1:10026", PUBLIC, "no content"),
        ("", f"{PUBLIC}\n -o milter_default_action=accept", "would pass unfiltered"),
        ("milter_default_action = quarantine", PUBLIC, "would pass unfiltered"),
        (
            "smtpd_milters = { unix:tamis/milter, default_action=accept }",
            PUBLIC,
            "would pass unfiltered",
        ),
        ("", f"{PUBLIC}\n -o milter_content_timeout=10s", "milter_content_timeout = 10 s"),
        ("milter_mail_macros = i {mail_addr}", PUBLIC, "milter_mail_macros lacks {auth_authen}"),
        ("", f"{PUBLIC}\n -o milter_connect_macros=j", "lacks {client_addr} {client_name}"),
        ("milter_rcpt_macros = i", PUBLIC, "milter_rcpt_macros lacks {rcpt_addr}"),
        ("smtpd_milter_maps = cidr:{ {0.0.0.0/0 DISABLE} }", PUBLIC, "strangers get DISABLE"),
        ("", f"{PUBLIC}\n -o {{ smtpd_milter_maps = cidr:{{ {{::/0 DISABLE}} }} }}", "strangers get DISABLE"),
        ("smtpd_milter_maps = hash:/nonexistent", PUBLIC, "/nonexistent"),
    ],
)
def test_what_lets_mail_pass_unseen_is_an_error(tmp_path: Path, main: str, master: str, said: str) -> None:
    wrong = [
        one for one in examined(tmp_path, main=main, master=master).values() if one.health is Health.ERROR
    ]
    assert wrong
    assert all(said in one.found and one.mend for one in wrong)


def test_submission_and_the_way_back_of_a_filter_are_warnings(tmp_path: Path) -> None:
    found = examined(
        tmp_path,
        master=f"{PUBLIC}\nsubmission inet n - n - - smtpd -o smtpd_milters=\n"
        "127.0.0.1:10025 inet n - n - - smtpd -o smtpd_milters=\n",
    )
    assert found["submission/inet"].health is found["127.0.0.1:10025/inet"].health is Health.WARNING


def test_a_chroot_that_does_not_see_the_socket_is_an_error(tmp_path: Path) -> None:
    """Debian's smtpd runs in one: there the whole path leads nowhere, and all mail would be deferred."""
    debian = "smtp inet n - y - - smtpd"
    assert examined(tmp_path, master=debian)["smtp/inet"].health is Health.OK
    found = examined(tmp_path, main=f"smtpd_milters = unix:{tmp_path}/tamis/milter", master=debian)[
        "smtp/inet"
    ]
    assert (found.health, "chroot" in found.found) == (Health.ERROR, True)
    assert found.mend == "smtpd_milters = unix:tamis/milter"
    outside = Settings.model_validate(
        {"postfix": {"config_directory": tmp_path}, "milter": {"socket": "unix:/run/tamis/milter"}}
    )
    write(
        tmp_path / "main.cf", f"{MAIN}queue_directory = {tmp_path}\nsmtpd_milters = unix:/run/tamis/milter\n"
    )
    told = {one.check: one for one in postfix_checks(outside)}["smtp/inet"]
    assert (told.health, "chroot" in told.found) == (Health.ERROR, True)
    assert f"unix:{tmp_path}/tamis/milter" in told.mend


def test_ports_of_other_instances(tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    write(second / "main.cf", MAIN)
    services = (
        "smtp inet n - n - 1 postscreen",
        "127.0.0.2:2525 inet n - n - - smtpd",
        "587 inet n - n - - qmqpd",
    )
    write(second / "master.cf", "\n".join(services) + "\n")
    examined(tmp_path, main=f"multi_instance_directories = {second}", master="2525 inet n - n - - smtpd")
    assert foreign_ports(tmp_path) == {"25"}
    assert foreign_ports(second) == frozenset()


def test_clients_that_are_excepted_are_a_warning(tmp_path: Path) -> None:
    found = examined(tmp_path, main="smtpd_milter_maps = inline:{ 192.168.7.7=DISABLE }")["smtp/inet"]
    assert (found.health, "does not go through Tamis" in found.found) == (Health.WARNING, True)


def test_success_notices_for_strangers_are_a_warning(tmp_path: Path) -> None:
    found = examined(tmp_path, main="smtpd_discard_ehlo_keywords =")
    assert found["smtp/inet"].health is Health.WARNING
    assert "NOTIFY=SUCCESS" in found["smtp/inet"].found


def test_an_alias_map_that_can_not_be_asked_is_a_warning(tmp_path: Path) -> None:
    found = examined(tmp_path, main="virtual_alias_maps = mysql:/nonexistent.cf")["alias maps"]
    assert found.health is Health.WARNING
    assert "mysql:/nonexistent.cf" in found.found


def test_a_second_instance_is_looked_at(tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    write(second / "main.cf", f"{MAIN}")
    write(second / "master.cf", f"{PUBLIC}\n")
    found = examined(tmp_path, main=f"multi_instance_directories = {second}")
    assert found[f"{second}: smtp/inet"].health is Health.ERROR


def test_a_second_instance_with_the_milter_needs_the_transport(tmp_path: Path) -> None:
    second = tmp_path / "second"
    second.mkdir()
    write(
        second / "main.cf",
        f"{MAIN}smtpd_milters = unix:{tmp_path}/tamis/milter\nmilter_default_action = tempfail\n",
    )
    write(second / "master.cf", f"{PUBLIC}\n")
    found = examined(tmp_path, main=f"multi_instance_directories = {second}")
    assert found[f"{second}: transport of .tamis.invalid"].health is Health.ERROR


def test_the_way_back_from_the_desk_must_not_run_the_milter(tmp_path: Path) -> None:
    found = examined(tmp_path)
    text = (tmp_path / "master.cf").read_text(encoding="utf-8")
    write(tmp_path / "master.cf", text.replace("    -o smtpd_milters=\n", ""))
    again = looked_at(tmp_path)
    assert found["127.0.0.1:8897/inet"].health is Health.OK
    assert again["127.0.0.1:8897/inet"].health is Health.ERROR


def test_names_in_values_are_expanded(tmp_path: Path) -> None:
    found = examined(tmp_path, main="mine = unix:tamis/milter", master=f"{PUBLIC}\n -o smtpd_milters=$mine")
    assert found["smtp/inet"].health is Health.OK


def test_milters_of_a_list() -> None:
    entries = milters("inet:a:1, { unix:/x y, connect_timeout=5s,default_action = accept } unix:z")
    assert [one.socket for one in entries] == ["inet:a:1", "unix:/x", "unix:z"]
    assert entries[1].settings["connect_timeout"] == "5s"


def test_what_is_no_service_is_passed_over() -> None:
    assert list(listeners("nonsense\n\nsmtp inet n - n - - qmqpd\n", {}, {})) == []
    assert pairs("a = b\n= c\n\n") == {"a": "b"}


@pytest.mark.parametrize(
    ("name", "local"), [("smtp", False), ("127.0.0.1:25", True), ("[::1]:25", True), ("192.0.2.1:25", False)]
)
def test_who_can_connect(name: str, local: bool) -> None:
    assert Listener(name, "inet", {}).is_local is local
