"""Records refuse nonsense at the door, and say what was expected and what came."""

from __future__ import annotations

import attrs
import pytest

from edgebench import (
    Backend,
    Budget,
    Converter,
    Dataset,
    Fabric,
    Format,
    Importer,
    Link,
    Metric,
    Model,
    Operator,
    Placement,
    Quantization,
    Reporter,
    Tier,
    Trainer,
    Variant,
)

CALLABLES = {
    Model: {"build": print},
    Dataset: {"samples": print},
    Operator: {"apply": print},
    Fabric: {"open": print},
    Backend: {"open": print},
    Format: {"save": print, "load": print},
    Converter: {"source": "a", "target": "b", "convert": print},
    Trainer: {"format": "a", "fit": print},
    Reporter: {"render": print},
    Importer: {"claims": print, "read": print},
    Tier: {"cpus": 1, "memory": 1},
}


def record(kind, **changes):
    return kind(**{"name": "it", "summary": "One.", **CALLABLES[kind], **changes})


@pytest.mark.parametrize("kind", CALLABLES, ids=lambda kind: kind.__name__)
def test_a_name_a_sentence_and_the_main_callable_are_all_that_is_required(kind):
    required = {f.name for f in attrs.fields(kind) if f.default is attrs.NOTHING}
    # A dataset that has to be given as a directory has no samples of its own.
    own = {} if kind is Dataset else CALLABLES[kind]
    assert required == {"name", "summary", *own}
    assert record(kind).name == "it"


@pytest.mark.parametrize("kind", CALLABLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", ["", "Big", "two words", "-x", "x-", "a/b", None, 3])
def test_a_name_is_lower_case_words(kind, name):
    with pytest.raises(ValueError, match="name must be lower-case words joined by '-', not"):
        record(kind, name=name)


@pytest.mark.parametrize("kind", CALLABLES, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("summary", ["", "  ", "two\nlines", None])
def test_a_summary_is_one_line(kind, summary):
    with pytest.raises(ValueError, match="summary must be one line of text, not"):
        record(kind, summary=summary)


@pytest.mark.parametrize(
    ("kind", "field"),
    [(kind, name) for kind, given in CALLABLES.items() for name in given if given[name] is print],
)
def test_what_is_to_be_called_can_be(kind, field):
    with pytest.raises(ValueError, match=f"{field} must be callable, not 'print'"):
        record(kind, **{field: "print"})


def test_a_dataset_without_samples_and_without_a_directory_is_refused():
    with pytest.raises(ValueError, match="the dataset 'it' needs samples or from_directory"):
        record(Dataset, samples=None)
    assert record(Dataset, samples=None, from_directory=print).samples is None


@pytest.mark.parametrize("kind", CALLABLES, ids=lambda kind: kind.__name__)
def test_records_do_not_change(kind):
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        record(kind).name = "other"


@pytest.mark.parametrize(
    ("kind", "changes", "said"),
    [
        (Operator, {"needs": ["oracle"]}, "needs may be any of calibration, .*, not 'oracle'"),
        (Operator, {"needs": "links"}, "a sequence of names is needed, not the text 'links'"),
        (Operator, {"reads": "graph"}, "a sequence of names is needed, not the text 'graph'"),
        (Operator, {"options": dict}, "options must be an attrs class, not"),
        (Operator, {"cuts": 1}, "cuts must be callable, not 1"),
        (Backend, {"formats": "graph"}, "a sequence of names is needed, not the text 'graph'"),
        (Backend, {"options": dict}, "options must be an attrs class, not"),
        (Backend, {"usable": True}, "usable must be callable, not True"),
        (Model, {"variants": []}, "variants"),
        (Model, {"files": "*.bin"}, "a sequence of names is needed"),
        (Model, {"preprocess": None}, "preprocess must be callable, not None"),
        (Converter, {"source": "A"}, "source must be lower-case words"),
        (Trainer, {"format": ""}, "format must be lower-case words"),
        (Tier, {"cpus": 0}, "cpus"),
        (Tier, {"memory": 0}, "memory"),
    ],
)
def test_nonsense_is_refused(kind, changes, said):
    with pytest.raises(ValueError, match=said):
        record(kind, **changes)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Variant(name="Big"),
        lambda: Variant(name="small", weights="trained"),
        lambda: Budget(epochs=0),
        lambda: Budget(batch=0),
        lambda: Budget(learning_rate=0),
        lambda: Quantization(activation="int4"),
        lambda: Quantization(weight="float"),
        lambda: Link(between=("a", "b"), rate=0),
        lambda: Link(between=("a", "b"), rate=1, delay=-1),
        lambda: Placement([]),
        lambda: Metric(name="top one", count=print, value=print),
        lambda: Metric(name="top", count=None, value=print),
    ],
)
def test_smaller_records_refuse_it_too(make):
    with pytest.raises(ValueError):  # noqa: PT011 (the messages are those of attrs)
        make()
