"""The example of deploy/nginx as it stands, in a real nginx: names, ports and certificate are all that is changed."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.support import (
    LOOPBACK,
    REPOSITORY,
    Server,
    accepts_connections,
    find_program,
    free_port,
    run,
    tail,
)
from tests.web.pages import Pages

pytestmark = pytest.mark.real

_MAIN = """\
pid {folder}/pid;
error_log {folder}/error.log;
user root;
events {{ }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/tamis.conf;
}}
"""


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[tuple[int, int, Pages, Path]]:
    """nginx before the pages: its ports for http and https, the pages, and the authority."""
    authority, key, port, secure = tmp_path / "cert.pem", tmp_path / "key.pem", free_port(), free_port()
    run(
        [
            *(
                find_program("openssl"),
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
            ),
            *("-nodes", "-keyout", key, "-out", authority, "-days", "2", "-subj", "/CN=mail.example.com"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
        ]
    )
    (tmp_path / "state").mkdir()
    with Pages(tmp_path / "state", {"web": {"url": "https://mail.example.com", "requests": 20}}) as pages:
        text = (REPOSITORY / "deploy" / "nginx" / "tamis.conf").read_text(encoding="utf-8")
        for old, new in {
            "    listen [::]:80;\n": "",
            "    listen [::]:443 ssl http2;\n": "",
            "listen 80;": f"listen {LOOPBACK}:{port};",
            "listen 443 ssl http2;": f"listen {LOOPBACK}:{secure} ssl http2;",
            "/etc/letsencrypt/live/mail.example.com/fullchain.pem": str(authority),
            "/etc/letsencrypt/live/mail.example.com/privkey.pem": str(key),
            "server 127.0.0.1:8898;": f"server {LOOPBACK}:{pages.port};",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / "tamis.conf").write_text(text, encoding="utf-8")
        (tmp_path / "nginx.conf").write_text(_MAIN.format(folder=tmp_path), encoding="utf-8")
        run([find_program("nginx"), "-t", "-q", "-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log"])
        server = Server("nginx", tmp_path / "output.log")
        files = ("-c", tmp_path / "nginx.conf", "-e", tmp_path / "error.log")
        server.start([find_program("nginx"), *files, "-g", "daemon off;"])
        try:
            server.await_ready(
                lambda: accepts_connections(secure), timeout=60, log=lambda: tail(server.text())
            )
            yield port, secure, pages, authority
        finally:
            server.stop()


def test_the_pages_behind_nginx(nginx: tuple[int, int, Pages, Path]) -> None:
    port, secure, _, authority = nginx
    plain = http.client.HTTPConnection(LOOPBACK, port, timeout=60)
    plain.request("GET", "/c/token")
    sent_on = plain.getresponse()
    assert (sent_on.status, sent_on.headers["location"]) == (308, "https://mail.example.com/c/token")
    statuses = []
    for n in range(25):
        connection = http.client.HTTPSConnection(
            LOOPBACK, secure, timeout=60, context=ssl.create_default_context(cafile=str(authority))
        )
        # what a client says of itself is not believed: all of these are one client's
        connection.request("GET", "/sign-in", headers={"X-Forwarded-For": f"203.0.{n}.7"})
        answer = connection.getresponse()
        statuses.append(answer.status)
        assert answer.headers["strict-transport-security"]
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")
        if n == 0:
            assert "; secure" in answer.headers["set-cookie"].lower()
        connection.close()
    plain.close()
    assert statuses == [200] * 20 + [429] * 5
