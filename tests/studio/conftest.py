"""The studio, served for real on a free port of this machine, and a small run to look into."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import threading

import pytest
from studio_served import PATIENCE_S, Served

from pellucid.studio.app import create_app
from pellucid.studio.server import Program

QUICK = ("--epochs", "5", "--filters", "8", "--hidden", "50")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder of runs with one finished run."""
    folder = tmp_path_factory.mktemp("trained")
    command = [sys.executable, "-m", "pellucid", "train", "digits", *QUICK, "--run", str(folder / "first")]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | {"PELLUCID_QUIET": "1"})
    return folder


@pytest.fixture
def runs(trained, tmp_path):
    """The same, to change at will."""
    shutil.copytree(trained, tmp_path / "runs")
    return tmp_path / "runs"


@contextlib.contextmanager
def serving():
    """Gives start(paths=..., runs=..., token=...) -> Served; what was started ends with the block."""
    with contextlib.ExitStack() as stack:

        def start(**settings):
            app = create_app(**settings)
            listening = socket.create_server(("127.0.0.1", 0))
            server = Program(app)
            thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
            thread.start()

            def stop():
                server.should_exit = True
                thread.join(PATIENCE_S)
                assert not thread.is_alive()

            stack.callback(stop)
            return Served(app, listening.getsockname()[1])

        yield start


@pytest.fixture
def serve():
    """serve(paths=..., runs=..., token=...) -> Served"""
    with serving() as start:
        yield start


@pytest.fixture
def served(serve, runs):
    return serve(runs=runs)


@pytest.fixture(scope="module")
def lasting(trained, tmp_path_factory):
    """One studio for many requests, none of which may change anything."""
    runs = tmp_path_factory.mktemp("lasting") / "runs"
    shutil.copytree(trained, runs)
    with serving() as start:
        yield start(runs=runs)
    assert [path.name for path in runs.iterdir()] == ["first"]
