"""Servers that a test starts for itself: PostgreSQL from Debian's packages, and MLflow's."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import psycopg
from sqlalchemy import event
from sqlalchemy.engine import Engine

_FOUND = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
POSTGRESQL = _FOUND[-1].parent if _FOUND else None
# The server refuses to run as root; the package makes this user.
_USER = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextmanager
def postgresql(password, *databases):
    """Start a server with that password and give the addresses of its databases."""
    with TemporaryDirectory(prefix="rareflow-postgresql-") as name:
        folder, port = Path(name), free_port()
        (folder / "password").write_text(password)
        if _USER:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        command = ["initdb", "-D", "data", "-U", "rare", "--auth=scram-sha-256", "--pwfile=password"]
        command += ["--no-sync", "--no-locale", "--encoding=UTF8"]
        said = subprocess.run(
            [POSTGRESQL / command[0], *command[1:]],
            cwd=folder, capture_output=True, text=True, check=False, **_USER,
        )  # fmt: skip
        assert said.returncode == 0, said.stderr
        options = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": folder}
        words = [
            word for key, value in (options | {"fsync": "off"}).items() for word in ("-c", f"{key}={value}")
        ]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [POSTGRESQL / "postgres", "-D", "data", *words], cwd=folder, stderr=log, **_USER
            )
        address = f"postgresql://rare:{quote(password)}@127.0.0.1:{port}"
        try:
            connection = _patiently(lambda: psycopg.connect(f"{address}/postgres", autocommit=True), server)
            for database in databases:
                connection.execute(f"CREATE DATABASE {database}")
            connection.close()
            with _closed_at_the_end():
                yield [f"{address.replace('://', '+psycopg://')}/{database}" for database in databases]
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's word for: at once, and in order
            server.wait()


@contextmanager
def _closed_at_the_end():
    """Close the connections that this process holds: a command's would end with its process."""
    opened = []

    def note(connection, _record):
        opened.append(connection)

    event.listen(Engine, "connect", note)
    try:
        yield
    finally:
        event.remove(Engine, "connect", note)
        for connection in opened:
            connection.close()


class MLflow:
    """A tracking server on a database, which keeps the artifacts in a folder and serves them.

    It can be started, killed and started again, on the same port.
    """

    def __init__(self, database, folder):
        self.database, self.folder, self.port = database, folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        words = ["--artifacts-destination", str(self.folder), "--port", str(self.port), "--workers", "1"]
        environment = os.environ | {
            "MLFLOW_BACKEND_STORE_URI": self.database,
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        with (self.folder.parent / "mlflow-server.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", *words],
                cwd=self.folder.parent, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        health = f"{self.address}/health"
        _patiently(lambda: urllib.request.urlopen(health, timeout=5).close(), self.process)  # noqa: S310

    def end(self, how=signal.SIGTERM):
        """End the server and what it started, if it runs."""
        if self.process is not None:
            os.killpg(self.process.pid, how)
            self.process.wait()
            self.process = None

    def kill(self):
        self.end(signal.SIGKILL)


@contextmanager
def mlflow_server(database, folder):
    """Start a tracking server and give its address."""
    server = MLflow(database, folder)
    try:
        server.start()
        yield server.address
    finally:
        server.end()


def _patiently(attempt, server, seconds=180):
    """Try until it works, as long as the server lives."""
    until = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except Exception:
            assert server.poll() is None, f"{server.args} has ended"
            if time.monotonic() > until:
                raise
        time.sleep(0.1)


def dump(database):
    """Give all that a database holds, as text."""
    return subprocess.run(
        [POSTGRESQL / "pg_dump", database.replace("+psycopg", "")], capture_output=True, text=True, check=True
    ).stdout
