"""What OpenVINO says went wrong, without where in its own code."""

from __future__ import annotations

import re

IDLE = re.compile(
    r"Exception from |FrontEnd API failed|Model wasn't fully converted|Summary:|-- Conversion is "
    r"failed for|While validating (ONNX )?node '.*':$"
)
"""How the lines of its errors begin that say where in its own code it gave up, not why."""
CHECKED = re.compile(r"(While validating ONNX node '.*': )?Check '.*' failed at \S+:\d+:|^-- ")
"""The part of a line that does."""


def find_reason(error: RuntimeError) -> str:
    """Return what an error of OpenVINO's says, without where in its own code it arose."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [CHECKED.sub("", line).strip() for line in lines if not IDLE.match(line)]
    said = [line.removesuffix(" with a message:") for line in said if line]
    return ": ".join(said) or (lines[-1] if lines else type(error).__name__)
