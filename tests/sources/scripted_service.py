"""A web service on this machine that answers whatever a test wants, and writes down what it saw."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Args:
        number: how many came before it.
        url: path and query.
        headers: by name.
    """

    number: int
    url: str
    headers: Mapping[str, str]

    @property
    def params(self) -> dict[str, str]:
        """The query; the last value of each name."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.url).query).items()}


@dataclass(frozen=True)
class Said:
    """An answer: a status, a body (text, or what becomes JSON), and headers."""

    body: Any = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return text.encode()


@dataclass(frozen=True)
class Scripted:
    """The running service: its address, and the requests so far."""

    address: str
    asked: list[Asked]


@contextmanager
def scripted_service(answer: Callable[[Asked], Said]) -> Iterator[Scripted]:
    """A service that answers each request as told."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # head and body in one packet: apart, the second waits for an answer

        def do_GET(self) -> None:
            request = Asked(len(asked), self.path, dict(self.headers.items()))
            asked.append(request)
            said = answer(request)
            content = said.content()
            headers = {"Content-Length": str(len(content)), **said.headers}
            self.send_response(said.status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Scripted(f"http://127.0.0.1:{server.server_address[1]}", asked)
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
