"""An operator that breaks a promise is told by that promise and no other."""

from __future__ import annotations

import pytest

OFFER = """
    @hookimpl
    def edgebench_operators():
        yield Operator(name="bad", summary="Bad.", apply=change, reads=["toy-matrix"], **more)
"""
GOOD = """
    more = {}

    def change(pipeline, context):
        return pipeline.replaced([s.changed(s.live * 0.5) for s in pipeline.stages])
"""
CASES = {
    "test_what_it_is_given_stays": """
        more = {}

        def change(pipeline, context):
            for stage in pipeline.stages:
                stage.live[...] *= 0.5
            return pipeline.replaced([s.changed(s.live) for s in pipeline.stages])
    """,
    "test_it_uses_what_it_declares": """
        more = {}

        def change(pipeline, context):
            context.inputs("calibration")
            return pipeline.replaced([s.changed(s.live * 0.5) for s in pipeline.stages])
    """,
    "test_the_same_seed_makes_the_same": """
        more = {}

        def change(pipeline, context):
            import numpy as np

            noise = np.random.default_rng().normal(size=(8, 3)).astype("float32")
            return pipeline.replaced([s.changed(s.live + noise) for s in pipeline.stages])
    """,
    "test_it_changes_something": """
        more = {}

        def change(pipeline, context):
            return pipeline
    """,
    "test_what_it_makes_runs": """
        more = {}

        def change(pipeline, context):
            return pipeline.replaced([s.changed(s.live / 0) for s in pipeline.stages])
    """,
    "test_it_can_be_applied": """
        more = {"cuts": lambda options: 1}

        def change(pipeline, context):
            return pipeline.replaced([s.changed(s.live * 0.5) for s in pipeline.stages])
    """,
    "test_it_refuses_with_reasons": """
        def accepts(pipeline):
            return {"toy-matrix": True}[pipeline.stages[0].format]

        more = {"accepts": accepts}

        def change(pipeline, context):
            return pipeline.replaced([s.changed(s.live * 0.5) for s in pipeline.stages])
    """,
    "test_its_options_are_explained": """
        @attrs.frozen(kw_only=True)
        class Options:
            '''How.'''
            by: float = 0.5

        more = {"options": Options}

        def change(pipeline, context):
            by = context.options.by
            return pipeline.replaced([s.changed(s.live * by) for s in pipeline.stages])
    """,
    "test_its_options_refuse_nonsense": """
        def check(options, field, value):
            {"half": 0.5}[value]

        @attrs.frozen(kw_only=True)
        class Options:
            '''How.'''
            by: str = attrs.field(default="half", validator=check)
            '''How much.'''

        more = {"options": Options}

        def change(pipeline, context):
            return pipeline.replaced([s.changed(s.live * 0.5) for s in pipeline.stages])
    """,
}


def test_a_sound_operator_holds_every_promise(verdicts):
    found = verdicts("operator", GOOD, OFFER)
    assert {one.status for one in found.values()} == {"held", "not checked"}
    unchecked = {name for name, one in found.items() if one.status == "not checked"}
    assert unchecked == {"test_its_options_are_explained", "test_its_options_refuse_nonsense"}
    assert [doubt for one in found.values() for doubt in one.doubts] == []


@pytest.mark.parametrize("promise", CASES)
def test_a_promise_that_is_broken_is_told(broken, promise):
    why = broken("operator", CASES[promise], OFFER)
    assert list(why) == [promise]


def test_one_that_raises_is_told_once(broken):
    text = """
    more = {}

    def change(pipeline, context):
        raise ZeroDivisionError("by nothing")
    """
    assert broken("operator", text, OFFER) == {
        "test_it_can_be_applied": "it fails: ZeroDivisionError: by nothing"
    }


def test_a_need_that_is_declared_and_not_used_is_doubted(verdicts):
    text = GOOD.replace("more = {}", "more = {'needs': ['calibration', 'run']}")
    found = verdicts("operator", text, OFFER)["test_it_uses_what_it_declares"]
    assert (found.status, found.doubts) == (
        "held",
        ("it declares the need for calibration, run and has not used it here",),
    )


def test_it_is_tried_with_given_options_too(broken):
    text = """
    @attrs.frozen(kw_only=True)
    class Options:
        '''How.'''
        by: float = 0.5
        '''What is multiplied by.'''

    more = {"options": Options}

    def change(pipeline, context):
        by = context.options.by
        return pipeline.replaced([s.changed(s.live * by) for s in pipeline.stages])
    """
    why = broken("operator", text, OFFER, options=["by=nan"])
    assert list(why) == ["test_what_it_makes_runs"]
    assert why["test_what_it_makes_runs"].startswith("with (by=nan) ")


def test_one_that_does_not_load_is_told_with_its_cause(broken):
    why = broken("operator", "raise SystemExit('run setup first')")
    assert list(why) == ["test_it_is_found"]
    assert "run setup first" in why["test_it_is_found"]


def test_a_name_that_nobody_offers_is_told(broken):
    why = broken("operator", GOOD, OFFER, name="toy-rond")
    assert "did you mean 'toy-round'?" in why["test_it_is_found"]


def test_a_plugin_that_imports_a_framework_is_told(broken, tmp_path, monkeypatch):
    package = tmp_path / "site-packages" / "heavy_framework"
    package.mkdir(parents=True)
    for number in range(120):
        (package / f"part{number}.py").touch()
    (package / "__init__.py").write_text(
        f"import importlib\nfor n in range(120): importlib.import_module(f'{package.name}.part{{n}}')"
    )
    monkeypatch.syspath_prepend(package.parent)
    why = broken("operator", "import heavy_framework\n", GOOD, OFFER, but=())
    assert list(why) == ["test_its_plugin_imports_no_framework"]
    assert "heavy_framework" in why["test_its_plugin_imports_no_framework"]


def test_outputs_that_are_no_number_are_the_same_each_time(broken):
    text = """
        more = {}

        def change(pipeline, context):
            import numpy as np

            def noise(stage):
                made = stage.live + np.random.default_rng().normal(size=(8, 3))
                made[0] = np.nan
                return stage.changed(made.astype("float32"))

            return pipeline.replaced([noise(stage) for stage in pipeline.stages])
    """
    assert list(broken("operator", text, OFFER)) == ["test_what_it_makes_runs"]
