"""The page on programs: what it shows runs as written."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "programs.md").read_text("utf-8")


@pytest.mark.process
@pytest.mark.framework
def test_the_programs_run_as_written(tmp_path):
    program, query = re.findall(r"```python\n(.+?)```", PAGE, flags=re.DOTALL)
    lines = []
    for text in (program, query):
        done = subprocess.run(
            [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        lines.append(done.stdout.splitlines())
    measured, counted = lines
    assert [line.split(" on ")[0] for line in measured] == ["vgg:tiny identity", "vgg:tiny sptq"]
    assert all(line.split()[-2] == "ok" and float(line.split()[-1]) > 0 for line in measured)
    assert [line.split()[1] for line in counted] == ["20", "20"]
