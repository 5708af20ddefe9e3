"""The installed program, as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("pellucid")


@pytest.fixture
def pellucid(tmp_path):
    """Run the installed command in an empty folder: ``pellucid("train", "digits")`` -> the finished process."""

    def run(*arguments, status=0, **options):
        environment = os.environ | {"PELLUCID_DATA": str(tmp_path / "data folder"), "COLUMNS": "200"}
        environment["PELLUCID_QUIET"] = "1"  # whether kernels were compiled before is not the matter here
        environment |= options.pop("env", {})
        command = [PROGRAM, *map(str, arguments)]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, **options
        )
        if status is not None:
            assert done.returncode == status, f"{command} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    run.folder = tmp_path
    return run
