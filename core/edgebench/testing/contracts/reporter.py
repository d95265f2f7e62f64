"""What a reporter promises."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Mapping
from typing import Any

import attrs

from edgebench.analysis.result import Result
from edgebench.analysis.results import RunResults
from edgebench.parts.errors import one_line
from edgebench.parts.places import Reporter
from edgebench.testing.contracts.contract import Contract, hold
from edgebench.testing.results import case_of, result_of, run_of

NO_NUMBER = re.compile(r"\b(nan|inf|infinity)\b", re.IGNORECASE)


def make_runs() -> Mapping[str, RunResults]:
    """Return runs that a reporter must lay out, by what is in them."""
    plain, other = case_of(), case_of("shrink(by=2)+halve", "mobile", "edge")
    sound = result_of(plain)
    failed = Result(case=other, status="failed", reason="it ran out of memory", planned=3)
    skipped = Result(case=other, status="skipped", reason="halve needs a GPU", planned=3)
    partial, unmeasured = (
        attrs.evolve(
            result_of(other, blocks=number),
            status="partial",
            reason=f"{number} of 3 blocks were measured",
            planned=3,
        )
        for number in (1, 0)
    )
    return {
        "nothing": run_of([]),
        "one case": run_of([sound]),
        "two cases": run_of([sound, result_of(other, median_s=4e-3)]),
        "a case that failed": run_of([sound, failed]),
        "a case that was skipped": run_of([sound, skipped]),
        "only what failed": run_of([failed]),
        "a case that was measured in part": run_of([sound, partial]),
        "a case of which nothing was measured": run_of([sound, unmeasured]),
        "a case without accuracy": run_of([_without_figures(sound)]),
    }


def _without_figures(result: Result) -> Result:
    if result.facts is None:
        return result
    return attrs.evolve(result, facts=attrs.evolve(result.facts, figures=()))


class ReporterContract(Contract):
    """What a reporter promises: runs of every kind, laid out.

    They are made up: a reporter that sends results to a server sends these too.
    """

    kind = Reporter

    def test_it_lays_out_any_run(self) -> None:
        """It lays out runs whose cases failed, were skipped, or were measured in part, and none."""
        for what, run in make_runs().items():
            laid = self._render(what, run)
            hold(laid, f"of a run with {what} it gives nothing")

    def test_it_takes_details(self) -> None:
        """It lays out a run in full, and what else it says that it shows."""
        run = make_runs()["two cases"]
        self._render("two cases, in full", attrs.evolve(run, in_full=True))
        if "operators" in self.part.shows:
            self._render("two cases, by operator", attrs.evolve(run, by_operator=True))
        if "questions" in self.part.shows:
            self._render("two cases, by question", attrs.evolve(run, conclusions=()))

    def test_it_writes_no_figure_that_is_none(self) -> None:
        """Of results that hold no such figure, it writes no `nan` and no `inf`."""
        for what, run in make_runs().items():
            laid = self._render(what, run)
            if isinstance(laid, str):
                # What is between the marks of a page may be program text, which names them.
                found = NO_NUMBER.search(re.sub(r"(?s)<script.*?</script>", "", laid))
                hold(not found, f"of a run with {what} it writes {found and found[0]!r}")

    def test_results_stay(self) -> None:
        """The results that it is given are as they were."""
        for what, run in make_runs().items():
            before = json.dumps(run.to_json(), sort_keys=True, default=str)
            self._render(what, run)
            after = json.dumps(run.to_json(), sort_keys=True, default=str)
            hold(before == after, f"it changes the results of a run with {what}")

    def _render(self, what: str, run: RunResults) -> str | bytes:
        """Return what is laid out as a terminal or a file would have it."""
        reporter: Reporter = self.part
        # Where a reporter keeps files beside what calls it, results that are made up have no place.
        place = self.bench.scratch / "reports"
        place.mkdir(exist_ok=True)
        try:
            with contextlib.chdir(place):
                laid: Any = reporter.render(run)
        except Exception as error:
            raise AssertionError(f"of a run with {what} it fails: {one_line(error)}") from error
        if isinstance(laid, str | bytes):
            return laid
        from rich.console import Console

        file = io.StringIO()
        try:
            Console(file=file, width=120).print(laid)
        except Exception as error:
            raise AssertionError(
                f"of a run with {what} it gives {type(laid).__name__}, which rich does not print: "
                f"{one_line(error)}"
            ) from error
        return file.getvalue()
