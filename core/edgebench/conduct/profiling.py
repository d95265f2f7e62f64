"""Profiling: once for each artifact, tier and backend on this machine, kept in the artifact store.

A profile comes before the step of the operator that needs it, so while a case is being prepared;
it is measured as blocks are, by fresh processes on the tier's host, when no worker is at work.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from itertools import dropwhile
from pathlib import Path

import attrs

from edgebench.catalogue.plugins import Plugins
from edgebench.conduct.deployments import identify_compilers, name_code
from edgebench.measure.stand.compiling import compile_on_hosts
from edgebench.measure.stand.deployment import Deployment
from edgebench.measure.stand.profiling import profile_on_host
from edgebench.parts.digest import digest
from edgebench.parts.pipeline import Pipeline, Profile
from edgebench.parts.places import Backend, Fabric, Tier
from edgebench.prepare.orders import Progress
from edgebench.prepare.profile_files import write_profile
from edgebench.prepare.steps import Measure
from edgebench.records.environment import describe
from edgebench.store.artifacts import Store, read_pipeline, write_pipeline
from edgebench.store.splits import open_split

OPEN = ("validation", "calibration")
"""The splits that inputs may be of, the first that holds some; never the test split."""
TRIES = 2
"""How often a profile that was disturbed is measured before the last is taken as it is."""


@attrs.frozen(kw_only=True)
class Profiling:
    """Finds profiles in the store, or has them measured and keeps them."""

    plugins: Plugins
    store: Store
    progress: Progress
    stopping: Callable[[], bool]
    limit_s: float
    """Seconds of silence after which profiling is ended."""
    scratch: Path
    """A directory for what is thrown away."""

    def find_or_measure(self, step: Measure, splits: Path) -> Path:
        """Return where the profile of a step lies, measured if it was not on such a machine.

        *splits* is the directory of the kept splits of its case.

        Raises:
            CaseFailed: A stage cannot be run there, or its backend gives no sound profile.
            Stopped: The user wants an end.
        """
        here = describe()
        processors = [here.processor, here.architecture, here.cpus]
        key = digest([step.key, *processors, here.cpus_usable, here.cpu_limit])

        def fill(directory: Path) -> None:
            # What was disturbed would be believed for good; what stays so is kept with its doubts.
            profiles = (self._measure(step, splits) for _ in range(TRIES))
            profile = next(dropwhile(lambda one: one.doubts, profiles), None)
            write_profile(profile or self._measure(step, splits), directory)

        return self.store.make(key, step.what, fill)

    def _measure(self, step: Measure, splits: Path) -> Profile:
        self.progress(0, 1, step.what)
        fabric = self.plugins.get(Fabric, step.case.fabric)
        (choice,) = step.case.backends
        with tempfile.TemporaryDirectory(dir=self.scratch) as place:
            deployment = self._deploy(step, splits, Path(place))
            backends = [self.plugins.get(Backend, choice.name)]
            compile_on_hosts(deployment, fabric, backends, self.stopping)
            return profile_on_host(
                deployment,
                fabric,
                lambda done, stages: self.progress(done, stages, step.what),
                self.stopping,
            )

    def _deploy(self, step: Measure, splits: Path, place: Path) -> Deployment:
        artifact, pipeline = _join_pieces(step.before, place)
        return Deployment(
            case=step.case,
            artifact=artifact,
            pipeline=pipeline,
            split=_choose_split(splits),
            compiled=self.store.compiled.root,
            deadline_s=self.limit_s,
            source=self.plugins.source,
            tiers=tuple(self.plugins.get(Tier, name) for name in step.case.route),
            scratch=self.scratch,
            code=name_code(self.plugins, step.case),
            compilers=identify_compilers(self.plugins, step.case),
        )


def _choose_split(splits: Path) -> Path:
    """Return the split that inputs are of; the last of them may be empty too."""
    places = [splits / name for name in OPEN]
    return next((place for place in places if len(open_split(place))), places[-1])


def _join_pieces(artifact: Path, place: Path) -> tuple[Path, Pipeline]:
    """Return a prepared pipeline as one piece, as one host runs all of it; copied if it is cut."""
    pipeline = read_pipeline(artifact)
    if not pipeline.cuts:
        return artifact, pipeline
    shutil.copytree(artifact, place, dirs_exist_ok=True)
    write_pipeline(pipeline.replaced(pipeline.stages, cuts=()), place)
    return place, read_pipeline(place)
