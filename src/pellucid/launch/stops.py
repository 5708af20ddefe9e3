"""Signals that ask for an end: the first one lets the run save, the second one ends it at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """The launch was stopped by a signal; the command leaves with 128 + its number."""

    def __init__(self, text: str, signum: int) -> None:
        super().__init__(text)
        self.signum = signum


class Stops:
    """While this context lasts, signals are noted.

    Attributes
    ----------
    signum : int or None
        The first one.
    at_once : bool
        Whether there was a second.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        self.at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stops:
        if threading.current_thread() is threading.main_thread():  # Python gives signals to no other
            for number in (getattr(signal, name) for name in NAMES if hasattr(signal, name)):
                if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.at_once = self.signum is not None
        self.signum = self.signum or signum
