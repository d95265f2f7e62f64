from __future__ import annotations

from textwrap import dedent

import attrs
import pytest

from edgebench import Link
from edgebench.cases.plan import make_plan
from edgebench.cases.study import Study
from edgebench.catalogue.plugins import Plugins
from edgebench.catalogue.registry import Registry
from edgebench.catalogue.rows import Product, Skip, Suite
from edgebench.parts.errors import ChainError, NameClash, OptionError, UnknownName
from edgebench.sessions.asking import ask_in_processes


def study(**changes) -> Study:
    row = Product(
        models=changes.pop("models", ("toy",)),
        operators=changes.pop("operators", ("identity",)),
        placements=changes.pop("placements", ("mobile",)),
        backends=changes.pop("backends", ("toy-numpy",)),
        **{key: changes.pop(key) for key in ("fabric", "scenario") if key in changes},
    )
    own = {
        key: changes.pop(key)
        for key in ("skips", "links", "blocks", "requests", "suite_input_at")
        if key in changes
    }
    own["input_at"] = own.pop("suite_input_at", "")
    return Study(suite=Suite(name="", summary="", products=(row,), **own), **changes)


@pytest.fixture
def plan(toy_plugins, answering):
    ask = answering({("toy-chip", "cloud"): "not on cloud"})
    return lambda **changes: make_plan(study(**changes), toy_plugins, ask=ask)


def labels(cases):
    return [f"{case.chain} {case.placement} {case.backend}" for case in cases]


def reasons(plan):
    return {
        f"{one.case.chain} {one.case.placement} {one.case.backend}": one.reason
        for one in plan.skipped
    }


def test_cases_are_the_product_of_what_is_named(plan):
    made = plan(operators=("identity", "toy-round"), placements=("mobile", "edge"))
    assert labels(made.cases) == [
        "identity mobile toy-numpy",
        "identity edge toy-numpy",
        "toy-round mobile toy-numpy",
        "toy-round edge toy-numpy",
    ]
    assert made.skipped == ()


def test_what_is_left_open_is_as_the_registry_says(toy, answering, tmp_path):
    tmp_path.joinpath("own.toml").write_text('[defaults]\nplacement = "edge"\n')
    registry = Registry.read([tmp_path / "own.toml"])
    plugins = Plugins.load(registry, [toy])
    made = make_plan(study(operators=(), placements=()), plugins, ask=answering({}))
    assert labels(made.cases) == ["identity edge toy-numpy"]
    assert [case.fabric for case in made.cases] == ["process"]


def test_a_case_knows_its_route_its_data_and_its_weights(plan):
    (case,) = plan(placements=("edge",)).cases
    assert case.route == ("mobile", "edge")
    assert [link.rate for link in case.links] == [200e6]
    assert (case.dataset, case.weights.kind, case.variant) == ("toy-points", "trained", "small")


def test_pieces_and_tiers_must_be_equally_many(plan):
    made = plan(operators=("toy-cut", "identity"), placements=("mobile", "mobile-edge"))
    assert labels(made.cases) == ["toy-cut mobile-edge toy-numpy", "identity mobile toy-numpy"]
    assert reasons(made) == {
        "toy-cut mobile toy-numpy": "mobile needs 1 piece, toy-cut gives 2",
        "identity mobile-edge toy-numpy": "mobile-edge needs 2 pieces, identity gives 1",
    }


def test_formats_that_nothing_converts_are_explained(plan):
    made = plan(operators=("toy-seal", "toy-seal+toy-round"), backends=("toy-numpy", "toy-chip"))
    assert labels(made.cases) == ["toy-seal mobile toy-chip"]
    late = (
        "no converter from toy-sealed to toy-matrix, which toy-round reads; "
        "toy-seal gives toy-sealed, so toy-round must come before toy-seal"
    )
    assert reasons(made) == {
        "toy-seal mobile toy-numpy": "no converter from toy-sealed to toy-matrix, which toy-numpy reads",
        "toy-seal+toy-round mobile toy-numpy": late,
        "toy-seal+toy-round mobile toy-chip": late,
    }


def test_a_backend_is_asked_whether_it_is_usable_on_each_tier(plan):
    made = plan(placements=("edge", "cloud"), backends=("toy-chip",))
    assert labels(made.cases) == ["identity edge toy-chip"]
    assert reasons(made) == {"identity cloud toy-chip": "toy-chip: not on cloud"}


