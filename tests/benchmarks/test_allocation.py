"""The benchmark of a whole allocation, from a folder of files to its figures."""

import json
import subprocess
import sys
from pathlib import Path

from app.exchange import demo, exports


def test_it_measures_every_phase_and_what_is_proven(tmp_path: Path) -> None:
    folder, figures = tmp_path / "district", tmp_path / "figures.json"
    exports.save(demo.district(seed=1, scale=0.02), folder)
    command = [sys.executable, "-m", "benchmarks.allocation", str(folder), "--runs", "1", "--json", str(figures)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    (measured,) = json.loads(figures.read_text("utf-8"))
    assert list(measured["seconds"]) == ["import", "verify and decide", "snapshot", "solving", "approve", "verify"]
    assert 0 < measured["housed"] <= measured["eligible"]
    assert measured["proof"] in done.stdout
