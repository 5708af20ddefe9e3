"""Whoever asks, whatever is sent: a sentence, a line in the log, and the server goes on."""

import http.client
import io
import logging
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image
from studio_served import PATIENCE_S

LOOK = "/api/items/first/look"


def png(side=8):
    content = io.BytesIO()
    Image.new("L", (side, side)).save(content, "PNG")
    return content.getvalue()


def bomb():
    """A small PNG that says it has 30,000 x 30,000 pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(10**6)))
        + chunk(b"IEND", b"")
    )


UPLOADS = {
    "a bomb": bomb(),
    "cut off": png()[:40],
    "text": b"hello",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "zeros": bytes(1000),
    "a gif": b"GIF89a" + bytes(50),
    "python": b"\x80\x04\x95",
}


@pytest.mark.parametrize("name", UPLOADS)
def test_what_is_no_picture_is_a_sentence(lasting, name, caplog):
    with caplog.at_level(logging.WARNING, "pellucid.studio"):
        answer = lasting.post(LOOK, UPLOADS[name])
    assert answer.status == 422
    assert answer.json["error"]
    assert any(LOOK in record.getMessage() for record in caplog.records)
    assert lasting.post(LOOK, png()).status == 200


def test_an_empty_upload(lasting):
    assert lasting.post(LOOK, b"").status == 400


def test_too_many_bytes_are_not_taken(lasting):
    answer = lasting.post(LOOK, bytes(21 * 2**20))
    assert answer.status == 413
    assert "20,971,520" in answer.json["error"]
    assert lasting.post("/api/runs", b'{"data": "' + b"x" * 70_000 + b'"}').status == 413


def test_a_length_that_is_too_much_is_refused_before_it_is_sent(lasting):
    connection = http.client.HTTPConnection("127.0.0.1", lasting.port, timeout=PATIENCE_S)
    connection.putrequest("POST", LOOK)
    connection.putheader("X-Pellucid", "page")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def test_too_many_bytes_of_no_announced_length(lasting):
    connection = http.client.HTTPConnection("127.0.0.1", lasting.port, timeout=PATIENCE_S)
    pieces = (bytes(2**20) for _ in range(21))
    connection.request("POST", LOOK, pieces, {"X-Pellucid": "page"}, encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_length_that_lies(lasting):
    """Less than was announced, and then silence: the other requests are answered meanwhile."""
    with socket.create_connection(("127.0.0.1", lasting.port)) as slow:
        head = f"POST {LOOK} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Pellucid: page\r\nContent-Length: 1000\r\n\r\nabc"
        slow.sendall(head.encode())
        began = time.monotonic()
        assert lasting.ask("/api/state").status == 200
        assert time.monotonic() - began < PATIENCE_S / 2


def test_a_body_that_never_ends_is_given_up(lasting, monkeypatch):
    monkeypatch.setattr("pellucid.studio.answers.UPLOAD_S", 0.3)
    connection = http.client.HTTPConnection("127.0.0.1", lasting.port, timeout=PATIENCE_S)
    connection.putrequest("POST", LOOK)
    connection.putheader("X-Pellucid", "page")
    connection.putheader("Content-Length", "100")
    connection.endheaders()
    connection.send(b"abc")
    assert connection.getresponse().status == 408
    connection.close()


@pytest.mark.parametrize("path", ["/api/runs", "/api/runs/first/resume", "/api/walk"])
@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 60_000, b"null", b"3", b"[]", b'"x"'])
def test_what_is_no_request(lasting, path, body):
    answer = lasting.post(path, body)
    assert answer.status == 400
    assert "JSON" in answer.json["error"]


PATHS = [
    "/../../etc/passwd",
    "/static/../app.py",
    "/static/..%2fapp.py",
    "/static/%2e%2e/app.py",
    "/static//etc/passwd",
    "/static/",
    "/static/lib",
    "/api/runs/..%2f..%2fetc",
    "/api/runs/../first",
    "/api/items/%00/network",
    "/api/items/..%2ffirst/network",
    "/api/items/first/film/..%2f..%2frun.json",
    "/api/items/first/film/-1.png",
    "/api/nothing",
    "/api/items/none/network",
    "/api/runs/none/metrics",
]


@pytest.mark.parametrize("path", PATHS)
def test_paths_lead_nowhere(lasting, path):
    answer = lasting.ask(path)
    assert answer.status in (400, 404)
    assert answer.json["error"]
    assert b"root:" not in answer.body and b"import " not in answer.body


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/api/items/first/film/999.png", "no frame 999"),
        ("/api/items/first/filter.png?layer=conv1&filter=99", "filter is 99"),
        ("/api/items/first/filter.png?layer=conv9&filter=0", "'conv9'"),
        ("/api/items/first/filter.png?layer=conv1&filter=x", "filter is 'x'"),
        ("/api/items/first/filter.png?layer=conv1&filter=%D9%A3", "whole number"),
        ("/api/items/first/sheet.png?indices=", "numbers with commas"),
        ("/api/items/first/sheet.png?indices=100000", "from 0 to 296"),
        ("/api/items/first/sheet.png?indices=-1", "from 0 to 296"),
        ("/api/items/first/images?label=cat", "no class 'cat'"),
        ("/api/items/first/images?part=train", "no train images"),
        ("/api/items/first/mistakes/cell?label=1", "predicted is None"),
    ],
)
def test_questions_that_make_no_sense(lasting, path, said):
    answer = lasting.ask(path)
    assert answer.status in (400, 422)
    assert said in answer.json["error"]


def test_jobs_that_make_no_sense(lasting):
    for path in ("strongest?layer=affine1", "strongest?layer=none", "mistakes?part=train"):
        (last,) = list(lasting.events(f"/api/items/first/{path}"))
        assert last[0] == "failed"
        assert last[1]["error"]


def test_another_class_is_asked_for(lasting):
    assert "no class 'cat'" in lasting.post(f"{LOOK}?index=0&target=cat").json["error"]
    assert lasting.post(f"{LOOK}?index=100000").status == 422


@pytest.mark.parametrize("content", [b"", b"hello", bytes(1000), (1 << 60).to_bytes(8, "little") + b"{}"])
def test_a_model_file_that_is_no_model(serve, tmp_path, content):
    file = tmp_path / "odd.safetensors"
    file.write_bytes(content)
    served = serve(paths=[file], runs=tmp_path / "none")
    answer = served.ask("/api/items/odd/network")
    assert answer.status == 422
    assert "odd.safetensors" in answer.json["error"]
    assert served.ask("/api/state").status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[", "127.0.0.1@evil.example"])
def test_another_name_for_this_machine_is_refused(lasting, host):
    answer = lasting.ask("/api/state", headers={"Host": host})
    assert answer.status == 403
    assert "answers to 127.0.0.1" in answer.json["error"]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", ""])
def test_a_page_of_another_site_is_refused(lasting, origin):
    assert lasting.ask("/api/state", headers={"Origin": origin}).status == 403
    assert lasting.post("/api/runs", {}, headers={"Origin": origin}).status == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_site_embeds_is_refused(lasting, site):
    """A picture in a page of another site sends no Origin, but the browser says where it stands."""
    said = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"}
    for path in ("/api/state", "/api/items/first/strongest?layer=conv1", "/static/app.js", "/"):
        assert lasting.ask(path, headers=said).status == 403
    assert lasting.ask("/", headers=said | {"Sec-Fetch-Mode": "navigate"}).status == 200  # a link to the page
    assert lasting.ask("/api/state", headers=said | {"Sec-Fetch-Mode": "navigate"}).status == 403


def test_an_address_that_is_asked_in_another_way(lasting):
    answer = lasting.ask("/api/state", "DELETE", headers={"X-Pellucid": "page"})
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]
    assert "DELETE" in answer.json["error"]


def test_its_own_page_is_let_in(lasting):
    assert lasting.ask("/api/state", headers={"Origin": f"http://127.0.0.1:{lasting.port}"}).status == 200


def test_a_request_without_the_pages_header_changes_nothing(lasting):
    answer = lasting.ask("/api/runs", "POST", b"{}")
    assert answer.status != 403  # the helper sends it
    connection = http.client.HTTPConnection("127.0.0.1", lasting.port, timeout=PATIENCE_S)
    connection.request("POST", "/api/runs", b"{}")
    assert connection.getresponse().status == 403
    connection.close()


def test_what_is_sent_along_with_every_answer(lasting):
    for path in ("/", "/api/state", "/static/app.js", "/nothing"):
        headers = lasting.ask(path).headers
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_the_pages_files(lasting):
    assert lasting.ask("/").headers["content-type"].startswith("text/html")
    answer = lasting.ask("/static/app.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    again = lasting.ask("/static/app.js", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    charts = lasting.ask("/static/plotly.min.js", headers={"Accept-Encoding": "gzip"})
    assert charts.headers["content-encoding"] == "gzip"
    assert len(charts.body) < 2_000_000


TOKEN = "a-token-of-letters"


def test_with_a_token_nobody_else_is_answered(serve, runs):
    served = serve(runs=runs, token=TOKEN)
    for path in ("/", "/api/state", "/static/app.js", "/api/events"):
        assert served.ask(path).status == 401
        assert served.ask(path, headers={"Cookie": "pellucid-token=another"}).status == 401
    assert served.ask("/?token=wrong").status == 401
    assert served.post("/api/runs", {}).status == 401
    opened = served.ask(f"/?token={TOKEN}&x=1")
    assert (opened.status, opened.headers["location"]) == (303, "/?x=1")
    cookie = opened.headers["set-cookie"]
    assert "HttpOnly" in cookie and "samesite=strict" in cookie.lower()
    assert served.ask("/api/state", headers={"Cookie": cookie.split(";")[0], "Host": "10.0.0.7:8765"}).status == 200


def test_what_is_logged_does_not_steer_a_terminal(lasting, caplog):
    with caplog.at_level(logging.WARNING, "pellucid.studio"):
        lasting.ask("/api/items/%1b%5b2J%0aforged/network")
    text = "".join(record.getMessage() for record in caplog.records)
    assert "forged" in text
    assert "\x1b" not in text and "\n" not in text


def test_a_worker_may_not_take_all_the_memory(lasting):
    """The limit is one of address space; it is the worker's alone."""
    lasting.ask("/api/items/first/network")
    limits = Path(f"/proc/{lasting.studio.quick._process.pid}/limits").read_text()
    line = next(line for line in limits.splitlines() if line.startswith("Max address space"))
    assert int(line.split()[3]) < 10 * 2**30
    assert os.getpid() != lasting.studio.quick._process.pid


def test_the_server_loads_no_kernel():
    """It answers while everything else computes, and starts at once."""

    code = (
        "import sys, pellucid.studio.server; print([m for m in ('numba', 'sklearn', 'scipy', 'matplotlib', 'plotly') "
    )
    code += "if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