@pytest.mark.process
def test_a_backend_is_asked_in_a_process_of_its_own(toy_plugins):
    wanted = study(placements=("edge", "cloud"), backends=("toy-chip", "toy-chip:9"))
    made = make_plan(wanted, toy_plugins, ask_in_processes)
    assert labels(made.cases) == ["identity edge toy-chip"]
    assert reasons(made) == {
        "identity cloud toy-chip": "toy-chip: not on cloud",
        "identity edge toy-chip:9": "toy-chip:9: has no device '9' here; it has cpu",
        "identity cloud toy-chip:9": "toy-chip:9: not on cloud",
    }


def test_backends_are_asked_together_once_and_only_those_that_may_run(toy_plugins, answering):
    asked = []
    wanted = study(
        operators=("identity", "toy-round", "toy-seal+toy-round"),
        placements=("mobile", "edge"),
        backends=("toy-numpy", "toy-chip", "toy-chip:cpu", "onnxruntime"),
    )
    make_plan(wanted, toy_plugins, ask=answering({}, asked))
    assert asked == [{"toy-numpy": [""], "toy-chip": ["", "cpu"]}]


def test_backends_may_differ_by_tier(plan):
    (case,) = plan(
        operators=("toy-cut",),
        placements=("mobile-edge",),
        backends=("mobile=toy-chip,edge=toy-numpy",),
    ).cases
    assert [choice.name for choice in case.backends] == ["toy-chip", "toy-numpy"]
    assert case.backend == "mobile=toy-chip,edge=toy-numpy"


def test_a_tier_without_a_backend_of_its_own_is_a_mistake(plan):
    with pytest.raises(ChainError, match="no backend is given for the tier edge"):
        plan(operators=("toy-cut",), placements=("mobile-edge",), backends=("mobile=toy-chip",))


def test_placement_and_backend_have_defaults(plan):
    made = plan(placements=(), backends=())
    cases = labels(made.cases)
    assert "identity mobile toy-numpy" in cases
    assert "identity mobile toy-chip" in cases
    assert all(" mobile " in label for label in [*cases, *reasons(made)])


def test_patterns_stand_for_all_that_they_match(plan):
    made = plan(models=("to*:sm*",), placements=("mobile*",), backends=("toy-*",))
    assert {str(case.placement) for case in made.cases} == {"mobile"}
    assert {str(one.case.placement) for one in made.skipped} == {
        "mobile-edge", "mobile-cloud", "mobile-edge-cloud",
    }  # fmt: skip


def test_links_given_twice_are_measured_in_turn(plan):
    sweep = tuple(Link(between=("edge", "mobile"), rate=rate) for rate in (1e6, 1e7))
    made = plan(placements=("edge",), sweep=sweep)
    assert [case.links[0].rate for case in made.cases] == [1e6, 1e7]
    assert made.cases[0].route == ("mobile", "edge")
    assert len({case.id for case in made.cases}) == 2


def test_the_input_is_where_the_user_the_suite_or_the_registry_says(plan):
    def routes(**changes):
        return [case.route for case in plan(placements=("edge",), **changes).cases]

    assert routes() == [("mobile", "edge")]
    assert routes(suite_input_at="cloud") == [("cloud", "edge")]
    assert routes(suite_input_at="cloud", input_at="edge") == [("edge",)]


@pytest.mark.parametrize("key", ["input_at", "suite_input_at"])
def test_an_input_on_a_tier_that_nobody_knows_is_a_mistake(plan, key):
    with pytest.raises(UnknownName, match="no tier is called 'egde'; did you mean 'edge'"):
        plan(**{key: "egde"})


def test_a_case_without_a_way_from_the_input_is_left_out_and_has_no_route(toy, answering, tmp_path):
    (tmp_path / "own.toml").write_text(
        '[tiers.watch]\nsummary = "A watch."\ncpus = 1\nmemory_gib = 1\nsource = "none"\n'
        '[tiers.phone]\nsummary = "A phone."\ncpus = 4\nmemory_gib = 4\nsource = "none"\n'
        '[[links]]\nbetween = ["watch", "phone"]\nrate = "1mbit"\nsource = "none"\n'
    )
    registry = Registry.read([tmp_path / "own.toml"])
    plugins = Plugins.load(registry, [toy])
    made = make_plan(study(placements=("mobile", "phone")), plugins, ask=answering({}))
    assert [case.route for case in made.cases] == [("mobile",)]
    ((lost, why),) = ((one.case, one.reason) for one in made.skipped)
    assert lost.route == lost.links == ()
    assert why.startswith("say --input-at: which of phone, watch holds the input?")
    said = make_plan(study(placements=("phone",), input_at="watch"), plugins, ask=answering({}))
    assert [case.route for case in said.cases] == [("watch", "phone")]


