"""The child process that computes for the studio: ``python -m pellucid.studio.worker``.

It reads requests from standard input and answers on standard output (`pellucid.studio.wire`). It ends when its input
does. A crash or a picture that takes all the memory ends this process, never the server.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from pellucid.studio import wire

MEMORY_BYTES = 6 * 2**30
"""Of address space: all that is mapped, libraries and kernels among it."""


def main() -> None:
    """Answer until nobody asks any more."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not stand between the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in the terminal reaches the whole group; the server decides
    _limit_memory()
    from pellucid.kernels.jit import at_most_threads
    from pellucid.studio.desk import Desk

    desk = Desk()
    with at_most_threads(1):
        while (request := wire.read(requests)) is not None:
            _answer(desk, *request, answers)


def _answer(desk: Any, request: dict[str, Any], blob: bytes, answers: Any) -> None:
    def send(content: dict[str, Any], blob: bytes = b"") -> None:
        answers.write(wire.message(content, blob))
        answers.flush()

    def progress(done: int, total: int) -> None:
        send({"progress": {"done": done, "total": total}})

    try:
        result = desk.do(request["do"], request["arguments"], blob, progress)
        if isinstance(result, bytes):
            send({"result": None}, result)
        else:
            send({"result": result})
    except MemoryError:
        send({"error": "studio: this needs more memory than the studio may take", "kind": "MemoryError"})
    except (ValueError, TypeError, OSError, ArithmeticError, LookupError) as error:
        send({"error": str(error) or repr(error), "kind": type(error).__name__})


def _limit_memory() -> None:
    if sys.platform.startswith("linux"):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
