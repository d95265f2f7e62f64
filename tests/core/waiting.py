"""How tests wait for what other processes do."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path


def wait_for(file: Path, process: subprocess.Popen[str] | None = None) -> None:
    """Wait until a file is there, which a process may have to write; a file system tells no one."""
    end = time.monotonic() + 60
    while not file.exists():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