@pytest.mark.parametrize("placements", [("mobile",), ("mobile", "edge")])
def test_a_link_that_no_case_uses_is_refused(plan, placements):
    link = Link(between=("edge", "cloud"), rate=1e6, delay=2e-3)
    with pytest.raises(ChainError, match="^no case uses --link edge-cloud=1mbit,2ms; leave it out"):
        plan(placements=placements, sweep=(link,))
    assert plan(placements=(*placements, "cloud"), sweep=(link,)).cases


def test_a_link_that_only_a_case_that_is_left_out_would_use_is_used(plan):
    made = plan(
        placements=("cloud",),
        backends=("toy-chip",),
        sweep=(Link(between=("edge", "cloud"), rate=1e6),),
    )
    assert (made.cases, len(made.skipped)) == ((), 1)


def test_a_suites_own_links_come_before_the_registrys(plan):
    (case,) = plan(placements=("edge",), links=(Link(between=("mobile", "edge"), rate=5e6),)).cases
    assert case.links[0].rate == 5e6


def test_skip_rows_leave_cases_out_with_their_reason(plan):
    skip = Skip(operators=("toy-*",), placements=("edge",), why="known to be hopeless")
    made = plan(operators=("toy-round", "identity"), placements=("edge",), skips=(skip,))
    assert labels(made.cases) == ["identity edge toy-numpy"]
    assert reasons(made) == {"toy-round edge toy-numpy": "known to be hopeless"}


def test_the_reference_is_the_model_untransformed_on_the_nearest_backend(plan):
    (case,) = plan(operators=("toy-round",), placements=("edge",), backends=("toy-chip",)).cases
    reference = plan(
        operators=("toy-round",), placements=("edge",), backends=("toy-chip",)
    ).references[case.id]
    assert (reference.chain, str(reference.placement), reference.backend) == (
        "",
        "mobile",
        "toy-numpy",
    )
    assert reference.links == ()


NEAR = """
    from edgebench import Backend, Converter, Model, hookimpl

    @hookimpl
    def edgebench_models():
        yield Model(name="near", summary="A model.", build=print, format="{form}")

    @hookimpl
    def edgebench_converters():
        for name, source, target, exact in {converters}:
            yield Converter(name=name, summary="One.", source=source, target=target, convert=print,
                            exact=exact)

    @hookimpl
    def edgebench_backends():
        for name in ("a", "b", "c"):
            yield Backend(name=name, summary="One.", open=print, formats=["for-" + name])
"""


@pytest.mark.parametrize(
    ("form", "converters", "nearest"),
    [
        # Where nothing is converted, or nothing is exact, names decide.
        ("for-b", [], "b"),
        ("own", [("x", "own", "for-c", False), ("y", "own", "for-b", False)], "b"),
        # Fewer converters come before more.
        ("own", [("x", "own", "for-c", False), ("y", "for-c", "for-a", False)], "c"),
        # An exact way comes before all others, a longer one too; it is one that is exact as a whole.
        ("own", [("x", "own", "for-a", False), ("y", "own", "for-c", True)], "c"),
        ("own", [("x", "own", "for-a", False), ("y", "own", "z", True),
                 ("z", "z", "for-b", True)], "b"),
        ("own", [("x", "own", "for-c", False), ("y", "own", "z", True),
                 ("z", "z", "for-b", False)], "c"),
    ],
)  # fmt: skip
def test_the_reference_computes_as_the_model_does(planned, form, converters, nearest):
    stranger = NEAR.format(form=form, converters=converters)
    made = planned(stranger, models=("near",), backends=("*",), placements=("edge",))
    found = {reference.backend for reference in made.references.values()}
    assert found == {nearest}


