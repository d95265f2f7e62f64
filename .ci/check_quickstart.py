"""Fail unless the quickstart in a database is what the project promises of it.

Every planned case `ok`, an accuracy of at least 97 %, int8 at most a point worse, agreement in
f32, phases that add up, verified links. It judges no latency.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edgebench.database import Database

CASES = 34
LEAST_ACCURACY = 0.97
MOST_LOSS = 0.01
F32_DIFFERENCE = 1e-4


def problems(case: dict[str, Any]) -> list[str]:
    """Return what is wrong with one case."""
    if case["status"] != "ok":
        return [f"{case['status']}: {case['reason']}"]
    found = []
    accuracy, loss = case["accuracy"]["top1"], case["accuracy_loss"]["top1"]
    if accuracy < LEAST_ACCURACY:
        found.append(f"accuracy {accuracy:.3f}")
    if loss > MOST_LOSS:
        found.append(f"loses {100 * loss:.2f} points")
    difference = case["agreement"]["max_abs_difference"]
    if case["precision"] == "f32" and difference > F32_DIFFERENCE:
        found.append(f"differs by {difference:.2g} in f32")
    unaccounted = case["groups_s"].get("unaccounted", 0.0)
    if abs(unaccounted) > max(2e-4, 0.02 * case["latency_s"]["median"]):
        found.append(f"{unaccounted * 1e3:.3f} ms unaccounted")
    if case["placement"] != "mobile" and not case["links"]:
        found.append("its links were not verified")
    return found


def main(path: str) -> int:
    """Print what is wrong, and return 1 if anything is."""
    with Database.open(Path(path)) as database:
        cases = database.run().to_json()["cases"]
    failed = 0
    for case in cases:
        for problem in problems(case):
            failed += 1
            print(
                f"{case['model']} {case['chain']} {case['placement']} {case['backend']}: {problem}"
            )
    if len(cases) != CASES:
        failed += 1
        print(f"{len(cases)} cases, not {CASES}")
    print(f"quickstart: {len(cases)} cases, {failed} problems")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
