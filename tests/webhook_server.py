"""A web server on loopback that answers as it is told, and keeps what it was sent."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Webhook:
    """A server with its answers: each is a status and a body, or what to do instead; the last one stays.

    Attributes:
        answers: `(status, body)`, `"slow"`, `"hang"`, `"drip"` (a byte now and then), `"cut"`, or an address
            to redirect to.
        requests: path, headers and body of what came.
    """

    answers: list[Any] = field(default_factory=lambda: [(200, b'{"errcode": 0}')])
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cr3t-path?key=s3cr3t-key"

    @property
    def bodies(self) -> list[Any]:
        return [body for _, _, body in self.requests]


@contextmanager
def serving(*answers: Any) -> Iterator[Webhook]:
    webhook = Webhook(list(answers)) if answers else Webhook()
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            webhook.requests.append((self.path, dict(self.headers), json.loads(body or b"null")))
            answer = webhook.answers.pop(0) if len(webhook.answers) > 1 else webhook.answers[0]
            if answer == "slow":
                time.sleep(3)
                answer = (200, b"")
            if answer == "hang":
                ended.wait(30)
            elif answer == "drip":
                self._drip()
            elif answer == "cut":
                self.connection.close()
            elif isinstance(answer, str):
                self.send_response(302)
                self.send_header("Location", answer)
                self.end_headers()
            else:
                self.send_response(answer[0])
                self.end_headers()
                self.wfile.write(answer[1])

        do_GET = do_POST

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.0 200 OK\r\n")
            while not ended.is_set():
                try:
                    self.wfile.write(b"X")
                    self.wfile.flush()
                except OSError:
                    return
                time.sleep(0.05)

        def log_message(self, *_: Any) -> None:
            """Nothing: the tests read what came."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    webhook.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield webhook
    finally:
        ended.set()
        server.shutdown()
        server.server_close()
