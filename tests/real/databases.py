"""A private PostgreSQL and a private Redis, each on its own loopback port."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Self

from tests.real.clock import Clock
from tests.real.support import (
    LOOPBACK,
    HarnessError,
    PrivateServer,
    find_program,
    free_port,
    own,
    read_line,
    run,
)


class PrivatePostgres(PrivateServer):
    """A PostgreSQL cluster of its own, which can be stopped and started again (an outage). Clients come to `address`,
    from its network (/24)."""

    def __init__(self, address: str = LOOPBACK) -> None:
        super().__init__("PostgreSQL", "postgres")
        self.port = free_port()
        self._address = address
        self._data = self.directory / "data"

    def prepare(self) -> None:
        """Make the cluster."""
        own(self.directory, "postgres")
        run(
            [
                *(_postgres("initdb"), "--pgdata", self._data, "--encoding", "UTF8", "--no-locale"),
                *("--auth", "trust", "--no-sync", "--username", "tamis"),
            ],
            user="postgres",
        )
        if self._address != LOOPBACK:
            with (self._data / "pg_hba.conf").open("a") as file:
                file.write(f"host all all {self._address}/24 trust\n")

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.create_database("tamis")
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    @property
    def url(self) -> str:
        """The SQLAlchemy address of the database `tamis`."""
        return self.url_of("tamis")

    def url_of(self, database: str) -> str:
        """The SQLAlchemy address of a database."""
        return f"postgresql+psycopg://tamis@{self._address}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database and return its SQLAlchemy address."""
        self.sql(f'CREATE DATABASE "{name}"', database="postgres")
        return self.url_of(name)

    def copy_database(self, template: str, name: str) -> None:
        """Put a copy of a database that nobody uses in the place of another one, a new one."""
        self.sql(f'DROP DATABASE "{name}"', database="postgres")
        self.sql(f'CREATE DATABASE "{name}" TEMPLATE "{template}"', database="postgres")

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
                *(_postgres("postgres"), "-D", self._data, "-p", str(self.port)),
                *("-h", ",".join(dict.fromkeys((LOOPBACK, self._address)))),
                *("-c", f"unix_socket_directories={self.directory}"),
                # A test's data need not outlive the machine, which may keep it in memory.
                *("-c", "fsync=off", "-c", "max_wal_size=64MB", "-c", "max_connections=200"),
            ],
            user="postgres",
        )
        self._server.await_ready(self._takes_connections, timeout=60, log=self.log)

    @property
    def pid(self) -> int:
        """The server's first process."""
        return self._server.pid

    def stop(self) -> None:
        """Stop the server at once, dropping its connections (an outage, as its clients see it)."""
        self._server.stop(signal.SIGINT)

    def _takes_connections(self) -> bool:
        try:
            self.sql("SELECT 1", database="postgres")
        except HarnessError:
            return False
        return True


class PrivateRedis(PrivateServer):
    """A Redis server without persistence: what it held is gone when it stops. It may run by a test's `clock`, and as a
    replica `of` another. Clients come to `address`."""

    def __init__(
        self, clock: Clock | None = None, *, of: PrivateRedis | None = None, address: str = LOOPBACK
    ) -> None:
        super().__init__("Redis", "redis")
        self.port = free_port()
        self._address = address
        self._role = ("--replicaof", LOOPBACK, str(of.port)) if of else ()
        self._environment = clock.environment if clock else {}

    @property
    def url(self) -> str:
        """The server's address."""
        return f"redis://{self._address}:{self.port}/0"

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._server.pid

    def start(self) -> None:
        """Start the server and wait until it answers a PING."""
        self._server.start(
            [
                *(find_program("redis-server"), "--port", str(self.port), "--bind"),
                *(*dict.fromkeys((LOOPBACK, self._address)), "--protected-mode", "no"),
                *("--save", "", "--appendonly", "no", "--dir", self.directory),
                *self._role,
            ],
            environment=self._environment,
        )
        self._server.await_ready(self._answers, timeout=30, log=self.log)

    def clear(self) -> None:
        """Forget everything."""
        if not read_line(self.port, b"FLUSHALL\r\n").startswith(b"+OK"):
            raise HarnessError(f"Redis was not cleared\n{self.log()}")

    def _answers(self) -> bool:
        return read_line(self.port, b"PING\r\n").startswith(b"+PONG")


class PrivateSentinel(PrivateServer):
    """A Redis Sentinel that watches one master under the name `tamis`, and decides alone."""

    def __init__(self, master: PrivateRedis) -> None:
        super().__init__("Redis Sentinel", "redis")
        self.port = free_port()
        self._master = master

    @property
    def url(self) -> str:
        """The address of the state."""
        return f"sentinel://{LOOPBACK}:{self.port}/tamis"

    def start(self) -> None:
        """Start it and wait until it knows the master and one replica."""
        file = self.directory / "sentinel.conf"
        file.write_text(
            f"port {self.port}\nbind {LOOPBACK}\nsentinel monitor tamis {LOOPBACK} {self._master.port} 1\n"
            "sentinel down-after-milliseconds tamis 1000\nsentinel failover-timeout tamis 5000\n"
        )
        self._server.start([find_program("redis-server"), file, "--sentinel"])
        self._server.await_ready(self._knows_a_replica, timeout=30, log=self.log)

    def _knows_a_replica(self) -> bool:
        try:
            told = run([find_program("redis-cli"), "-p", str(self.port), "INFO", "sentinel"])
        except HarnessError:
            return False
        return "status=ok" in told and "slaves=1" in told


def _postgres(program: str) -> Path:
    return find_program(program, f"/usr/lib/postgresql/*/bin/{program}")
