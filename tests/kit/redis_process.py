"""A real Redis of a test's own, on a port that nobody else is given."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis
from served_process import free_port
from waiting import wait_until

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""What is acknowledged is on the disk."""


@dataclass(frozen=True)
class RedisProcess:
    """A Redis that answers."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it take connections and bytes, and answer nothing, until the end of the context."""
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(30)


@contextmanager
def redis_process(folder: Path, *options: str, port: int | None = None) -> Iterator[RedisProcess]:
    """Run a Redis until the end of the context. It keeps its files in the folder: started there again, it goes on with them."""
    port = free_port() if port is None else port
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: process.poll() is not None or answers(port))
        assert process.poll() is None, f"Redis ended with {process.returncode}"
        yield RedisProcess(process, port)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def answers(port: int) -> bool:
    """Whether a Redis answers: while it reads its files it listens and doesn't."""
    try:
        with closing(redis.Redis(port=port)) as client:
            return bool(client.ping())
    except redis.exceptions.ConnectionError:
        return False
