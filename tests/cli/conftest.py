"""The program, as a user runs it."""

import os
import subprocess
import sys

import pytest

from program import PROGRAM


@pytest.fixture
def pellucid(tmp_path, monkeypatch, capfd):
    """Run a command in an empty folder: ``pellucid("train", "digits")`` -> the finished process.

    It is the installed program. A command that is expected to refuse its input (status 2) runs in this process instead,
    which spares a second of imports each time; `test_the_installed_program_refuses_bad_input_too` sees to the rest.
    """

    def run(*arguments, status=0, installed=False, **options):
        environment = {"PELLUCID_DATA": str(tmp_path / "data folder"), "COLUMNS": "200"}
        environment["PELLUCID_QUIET"] = "1"  # whether kernels were compiled before is not the matter here
        environment |= options.pop("env", {})
        command = [str(PROGRAM), *map(str, arguments)]
        if status == 2 and not installed and not options:
            done = _in_this_process(command, environment, tmp_path, monkeypatch, capfd)
        else:
            environment = os.environ | environment
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, **options
            )
        if status is not None:
            assert done.returncode == status, f"{command} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    run.folder = tmp_path
    return run


def _in_this_process(command, environment, folder, monkeypatch, capfd):
    from pellucid.cli import main

    capfd.readouterr()
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", command)
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as left:
            main()
    out, err = capfd.readouterr()
    return subprocess.CompletedProcess(command, left.value.code, out, err)
