"""simple-mockforce (PyPI, MIT) behind a socket: run by mockforce.py with the Python that has it. `mockforce_server.py PORT`.

The library answers `requests` within its own process; this hands it every HTTP request as it comes and sends back what it
says. Only the token endpoint and the check for a token are ours.
"""

import http.server
import json
import sys
import threading

import requests
from simple_mockforce import mock_salesforce

UPSTREAM = "https://mock.salesforce.com"
TOKEN = "a-session"
ONE_AT_A_TIME = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        if self.path.startswith("/services/oauth2/token"):
            self.reply(200, json.dumps({"access_token": TOKEN, "token_type": "Bearer"}).encode())
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.reply(401, b'[{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]')
        else:
            self.reply(*self.ask(body))

    def ask(self, body: bytes | None) -> tuple[int, bytes]:
        path = self.path
        if self.command == "POST" and path.split("/")[-2] == "sobjects":
            path += "/"
        with ONE_AT_A_TIME:
            try:
                said = requests.request(self.command, UPSTREAM + path, data=body, timeout=10)
            except requests.exceptions.ConnectionError as error:
                return 404, _error("NOT_FOUND", error)  # a resource that the library does not know
            except Exception as error:  # noqa: BLE001
                return 400, _error("MALFORMED_QUERY", error)  # its parser gives up in many ways
        return said.status_code, said.content

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - named by http.server

    def log_message(self, *_: object) -> None:
        pass


def _error(code: str, error: Exception) -> bytes:
    return json.dumps([{"errorCode": code, "message": f"{type(error).__name__}: {str(error)[:200]}"}]).encode()


@mock_salesforce
def main() -> None:
    http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()


main()
