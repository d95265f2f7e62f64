"""The page on programs: what it shows runs as written."""

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "programs.md").read_text("utf-8")


@pytest.mark.framework
def test_the_programs_run_as_written(tmp_path, python):
    program, query = re.findall(r"```python\n(.+?)```", PAGE, flags=re.DOTALL)
    measured, counted = (
        python(text, cwd=tmp_path).stdout.splitlines() for text in (program, query)
    )
    assert [line.split(" on ")[0] for line in measured] == ["vgg:tiny identity", "vgg:tiny sptq"]
    assert all(line.split()[-2] == "ok" and float(line.split()[-1]) > 0 for line in measured)
    assert [line.split()[1] for line in counted] == ["20", "20"]
