"""Downloads from a local server that behaves in every bad way; the outside is never asked."""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from pellucid.data import catalogue, fetch_dataset, load_mnist
from pellucid.data import fetch as fetching
from pellucid.data.catalogue import RemoteFile
from pellucid.data.fetch import fetch_entry, fetch_file

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes: several chunks
FILE = RemoteFile("data.bin", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under many names; the first part of the path says how."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0
        with contextlib.suppress(ConnectionError):
            getattr(self, self.path.split("/")[1].replace("-", "_"))(start)

    def send(self, status, body, claim=None, start=None, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if start is not None:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("Content-Length", str(len(body) if claim is None else claim))
        self.end_headers()
        self.wfile.write(body)

    def good(self, start):
        self.send(206, CONTENT[start:], start=start) if start else self.send(200, CONTENT)

    def no_range(self, start):
        self.send(200, CONTENT)

    def drops(self, start, piece=100_000):
        """Sends a piece of what it announced, then hangs up."""
        body = CONTENT[start : start + piece]
        status, place = (206, start) if start else (200, None)
        self.send(status, body, claim=len(CONTENT) - start, start=place)
        self.close_connection = True

    def drops_no_range(self, start):
        self.drops(0)

    def drops_at_once(self, start):
        self.close_connection = True

    def wrong(self, start):
        self.send(200, CONTENT[::-1])

    def wrong_start(self, start):
        self.send(206, CONTENT[start:], start=start + 1) if start else self.send(200, CONTENT)

    def missing(self, start):
        self.send(404, b"no such file")

    def broken(self, start):
        self.send(503, b"later")

    def refuses_range(self, start):
        self.send(416, b"") if start else self.send(200, CONTENT)

    def page(self, start):
        self.send(200, b"<html>please log in</html>", Content_Type="text/html; charset=utf-8")

    def short(self, start):
        self.send(200, CONTENT[:1000])

    def long_unannounced(self, start):
        self.unannounced(CONTENT + b"more")

    def unannounced(self, body=CONTENT):
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body if isinstance(body, bytes) else CONTENT)
        self.close_connection = True

    def moved(self, start):
        self.send(302, b"", Location=f"/good/{FILE.name}")

    def moved_to_file(self, start):
        self.send(302, b"", Location="file:///etc/passwd")

    def moved_to_ftp(self, start):
        self.send(302, b"", Location="ftp://127.0.0.1/data.bin")

    def circles(self, start):
        self.send(302, b"", Location=self.path)

    def silent(self, start):
        self.server.release.wait(5)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def running():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.requests, server.release = [], threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.release.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(running, monkeypatch):
    """The server, with the requests that it got in this test."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("no_proxy", "*")
    running.requests.clear()
    return running


def urls(server, *ways):
    return tuple(f"http://127.0.0.1:{server.server_port}/{way}/{FILE.name}" for way in ways)


def get(server, folder, *ways, **options):
    return fetch_file(FILE, urls(server, *ways), folder, **{"timeout_s": 5.0, **options})


def names(folder):
    """What is in the folder, but for the empty lock file."""
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(".lock"))


def asked(server):
    """How and from which byte the server was asked."""
    return [(path.split("/")[1], value) for path, value in server.requests]


@pytest.mark.parametrize("way", ["good", "no-range", "unannounced", "moved"])
def test_a_whole_download_gets_its_name(server, tmp_path, way):
    path = get(server, tmp_path / "new" / "folder", way)
    assert path == tmp_path / "new" / "folder" / "data.bin"
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["data.bin"]


def test_a_file_that_is_there_is_not_fetched_again(server, tmp_path):
    get(server, tmp_path, "good")
    server.requests.clear()
    get(server, tmp_path, "good")
    assert asked(server) == []


def test_progress_ends_at_the_whole_and_never_goes_back(server, tmp_path):
    seen = []
    get(server, tmp_path, "drops", progress=lambda done, total: seen.append((done, total)))
    done = [d for d, _ in seen]
    assert done == sorted(done)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, tmp_path):
    assert get(server, tmp_path, "drops").read_bytes() == CONTENT
    starts = [None, "bytes=100000-", "bytes=200000-", "bytes=300000-"]
    assert asked(server) == [("drops", start) for start in starts]


def test_the_next_call_goes_on_with_what_the_last_one_left(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:123_456])
    assert get(server, tmp_path, "good").read_bytes() == CONTENT
    assert asked(server) == [("good", "bytes=123456-")]
    assert names(tmp_path) == ["data.bin"]


def test_another_mirror_goes_on_where_the_first_broke(server, tmp_path):
    assert get(server, tmp_path, "drops-no-range", "good").read_bytes() == CONTENT
    assert asked(server)[-1] == ("good", "bytes=100000-")


@pytest.mark.parametrize("way", ["no-range", "refuses-range"])
def test_a_server_that_knows_no_range_starts_anew(server, tmp_path, way):
    (tmp_path / "data.bin.part").write_bytes(b"x" * 1000)
    assert get(server, tmp_path, way).read_bytes() == CONTENT


def test_a_server_that_continues_elsewhere_is_left(server, tmp_path):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:1000])
    assert get(server, tmp_path, "wrong-start", "good").read_bytes() == CONTENT
    assert asked(server) == [("wrong-start", "bytes=1000-"), ("good", "bytes=1000-")]


@pytest.mark.parametrize("length", [1000, len(CONTENT), len(CONTENT) + 5])
def test_a_spoilt_beginning_is_thrown_away(server, tmp_path, length):
    (tmp_path / "data.bin.part").write_bytes(b"x" * length)
    assert get(server, tmp_path, "good").read_bytes() == CONTENT


def test_a_wrong_checksum_removes_the_file_and_tries_the_next_mirror(server, tmp_path):
    assert get(server, tmp_path, "wrong", "good").read_bytes() == CONTENT
    assert asked(server) == [("wrong", None), ("good", None)]


def test_a_wrong_checksum_everywhere_leaves_nothing(server, tmp_path):
    got = hashlib.sha256(CONTENT[::-1]).hexdigest()
    with pytest.raises(ConnectionError, match=f"wrong checksum of data.bin: got sha256 {got}, expected {FILE.sha256}"):
        get(server, tmp_path, "wrong")
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("way", "says"),
    [
        ("missing", "the server answers 404"),
        ("broken", "the server answers 503"),
        ("page", "the server sends a web page, not the file"),
        ("short", "the server offers 1000 bytes, 307200 are needed"),
        ("long-unannounced", "the server sends more than 307200 bytes"),
        ("drops-at-once", "no connection"),
        ("moved-to-file", "the server answers 302"),
        ("moved-to-ftp", "no connection .unknown url type: ftp"),
        ("circles", "the server answers 302"),
    ],
)
def test_a_server_that_does_not_deliver_is_followed_by_the_next(server, tmp_path, way, says):
    with pytest.raises(ConnectionError, match=says):
        get(server, tmp_path, way)
    assert names(tmp_path) == []
    assert get(server, tmp_path, way, "good").read_bytes() == CONTENT


def test_a_broken_download_keeps_its_part_and_not_the_name(server, tmp_path):
    with pytest.raises(ConnectionError, match="the connection broke after 100000 of 307200 bytes"):
        get(server, tmp_path, "drops-no-range")
    assert names(tmp_path) == ["data.bin.part"]


def test_a_silent_server_is_given_up(server, tmp_path):
    assert get(server, tmp_path, "silent", "good", timeout_s=0.2).read_bytes() == CONTENT


def test_without_a_network_the_error_says_all_that_is_needed(server, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/data.bin"
    with pytest.raises(OSError, match="no connection") as caught:
        fetch_file(FILE, (url,), tmp_path, timeout_s=1.0)
    for fact in ("data.bin (307,200 bytes", FILE.sha256, url, str(tmp_path), "PELLUCID_DATA"):
        assert fact in str(caught.value)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "/etc/passwd"])
def test_only_http_addresses_are_opened(tmp_path, url):
    with pytest.raises(ValueError, match="neither http nor https"):
        fetch_file(FILE, (url,), tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_an_interrupted_download_can_be_resumed(server, tmp_path):
    def stop(done, total):
        if done > 150_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(server, tmp_path, "good", progress=stop)
    assert names(tmp_path) == ["data.bin.part"]
    server.requests.clear()
    assert get(server, tmp_path, "good").read_bytes() == CONTENT
    assert asked(server)[0][1] is not None


def test_two_at_once_both_end_with_the_right_file(server, tmp_path):
    """The second starts while the first is half way, and takes a name of its own; nobody's bytes are mixed."""
    results = []

    def second_starts(done, total):
        if not results:
            results.append(None)
            results[0] = get(server, tmp_path, "drops").read_bytes()
            assert (tmp_path / "data.bin.part").exists()

    assert get(server, tmp_path, "good", progress=second_starts).read_bytes() == CONTENT
    assert results == [CONTENT]
    assert names(tmp_path) == ["data.bin"]


def test_many_at_once_end_with_one_right_file(server, tmp_path):
    problems = []

    def work():
        try:
            assert get(server, tmp_path, "drops", "good").read_bytes() == CONTENT
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert names(tmp_path) == ["data.bin"]


def test_a_second_one_that_fails_leaves_nothing_of_its_own(server, tmp_path):
    def second_fails(done, total):
        with pytest.raises(ConnectionError):
            get(server, tmp_path, "drops-no-range")

    get(server, tmp_path, "good", progress=second_fails)
    assert names(tmp_path) == ["data.bin"]


def test_a_full_disk_is_found_before_the_download(server, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(OSError, match=r"has 1,000 bytes free, but data.bin needs 307,200; .*PELLUCID_DATA"):
        get(server, tmp_path, "good")
    assert asked(server) == []


def test_a_disk_that_fills_up_is_not_blamed_on_the_mirrors(server, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fetching, "_copy", full)
    with pytest.raises(OSError, match="No space left"):
        get(server, tmp_path, "good", "good")
    assert len(asked(server)) == 1


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"the folder .*file/below cannot be made .*PELLUCID_DATA"):
        get(server, tmp_path / "file" / "below", "good")


@pytest.fixture
def small_entry(server, tmp_path, monkeypatch):
    """MNIST's entry with small files from the local server; four names, one content."""
    files = tuple(replace(file, size_bytes=FILE.size_bytes, sha256=FILE.sha256) for file in catalogue.MNIST.files)
    entry = replace(catalogue.MNIST, files=files, mirrors=(urls(server, "missing")[0], urls(server, "good")[0]))
    entry = replace(entry, mirrors=tuple(url.removesuffix(FILE.name) for url in entry.mirrors))
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("platformdirs.user_cache_path", lambda _: tmp_path / "cache")
    monkeypatch.setitem(catalogue.CATALOGUE, "mnist", entry)
    monkeypatch.setattr(catalogue, "MNIST", entry)
    return entry


def test_all_files_of_a_data_set_are_fetched_and_counted_together(small_entry, tmp_path):
    seen = []
    folder = fetch_entry(small_entry, progress=lambda done, total: seen.append((done, total)))
    assert folder == tmp_path / "data" / "mnist"
    assert names(folder) == sorted(file.name for file in small_entry.files)
    assert seen[-1] == (4 * len(CONTENT), 4 * len(CONTENT))
    assert seen == sorted(seen)


def test_only_the_missing_files_are_fetched(server, small_entry):
    folder = fetch_entry(small_entry)
    (folder / small_entry.files[2].name).unlink()
    server.requests.clear()
    fetch_entry(small_entry)
    assert {path.split("/")[2] for path, _ in server.requests} == {small_entry.files[2].name}


def test_fetch_dataset_fetches_once(server, small_entry, tmp_path):
    assert fetch_dataset("mnist") == str(tmp_path / "data" / "mnist")
    server.requests.clear()
    assert fetch_dataset("mnist") == str(tmp_path / "data" / "mnist")
    assert server.requests == []
    assert fetch_dataset("digits") == "scikit-learn"
    with pytest.raises(ValueError, match="did you mean 'mnist'"):
        fetch_dataset("mnits")


def test_a_loader_fetches_what_it_does_not_find(server, small_entry):
    with pytest.raises(ValueError, match=r"read_idx: .*train-images-idx3-ubyte.gz is no IDX file"):
        load_mnist()  # what came had the pinned checksum, but this test's content is no IDX file
    assert len(server.requests) == 8
