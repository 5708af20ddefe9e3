"""Ctrl-C that waits for the step in progress."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Terminated(KeyboardInterrupt):
    """Training was stopped by SIGTERM, after a whole step."""

    signum = signal.SIGTERM


def stopped_by(signum: int, step: int, num_steps: int, checkpoint: str | None) -> KeyboardInterrupt:
    """What to raise when a signal has stopped training after a whole step.

    For SIGINT it is KeyboardInterrupt itself: Python ends a process with the exit status that shells expect of Ctrl-C
    for that very class only, not for its subclasses.
    """
    written = f"; the last checkpoint is {checkpoint!r}" if checkpoint else ""
    text = f"training was stopped by {signal.Signals(signum).name} after step {step} of {num_steps}{written}"
    return Terminated(text) if signum == signal.SIGTERM else KeyboardInterrupt(text)


class HeldSignals:
    """While this context lasts, the first SIGINT is only noted, in ``signum``; the second one raises KeyboardInterrupt.

    Nothing is held outside the main thread, where Python gives no signals, nor a signal that the process ignores (as
    under nohup) or that something other than Python handles. The handlers of before come back at the end.

    Parameters
    ----------
    sigterm : bool
        Hold SIGTERM in the same way, and SIGUSR1, by which schedulers of clusters and launchers of MPI ask for an end.
    """

    def __init__(self, sigterm: bool = False) -> None:
        self.signum: int | None = None
        others = [signal.SIGTERM, getattr(signal, "SIGUSR1", signal.SIGTERM)] if sigterm else []
        self._numbers = dict.fromkeys([signal.SIGINT, *others])
        self._before: dict[int, Any] = {}

    def __enter__(self) -> HeldSignals:
        if threading.current_thread() is threading.main_thread():
            for number in self._numbers:
                if signal.getsignal(number) not in (signal.SIG_IGN, None):
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        if self.signum is not None:
            raise KeyboardInterrupt("stopped by a second signal, within a step")
        self.signum = signal.SIGINT if signum == signal.SIGINT else signal.SIGTERM
