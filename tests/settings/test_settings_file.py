"""The settings file: where it is found, what it may hold, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tamis.base.errors import ConfigError
from tamis.message.envelope import parse_ip
from tamis.settings import ENVIRONMENT, Platform, Settings, SettingsFile, SocketAddress, read_settings


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No settings file of this machine's; the default place is below the test's directory."""
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    place = tmp_path / "etc" / "tamis.toml"
    monkeypatch.setattr("tamis.settings.settings_file.DEFAULT_FILE", place)
    monkeypatch.setattr("tamis.settings.settings_file.TRIAL_FILE", tmp_path / "var" / "tamis.toml")
    return place


def test_without_a_file_the_defaults_hold() -> None:
    file = read_settings()
    assert (file.source, file.path, file.settings) == ("defaults", None, Settings())


def test_named_file_then_environment_then_default_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_installed: Path
) -> None:
    nothing_installed.parent.mkdir()
    paths = {"default": nothing_installed, "variable": tmp_path / "variable", "named": tmp_path / "named"}
    for name, path in paths.items():
        path.write_text(f'[headers]\nprefix = "X-{name}-"\n')
    assert read_settings().settings.headers.prefix == "X-default-"
    monkeypatch.setenv(ENVIRONMENT, str(paths["variable"]))
    assert read_settings().settings.headers.prefix == "X-variable-"
    assert read_settings(paths["named"]).settings.headers.prefix == "X-named-"


@pytest.mark.parametrize("by_variable", [True, False])
def test_a_named_file_must_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    missing = tmp_path / "missing.toml"
    if by_variable:
        monkeypatch.setenv(ENVIRONMENT, str(missing))
    with pytest.raises(ConfigError, match=f"^{missing}: no such file$"):
        read_settings(None if by_variable else missing)


@pytest.mark.parametrize("content", [b"\xff\xfe", None])
def test_an_unreadable_file_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "tamis.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match="can't be read"):
        read_settings(path)


@pytest.mark.parametrize(
    ("text", "key", "says", "nearest"),
    [
        ("[milter", "", "no valid TOML", ""),
        ("a = 1\na = 2", "", "no valid TOML", ""),
        ("[millter]", "millter", "no such setting", "milter"),
        ("[polcy]", "polcy", "no such setting", "policy"),
        ("policy = 3", "policy", "must be a table", ""),
        ("[milter]\nworker = 3", "milter.worker", "no such setting", "workers"),
        ("[milter]\nworkers = 0", "milter.workers", "greater than or equal to 1", ""),
        ('[milter]\nworkers = "many"', "milter.workers", "valid integer", ""),
        ("[milter]\nmessage_deadline = 251", "milter.message_deadline", "less than or equal to 250", ""),
        ('[milter]\nsocket = "tcp:1"', "milter.socket", "must be unix:/PATH", ""),
        ('[milter]\nsocket_mode = "660"', "milter.socket_mode", "match pattern", ""),
        ('[desk]\nreinject = "localhost:10025"', "desk.reinject", "match pattern", ""),
        ('[web]\nurl = "mail.example.com"', "web.url", "must be http://HOST", ""),
        ('[web]\nurl = "https://a.example/?x"', "web.url", "must be http://HOST", ""),
        ('[web]\nurl = "https://é.example"', "web.url", "in ASCII", ""),
        ('[web]\nurl = "https://a.example/x y"', "web.url", "in ASCII", ""),
        ('[web]\nimap = "pop3://a.example"', "web.imap", "match pattern", ""),
        ('[web]\nlisten = "8898"', "web.listen", "must be unix:/PATH", ""),
        (
            '[web]\nadministrators = { "a@b.example" = "x" }',
            "web.administrators.a@b.example",
            "valid tuple",
            "",
        ),
        ('[log]\nlevel = "warn"', "log.level", "input should be", "warning"),
        ('[platform]\nnetworks = ["10.0.0.1/8"]', "platform.networks.0", "host bits set", ""),
        ('[headers]\nprefix = "Spam"', "headers.prefix", "match pattern", ""),
        ("milter = 5", "milter", "must be a table", ""),
        ('[milter]\n"Workers" = 3', "milter.Workers", "no such setting", "workers"),
    ],
)
def test_mistakes_are_named(text: str, key: str, says: str, nearest: str) -> None:
    with pytest.raises(ConfigError) as refused:
        SettingsFile(Path("/etc/tamis/tamis.toml"), text)
    error = refused.value
    assert (error.source, error.key, error.nearest) == ("/etc/tamis/tamis.toml", key, nearest)
    assert says in error.problem


@pytest.mark.parametrize(
    ("text", "shown", "host"),
    [
        ("unix:/run/tamis/milter", "unix:/run/tamis/milter", ""),
        ("local:/run/tamis/milter", "unix:/run/tamis/milter", ""),
        ("inet:127.0.0.1:8895", "inet:127.0.0.1:8895", "127.0.0.1"),
        ("inet::8895", "inet:127.0.0.1:8895", "127.0.0.1"),
        ("inet6:[::1]:8895", "inet:[::1]:8895", "::1"),
    ],
)
def test_sockets(text: str, shown: str, host: str) -> None:
    address = SocketAddress.parse(text)
    assert (str(address), address.host) == (shown, host)


@pytest.mark.parametrize(
    "text",
    [
        "unix:relative",
        "inet:localhost:1",
        "inet:127.0.0.1",
        "inet:127.0.0.1:0",
        "inet:127.0.0.1:65536",
        "tcp:1",
        "",
    ],
)
def test_no_sockets(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|does not appear"):
        SocketAddress.parse(text)


@pytest.mark.parametrize(
    ("ip", "own"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("IPv6:2001:db8::1", True),
        ("11.0.0.1", False),
        ("2001:db9::1", False),
        ("", False),
    ],
)
def test_own_networks(ip: str, own: bool) -> None:
    platform = Platform(networks=("10.0.0.0/8", "2001:db8::/32"))
    assert platform.is_own_network(parse_ip(ip)) is own


def test_places_that_follow_from_others() -> None:
    given = SettingsFile(None, 'state_directory = "/srv/tamis"').settings
    assert given.store_url == "sqlite:////srv/tamis/tamis.sqlite"
    assert given.key_file == Path("/srv/tamis/signing.key")
    assert SettingsFile(None, '[store]\nurl = "sqlite:///x"').settings.store_url == "sqlite:///x"


def test_domains_are_compared_in_one_spelling() -> None:
    given = SettingsFile(None, '[platform]\ndomains = ["Example.COM.", "bücher.example"]').settings
    assert given.platform.domains == ("example.com", "xn--bcher-kva.example")


def test_the_command_of_a_checkout_reads_what_run_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nothing_installed: Path
) -> None:
    nothing_installed.parent.mkdir()
    nothing_installed.write_text('run_directory = "/default"\n')
    made = tmp_path / "var" / "tamis.toml"
    assert read_settings().path == nothing_installed
    made.parent.mkdir()
    made.write_text('run_directory = "/made"\n')
    assert read_settings().path == made
    monkeypatch.setenv("TAMIS_CONFIG", str(nothing_installed))
    assert read_settings().path == nothing_installed
