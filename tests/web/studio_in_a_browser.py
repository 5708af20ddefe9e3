"""``pellucid studio`` as a user starts it, for a browser to look at."""

import re
import signal
import subprocess
import time
from pathlib import Path

from program import PROGRAM

PICTURES = Path(__file__).parents[2] / "build" / "web"
PATIENCE_S = 60
"""Until what a page waits for must have come: compiled kernels are not there on a new machine."""

SIZES = {"laptop": (1280, 900), "phone": (390, 844)}


class Studio:
    """``pellucid studio`` in a process of its own."""

    def __init__(self, folder, port=0):
        command = [str(PROGRAM), "studio", "--port", str(port), "--no-browser"]
        self.log = folder / f"studio-{time.monotonic_ns()}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=subprocess.STDOUT)
        self.url = self._url()

    def _url(self):
        for _ in range(PATIENCE_S * 10):
            found = re.search(r"http://[^\s]+", self.log.read_text())
            if found:
                return found.group(0)
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"the studio named no address:\n{self.log.read_text()}")

    def close(self):
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE_S)
