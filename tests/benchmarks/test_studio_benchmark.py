"""What `python -m benchmarks.studio` measures is there: steps with and without pages, and every answer."""

import pytest

from benchmarks import studio


@pytest.mark.slow
def test_a_short_measurement(capsys, monkeypatch):
    monkeypatch.setattr(studio, "SETTLES_S", 0.1)
    monkeypatch.setattr(studio, "PAGES", (0, 1))
    studio.main(rounds=1, seconds=0.5)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines if line.startswith("|")][2:4] == ["0", "1"]
    for name in studio.ASKED:
        assert any(line.startswith(f"| {name} |") for line in lines)