def test_a_reference_that_is_not_usable_gives_way_to_the_next(toy_plugins, answering):
    def plan(answers):
        wanted = study(backends=("toy-chip",), placements=("edge",))
        return make_plan(wanted, toy_plugins, ask=answering(answers))

    (reference,) = plan({}).references.values()
    assert reference.backend == "toy-numpy"
    (reference,) = plan({("toy-numpy", "mobile"): "not today"}).references.values()
    assert reference.backend == "toy-chip"
    gone = {(name, "mobile"): "not today" for name in ("toy-numpy", "toy-chip")}
    assert plan(gone).references == {}


def test_what_ships_is_compared_with_what_its_models_are_written_in(registry, answering):
    plugins = Plugins.load(registry)
    wanted = study(
        models=("*:small",), operators=("sptq",), backends=("onnxruntime",), weights="random"
    )
    made = make_plan(wanted, plugins, ask=answering({}))
    assert len(made.references) == len(made.cases) > 0
    assert {reference.backend for reference in made.references.values()} == {"torch"}


def test_the_digest_of_a_plan_is_what_a_resumed_run_shares(plan):
    assert plan().digest == plan().digest
    assert plan().digest != plan(seed=1).digest
    assert plan().digest != plan(blocks=2).digest


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"models": ("tyo",)}, UnknownName, "no model is called 'tyo'; did you mean 'toy'"),
        ({"models": ("toy:large",)}, UnknownName, "no variant of toy is called 'large'"),
        ({"models": ("z*",)}, UnknownName, "no model matches 'z\\*:\\*'"),
        ({"models": ("./no.file",)}, UnknownName, "there is no file or directory './no.file'"),
        ({"models": ("nets/toy",)}, UnknownName, "there is no file or directory 'nets/toy'"),
        ({"models": (".toy",)}, UnknownName, "there is no file or directory '.toy'"),
        ({"models": ("toy.x",)}, UnknownName, "no model is called 'toy.x'; did you mean 'toy'"),
        ({"operators": ("toy-rond",)}, UnknownName, "did you mean 'toy-round'"),
        ({"operators": ("",)}, ChainError, "the chain is empty"),
        ({"operators": ("toy-round(digit=1)",)}, OptionError, "did you mean 'digits'"),
        ({"placements": ("moon",)}, UnknownName, "no tier is called 'moon'"),
        ({"backends": ("toy-nmpy",)}, UnknownName, "did you mean 'toy-numpy'"),
        (
            {"backends": ("toy-numpy(x=1)",)},
            OptionError,
            "toy-numpy has no option 'x'; it takes none",
        ),
        ({"fabric": "silk"}, UnknownName, "no fabric is called 'silk'"),
        ({"scenario": "multi"}, UnknownName, "no scenario is called 'multi'"),
        ({"weights": "stolen"}, ChainError, "has no weights 'stolen'; it has trained, random"),
    ],
)
def test_what_is_unknown_or_malformed_is_one_clear_line(plan, changes, error, said):
    with pytest.raises(error, match=said) as caught:
        plan(**changes)
    assert "\n" not in str(caught.value)


def test_an_option_that_says_the_default_makes_no_other_case(plan):
    made = plan(operators=("toy-round", "toy-round(digits=2)", "toy-round(digits=1)"))
    assert [case.chain for case in made.cases] == ["toy-round", "toy-round(digits=1)"]


def test_an_operator_that_wants_data_is_refused_on_a_model_without(plan, toy_plugins):
    from edgebench.cases.operations import Chains
    from edgebench.cases.reasons import Reasons
    from edgebench.parts.subjects import Model

    (case,) = plan(operators=("toy-round",)).cases
    assert toy_plugins.get(Model, "toy").dataset
    reasons = Reasons(toy_plugins, Chains(toy_plugins), lambda fabric: None)
    why = reasons.why_not(attrs.evolve(case, dataset=""))
    assert why == "toy-round needs calibration inputs, and toy has no dataset"


# --- models that are files -----------------------------------------------------------------------

FILES = """
    from edgebench import Model, hookimpl

    def from_file(path, options):
        raise AssertionError("planning opens no file")

    @hookimpl
    def edgebench_models():
        yield Model(name="{name}", summary="Any table.", build=print, files=["*.csv"],
                    from_file=from_file, format="toy-matrix")
"""

ROW = """
    [plugins.table]
    kind = "model"
    module = "{module}"
    offers = ["table"]
    requires = ["no_such_package"]
    install = "pip install tables"
"""


