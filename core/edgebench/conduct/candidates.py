"""Where the pipelines of measured cases could be cut as well, as the operator that cuts says."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from edgebench.analysis.cut_predictions import Candidate
from edgebench.analysis.prefixes import UNTRANSFORMED
from edgebench.cases.case import Case
from edgebench.cases.operations import Operation
from edgebench.parts.errors import EdgebenchError
from edgebench.prepare.make import Maker
from edgebench.prepare.recipe import Recipes
from edgebench.prepare.steps import follow


def find_uncut(case: Case, recipes: Recipes) -> tuple[str, Operation] | None:
    """Return the chain of a case without its last operator, and that, if it cuts in two and lists.

    None for any other chain, and for one that holds what is not installed here.
    """
    try:
        operations = recipes.chains.of(case.chain)
        if not operations or operations[-1].cuts != 1 or not operations[-1].operator.list_cuts:
            return None
        before = "+".join(one.written for one in operations[:-1])
        # With the options that it has by itself: those of the case name one cut.
        (plain,) = recipes.chains.of(operations[-1].operator.name)
        return (recipes.chains.spell(before) if before else UNTRANSFORMED), plain
    except EdgebenchError:
        return None


def list_candidates(case: Case, recipes: Recipes) -> Sequence[Candidate] | str:
    """Return where the pipeline of a case could be cut; or why that is not known.

    Only a pipeline that lies in the store is looked at: none is trained for it.
    """
    found = find_uncut(case, recipes)
    if found is None:
        return "no operator that is installed here says where"
    chain, operation = found
    # Untransformed it is the model as the cut was given it: a run without `identity` has it too.
    whole = attrs.evolve(case, chain="" if chain == UNTRANSFORMED else chain)
    try:
        steps = recipes.before(whole, operation.operator)
        if follow(steps, lambda step: recipes.store.find(step.key)) is None:
            return (
                f"the pipeline of {chain} as its files and the code of its plugins are now is not "
                f"in the store; `edgebench run` with {case.chain} makes it"
            )
        cuts = Maker(recipes, lambda *_: None).list_cuts(whole, operation)
    except EdgebenchError as error:
        return str(error)
    assumed = ", ".join(f"{name} = {size}" for name, size in cuts.assumed.items())
    before = "" if chain == UNTRANSFORMED else f"{chain}+"
    return [
        Candidate(
            chain=recipes.chains.spell(before + cut.written),
            bytes=cut.bytes,
            share=cut.operations[0],
            assumed=assumed,
        )
        for cut in cuts.cuts
        if cut.written and cut.exact
    ]
