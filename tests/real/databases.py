"""A private PostgreSQL and a private Redis, each on its own loopback port."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.real.support import (
    LOOPBACK,
    HarnessError,
    Server,
    find_program,
    free_port,
    own,
    private_directory,
    read_line,
    run,
    tail,
)


class PrivatePostgres:
    """A PostgreSQL cluster of its own, which can be stopped and started again (an outage)."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = private_directory("postgres")
        self._data = self.directory / "data"
        self._server = Server("PostgreSQL", self.directory / "postgres.log")

    def __enter__(self) -> Self:
        try:
            own(self.directory, "postgres")
            run(
                [
                    *(_postgres("initdb"), "--pgdata", self._data, "--encoding", "UTF8", "--no-locale"),
                    *("--auth", "trust", "--no-sync", "--username", "tamis"),
                ],
                user="postgres",
            )
            self.start()
            self.create_database("tamis")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database `tamis`."""
        return self.url_of("tamis")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy address of a database."""
        return f"postgresql+psycopg://tamis@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its SQLAlchemy address."""
        self.sql(f'CREATE DATABASE "{name}"', database="postgres")
        return self.url_of(name)

    def sql(self, statement: str, *, database: str = "tamis") -> str:
        """Run one statement with psql; its rows, unaligned."""
        return run(
            [
                *(_postgres("psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "tamis"),
                *("-h", LOOPBACK, "-p", str(self.port), "-d", database, "-c", statement),
            ]
        )

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        self._server.start(
            [
                *(_postgres("postgres"), "-D", self._data, "-p", str(self.port), "-h", LOOPBACK),
                *("-c", f"unix_socket_directories={self.directory}"),
                # A test's data need not outlive the machine.
                *("-c", "fsync=off", "-c", "max_connections=200"),
            ],
            user="postgres",
        )
        self._server.await_ready(self._takes_connections, timeout=60, log=self.log)

    def stop(self) -> None:
        """Stop the server at once, dropping its connections (an outage, as its clients see it)."""
        self._server.stop(signal.SIGINT)

    def log(self) -> str:
        """The end of the server's log."""
        return tail(self._server.text())

    def _takes_connections(self) -> bool:
        try:
            self.sql("SELECT 1", database="postgres")
        except HarnessError:
            return False
        return True


class PrivateRedis:
    """A Redis server without persistence."""

    def __init__(self) -> None:
        self.port = free_port()
        self.directory = private_directory("redis")
        self._server = Server("Redis", self.directory / "redis.log")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self) -> str:
        """The server's address."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._server.pid

    def start(self) -> None:
        """Start the server and wait until it answers a PING."""
        self._server.start(
            [
                *(find_program("redis-server"), "--port", str(self.port), "--bind", LOOPBACK),
                *("--save", "", "--appendonly", "no", "--dir", self.directory),
            ]
        )
        self._server.await_ready(self._answers, timeout=30, log=self.log)

    def stop(self) -> None:
        """Stop the server; what it held is gone."""
        self._server.stop()

    def log(self) -> str:
        """The end of the server's log."""
        return tail(self._server.text())

    def _answers(self) -> bool:
        return read_line(self.port, b"PING\r\n").startswith(b"+PONG")


def _postgres(program: str) -> Path:
    return find_program(program, f"/usr/lib/postgresql/*/bin/{program}")