@pytest.fixture
def planned(toy, registry, tmp_path, answering):
    """Plan with strangers' files beside the toy, and a registry of a user's own."""
    tmp_path.joinpath("my.csv").touch()

    def make(*strangers, row="", **changes):
        found, files = registry, [toy]
        for number, text in enumerate(strangers):
            files.append(tmp_path / f"stranger_{number}.py")
            files[-1].write_text(dedent(text))
        if row:
            tmp_path.joinpath("own.toml").write_text(dedent(row))
            found = Registry.read([tmp_path / "own.toml"])
        plugins = Plugins.load(found, files)
        return make_plan(study(**changes), plugins, ask=answering({}))

    return make


def test_a_pattern_passes_over_models_that_are_files(planned):
    made = planned(FILES.format(name="table"), models=("t*",))
    assert {case.model for case in made.cases} == {"toy"}
    with pytest.raises(UnknownName, match="no model matches 'table"):
        planned(FILES.format(name="table"), models=("table*",))


def test_every_model_there_is_can_be_asked_for_at_once(plan):
    made = plan(models=("*",), weights="random")
    assert {case.model for case in made.cases} == {"toy"}
    assert made.skipped  # the toy's backend runs nothing else


def test_a_file_whose_model_is_not_installed_is_skipped_with_the_remedy(
    planned, tmp_path, monkeypatch
):
    tmp_path.joinpath("table_models.py").write_text(dedent(FILES.format(name="table")))
    monkeypatch.syspath_prepend(tmp_path)
    made = planned(row=ROW.format(module="table_models"), models=(str(tmp_path / "my.csv"),))
    assert [(one.case.variant, one.reason) for one in made.skipped] == [
        ("my", "table needs the package 'no_such_package': pip install tables")
    ]


def test_a_file_that_only_a_model_without_its_module_might_claim_says_what_to_install(
    planned, tmp_path
):
    with pytest.raises(UnknownName) as caught:
        planned(row=ROW.format(module="nowhere.tables"), models=(str(tmp_path / "my.csv"),))
    assert str(caught.value) == (
        "no installed model claims files like 'my.csv'; "
        "table needs the package 'no_such_package': pip install tables"
    )


def test_a_file_that_only_a_broken_plugin_might_claim_says_what_is_wrong(planned, tmp_path):
    with pytest.raises(UnknownName, match="'my.csv'; the plugin stranger_0 .* KeyError: 'lost'"):
        planned("{}['lost']", models=(str(tmp_path / "my.csv"),))


def test_two_models_that_claim_one_file_are_both_named(planned, tmp_path):
    with pytest.raises(NameClash) as caught:
        planned(FILES.format(name="table"), FILES.format(name="sheet"),
                models=(str(tmp_path / "my.csv"),))  # fmt: skip
    assert str(caught.value) == (
        "two models claim files like 'my.csv': sheet (of the plugin stranger_1) and table (of the "
        "plugin stranger_0); pass --without stranger_0"
    )


def test_inputs_for_a_file_that_takes_none_are_refused(planned, tmp_path):
    with pytest.raises(ChainError) as caught:
        planned(FILES.format(name="table"), models=(str(tmp_path / "my.csv"), "toy"),
                input_data=tmp_path)  # fmt: skip
    assert str(caught.value) == "--data: the model table takes no inputs with its files"


TWO_DATASETS = """
    from edgebench import Dataset, Model, Variant, hookimpl

    @hookimpl
    def edgebench_datasets():
        for name in ("one", "other"):
            yield Dataset(name=name, summary="Given.", layout="anything",
                          from_directory=lambda d: Dataset(name="d", summary=".", samples=print))

    @hookimpl
    def edgebench_models():
        yield Model(name="both", summary="On either.", build=print, dataset="one",
                    variants=[Variant(name="small", datasets=["other"])], format="toy-matrix")
"""


def test_of_two_datasets_of_one_model_one_is_to_be_given(planned, tmp_path):
    with pytest.raises(ChainError) as caught:
        planned(TWO_DATASETS, models=("both",), data={"one": tmp_path, "other": tmp_path})
    assert str(caught.value) == (
        "--data other: both:small is measured on one, which is given too; give one of the two"
    )
    (case,) = planned(TWO_DATASETS, models=("both",), data={"other": tmp_path}).cases
    assert case.dataset == "other"
