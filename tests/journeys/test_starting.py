"""Starting the product in the wrong place, twice, or on top of what a crash left: a sentence, and nothing lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from served_process import free_port

from gateway.cli.synchronising import until_synchronised

ROOT = Path(__file__).parents[2]


def concord(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli.main", *arguments]
    environment = {**os.environ, "COLUMNS": "400", **environment}
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, env=environment)


def changed(config: Path, pattern: str, replacement: str) -> Path:
    text, count = re.subn(pattern, replacement, config.read_text(), flags=re.MULTILINE)
    assert count
    config.write_text(text)
    return config


def refused(told: subprocess.CompletedProcess[str], sentence: str) -> None:
    assert sentence in told.stderr
    assert told.returncode == 2
    assert "Traceback" not in told.stdout + told.stderr


@pytest.mark.parametrize("directory", ["/proc/nowhere", "/etc/passwd"])
def test_a_state_directory_that_cannot_be_written_is_named(config, directory):
    changed(config, "^directory = .*", f'directory = "{directory}"')
    refused(concord("up", "--config", str(config)), f"The state directory {directory} can't be written: ")
    refused(concord("serve", "--config", str(config)), f"The state directory {directory} can't be written: ")


def test_processes_that_wait_for_each_other_are_refused_instead_of_waiting(config):
    changed(config, r'^after = \["billing-sandbox", "identity"\]', 'after = ["crm"]')
    changed(config, r'^after = \["crm-sandbox", "identity"\]', 'after = ["billing"]')
    refused(concord("up", "--config", str(config)), "processes wait for each other by `after`: ")


def test_a_supergraph_written_by_half_is_told_as_such(config, tmp_path):
    half = tmp_path / "half.graphql"
    half.write_text((ROOT / "schema/supergraph.graphql").read_text()[:20_000])
    changed(config, '^path = "schema/supergraph.graphql"', f'path = "{half}"')
    document = str(ROOT / "schema/documents/customer_view.graphql")
    refused(concord("plan", document, "--config", str(config)), f"{half} is not a supergraph: ")
    refused(concord("serve", "--config", str(config)), f"{half} is not a supergraph: ")


def test_a_second_start_leaves_the_first_and_its_state_alone(product):
    events = product.state / "gateway/events.sqlite"
    before = events.stat().st_ino
    refused(concord("up", "--fresh", "--config", str(product.config)), "`concord up` is running already")
    assert events.stat().st_ino == before
    refused(concord("serve", "--config", str(product.config)), "Address already in use")
    alone = concord("serve", "--config", str(product.config), CONCORD_SERVER__PORT="0")
    assert "is in use by another process" in alone.stderr
    assert alone.returncode
    assert "Traceback" not in alone.stderr
    assert product.data("{ __typename }") == {"__typename": "Query"}


def test_a_killed_start_takes_its_processes_with_it_and_the_next_one_goes_on(config, tmp_path):
    port = int(re.search(r"^port = (\d+)", config.read_text(), re.MULTILINE).group(1))
    command = [sys.executable, "-m", "gateway.cli.main", "up", "--config", str(config), "--customers", "5"]

    def started() -> subprocess.Popen[bytes]:
        with (tmp_path / "up.log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + 60
        while not answers(port):
            assert process.poll() is None, (tmp_path / "up.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return process

    first = started()
    first.kill()
    first.wait()
    deadline = time.monotonic() + 15
    while answers(port):
        assert time.monotonic() < deadline, "the gateway outlived the command that started it"
        time.sleep(0.1)
    second = started()
    second.send_signal(signal.SIGINT)
    assert second.wait(20) == 0


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


async def test_what_is_not_read_in_time_is_named_and_what_cannot_say_is_not_waited_for():
    """`concord up` waits for subgraphs that are read for the first time, and not for ever."""
    told = {"errors": [{"message": "The customers of crm are read for the first time: 300 so far."}]}
    answers = {"crm": (503, told), "billing": (200, {"status": "ready"}), "own": (404, {}), "odd": (503, {"errors": 1})}

    def answering(status: int, body: Any) -> Any:
        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/ready"
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Answering

    with ExitStack() as stack:
        urls = {"gone": f"http://127.0.0.1:{free_port()}"}
        for name, answer in answers.items():
            server = ThreadingHTTPServer(("127.0.0.1", 0), answering(*answer))
            serving = threading.Thread(target=server.serve_forever)
            serving.start()
            stack.callback(server.server_close)
            stack.callback(serving.join)
            stack.callback(server.shutdown)
            urls[name] = f"http://127.0.0.1:{server.server_port}"
        shown: list[Mapping[str, str]] = []
        missing = await until_synchronised(urls, shown.append, within_s=2)
        assert missing == {
            "gone": "It does not answer.",
            "crm": "The customers of crm are read for the first time: 300 so far.",
            "odd": "It is not ready.",
        }
        assert shown == [missing]
        assert await until_synchronised({"billing": urls["billing"], "own": urls["own"]}, shown.append) == {}
