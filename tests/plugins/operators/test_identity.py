from __future__ import annotations

import pytest

from edgebench_plugins.operators import identity


@pytest.mark.framework
def test_it_gives_back_what_it_was_given(residual, context):
    (operator,) = identity.edgebench_operators()
    assert operator.apply(residual, context()) is residual
    assert operator.needs == frozenset()
    assert operator.reads == ()
    assert operator.cuts(operator.options()) == 0
