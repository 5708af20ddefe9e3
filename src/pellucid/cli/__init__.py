"""The command ``pellucid``. Everything heavy is imported inside the commands, so that ``--help`` answers at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter

from pellucid import __version__
from pellucid.cli.commands import (
    check,
    data,
    evaluate,
    explain,
    filters,
    plot,
    recipe,
    recipes,
    runs,
    train,
)
from pellucid.cli.launch_command import launch
from pellucid.cli.model_commands import export, import_, predict, save, studio
from pellucid.cli.search_command import search

USAGE_ERROR, FAILED, INTERRUPTED = 2, 1, 128
"""Exit statuses: bad input; a check or a training run that failed; plus the signal's number when a signal stopped
it."""

BAD_INPUT = (ValueError, TypeError, OSError, MemoryError)
EXPECTED = (*BAD_INPUT, ArithmeticError)
"""Errors that become a sentence; to try again would end in the same way."""

app = App(
    name="pellucid",
    help="Convolutional networks you can see through, on NumPy arrays.",
    version=__version__,
    suppress_keyboard_interrupt=False,
    help_format="markdown",
    default_parameter=Parameter(negative=()),
)
for command in (
    *(train, launch, recipes, recipe, search, evaluate, runs, plot),
    *(predict, save, export, import_),
    *(studio, check, filters, data, explain),
):
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: list[str]) -> int:
    """Run one command. Bad input gives one sentence on standard error; PELLUCID_TRACEBACK=1 adds where it came from."""
    try:
        return app(arguments, exit_on_error=False, result_action="return_value") or 0
    except CycloptsError:
        return USAGE_ERROR  # cyclopts has said what is wrong
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read our output has left
        return FAILED
    except (KeyboardInterrupt, *EXPECTED) as error:
        return _told(error, status_of(error))


def status_of(error: BaseException) -> int:
    """The exit status of a command that ended with this error."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED + getattr(error, "signum", 2)
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        return error.code
    return USAGE_ERROR if isinstance(error, BAD_INPUT) else FAILED


def _told(error: BaseException, status: int) -> int:
    """Say what went wrong on standard error; hand the exit status back."""
    if os.environ.get("PELLUCID_TRACEBACK"):
        import traceback

        traceback.print_exception(error)
    else:
        text = str(error) or "interrupted" if isinstance(error, KeyboardInterrupt) else str(error) or repr(error)
        print(f"pellucid: {text}", file=sys.stderr)
    return status
