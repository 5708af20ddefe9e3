"""The studio served on a free port of this machine, asked as its page asks."""

import contextlib
import http.client
import json
import os
import time
from pathlib import Path

PATIENCE_S = 60
"""Until something must have happened: kernels may be compiled on the way."""

SMALL = {"data": "digits", "recipe": "tutorial", "set": ["network.filters=4", "network.hidden=[8]"]}
LONG = SMALL | {"epochs": 100000}
"""Of `POST /api/runs`; the second goes on until it is stopped."""


class Answer:
    """What came back."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def json(self):
        return json.loads(self.body)


class Served:
    """A studio and its address."""

    def __init__(self, app, port):
        self.app, self.port = app, port
        self.studio = app.app.state.studio

    def ask(self, path, method="GET", body=None, headers=None):
        """One request, as the page sends it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        given = {"X-Pellucid": "page"} if method == "POST" else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        with contextlib.closing(connection):
            connection.request(method, path, body, given | (headers or {}))
            return Answer(connection.getresponse())

    def post(self, path, body=None, headers=None):
        return self.ask(path, "POST", {} if body is None else body, headers)

    def events(self, path):
        """The events of a stream as they come; closing the generator closes the connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            assert response.status == 200, response.read()
            name = None
            while line := response.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    name = text[7:]
                elif text.startswith("data: "):
                    yield name, json.loads(text[6:])

    def until(self, id, wanted):
        """The item, once ``wanted(item)``."""
        for _ in range(PATIENCE_S * 10):
            item = next((item for item in self.ask("/api/state").json["items"] if item["id"] == id), None)
            if item is not None and wanted(item):
                return item
            time.sleep(0.1)
        raise AssertionError(f"{id} is {item}")


def children_of(pid=None):
    """The processes that this one, or another, has started and that still run."""
    pid = os.getpid() if pid is None else pid
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().rpartition(") ")
            state, parent = rest.split()[:2]
            if int(parent) == pid and state != "Z":
                found.append(
                    (int(name.split()[0]), (stat.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode())
                )
    return found


def until(wanted):
    """Wait for it."""
    for _ in range(PATIENCE_S * 20):
        if wanted():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen")
