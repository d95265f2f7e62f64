"""Splits share no payload, lose nothing unsaid, and do not hang on what things are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench import DataError, Unreadable
from edgebench_kit.own_data.divisions import (
    CLAIMING,
    divide,
    leave_calibration,
    pick_calibration,
)
from edgebench_kit.own_data.finding import find_data
from edgebench_kit.own_data.items import WHOLE, Groups, Item
from edgebench_kit.own_data.options import DataOptions


def item(payload, name=None, label=None):
    return Item(
        name=name or f"name {payload}",
        label=label or f"label {payload}",
        payload=str(payload).encode(),
    )


def groups(**by_split):
    return Groups(
        by_split={
            WHOLE if split == "whole" else split: [
                one if isinstance(one, Item | Unreadable) else item(one) for one in numbers
            ]
            for split, numbers in by_split.items()
        }
    )


def divided(found, calibration=None, **options):
    if calibration is not None:
        found, calibration = leave_calibration(found), pick_calibration(calibration)
    return divide(found, calibration, DataOptions(**options))


def sizes(division):
    return {split: len(division.splits[split]) for split in CLAIMING}


def payloads(division):
    return {split: [one.payload for one in division.splits[split]] for split in CLAIMING}


@pytest.mark.parametrize(
    ("count", "test", "calibration", "validation", "training"),
    [
        (500, 400, 50, 50, 0),
        (500, 250, 50, 50, 0.3),
        (10_000, 9400, 200, 400, 0),
        (20, 10, 2, 2, 0.3),
        (4, 1, 1, 1, 0.3),
        (3, 3, 0, 0, 0),
    ],
)
def test_what_has_no_splits_is_divided_by_shares(count, test, calibration, validation, training):
    division = divided(groups(whole=range(count)), training=float(training))
    assert sizes(division) == {
        "calibration": calibration,
        "validation": validation,
        "training": int(count * training),
        "test": test,
    }
    assert division.how == "no splits of its own: by digest, seed 0"


def test_the_share_to_train_on_and_the_seed_are_options():
    whole = groups(whole=range(100))
    assert sizes(divided(whole))["training"] == 0
    assert sizes(divided(whole, training=0.5))["training"] == 50
    assert payloads(divided(whole)) == payloads(divided(whole, seed=0))
    assert payloads(divided(whole)) != payloads(divided(whole, seed=1))
    for wrong in (-0.1, 0.8, float("nan")):
        with pytest.raises(ValueError, match="training"):
            DataOptions(training=wrong)


@pytest.mark.parametrize(
    ("parts", "expected", "said"),
    [
        ({"training": 100, "validation": 20, "test": 30}, (10, 20, 90, 30),
         "its own splits, calibration from training by digest, seed 0"),
        ({"training": 100, "validation": 20, "calibration": 5, "test": 30}, (5, 20, 100, 30),
         "its own splits"),
        ({"training": 100, "validation": 20}, (10, 10, 80, 20),
         ("its own splits, what is called validation is the test split, "
         "calibration and validation from training by digest, seed 0")),
        ({"training": 100, "test": 20}, (10, 10, 80, 20), "its own splits, calibration and"),
        ({"training": 9000, "test": 20}, (200, 400, 8400, 20), "its own splits, calibration and"),
        ({"validation": 100, "test": 20}, (10, 90, 0, 20),
         "its own splits, calibration from validation by digest"),
        ({"training": 100}, (10, 10, 0, 80), "no splits of its own but training, which a model that was trained on it knows"),
        ({"test": 100}, (10, 10, 0, 80), "no splits of its own but test: by digest"),
        ({"validation": 100}, (10, 10, 0, 80), "no splits of its own but test: by digest"),
        ({"training": 100, "calibration": 7}, (7, 10, 0, 90), "no splits of its own but training"),
        ({"calibration": 7, "test": 20}, (7, 0, 0, 20), "its own splits"),
    ],
)  # fmt: skip
def test_own_splits_are_used_and_what_lacks_is_carved(parts, expected, said):
    start, found = 0, {}
    for split, count in parts.items():
        found[split] = range(start, start + count)
        start += count
    division = divided(groups(**found))
    assert tuple(sizes(division).values()) == expected
    assert division.how.startswith(said)
    assert division.dropped == 0


def test_an_earlier_split_claims_what_a_later_one_has_too():
    division = divided(
        groups(training=[1, 2, 3, 3], validation=[2, 4], calibration=[4, 5], test=[3, 5, 6])
    )
    found = {split: sorted(map(int, held)) for split, held in payloads(division).items()}
    assert found == {"calibration": [4, 5], "validation": [2], "training": [1, 3], "test": [6]}
    assert division.dropped == 5


def test_calibration_data_of_its_own_is_used_and_claims():
    given = groups(whole=[0, 1, 1000, 1001])
    division = divided(groups(whole=range(100)), given)
    assert sizes(division) == {"calibration": 4, "validation": 9, "training": 0, "test": 89}
    assert division.dropped == 2
    # Of the data's own calibration nothing is used then; of the other only what is for that.
    division = divided(
        groups(calibration=[1], training=[2], test=[3]), groups(calibration=[4], test=[3])
    )
    assert {split: len(held) for split, held in payloads(division).items()} == {
        "calibration": 1, "validation": 0, "training": 1, "test": 1}  # fmt: skip
    assert payloads(division)["calibration"] == [b"4"]
    assert (
        sizes(divided(groups(whole=range(100)), groups(whole=range(1000, 2000))))["calibration"]
        == 512
    )


def test_one_payload_with_two_labels_is_refused_by_name():
    with pytest.raises(
        DataError, match=r"a and b hold the same with two labels, 'x' and 'y'; leave one"
    ):
        divided(groups(whole=[item(1, "a", "x"), item(1, "b", "y")]))


def test_of_many_payloads_with_two_labels_three_are_named_and_all_counted():
    two = [item(1, "a", "x"), item(1, "b", "y"), item(1, "c", "z"), item(2, "d", "x"),
           item(2, "e", "y"), item(2, "f", "x")]  # fmt: skip
    with pytest.raises(DataError) as told:
        divided(groups(whole=two))
    assert str(told.value).startswith(
        "2 inputs are there with two labels each: a and b ('x' and 'y'); d and e ('x' and 'y'); "
        "leave one of each"
    )
    other = [item(n, f"{n}{side}", side) for n in range(10, 15) for side in "xy"]
    with pytest.raises(DataError, match=r"^7 inputs .*; 10x and 10y \('x' and 'y'\), and 4 more; "):
        divided(groups(training=two, test=other))


def test_masks_of_one_picture_are_compared_by_what_they_hold(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2")):
        (tmp_path / name).write_bytes(content)
    same = [item(1, name, tmp_path / name) for name in "ab"]
    assert divided(groups(whole=same)).dropped == 1
    with pytest.raises(DataError, match="a and c hold the same with two masks; leave one"):
        divided(groups(whole=[same[0], item(1, "c", tmp_path / "c")]))


def test_what_cannot_be_read_comes_with_the_split_it_would_be_in(tmp_path):
    lost = Unreadable(name="x", reason="gone")
    assert divided(groups(whole=[1, lost])).unreadable == {"test": (lost,)}
    found = divided(groups(training=[1, lost], test=[2], validation=[3]))
    assert found.unreadable == {"training": (lost,)}
    gone = Item(name="y", label="l", payload=tmp_path / "nowhere.jpg")
    (one,) = divided(groups(whole=[1, gone])).unreadable["test"]
    assert (one.name, one.reason) == ("y", "the file cannot be read: No such file or directory")


PAYLOADS = st.lists(st.integers(0, 60), max_size=40)
PARTS = st.dictionaries(
    st.sampled_from(["training", "validation", "calibration", "test"]), PAYLOADS, min_size=1
)


@given(
    PARTS | PAYLOADS.map(lambda found: {"whole": found}),
    PAYLOADS | st.none(),
    st.integers(),
    st.randoms(),
)
def test_splits_are_disjoint_complete_and_the_same_by_any_names(parts, own, seed, random):
    given_ = None if own is None else groups(whole=own)
    division = divided(groups(**parts), given_, seed=seed)
    held = payloads(division)
    every = [one for payloads in held.values() for one in payloads]
    assert len(every) == len(set(every))
    unused = own is not None and len(parts) > 1
    used = {
        split: found for split, found in parts.items() if not (unused and split == "calibration")
    }
    whole = [n for found in used.values() for n in found] + list(own or [])
    assert set(map(int, every)) == set(whole)
    assert len(every) + division.dropped == len(whole)

    def renamed(found):
        shuffled = random.sample(list(found), len(found))
        return [item(n, name=f"other {random.random()}") for n in shuffled]

    again = divided(
        groups(**{split: renamed(found) for split, found in parts.items()}),
        None if own is None else groups(whole=renamed(own)),
        seed=seed,
    )
    assert payloads(again) == held


def test_a_split_without_samples_says_how_it_gets_some(tmp_path):
    (tmp_path / "said.csv").write_text(
        "text,label\n" + "".join(f"t{n},{n % 2}\n" for n in range(40))
    )
    lacks = find_data(tmp_path / "said.csv", DataOptions()).list_lacks()
    assert list(lacks) == ["training"]
    assert "`said.csv(training=0.3)`" in lacks["training"]
    assert find_data(tmp_path / "said.csv", DataOptions(training=0.3)).list_lacks() == {}
    for split, start in (("test", 0), ("val", 40)):
        rows = "".join(f"t{start + n},{n % 2}\n" for n in range(40))
        (tmp_path / "own").mkdir(exist_ok=True)
        (tmp_path / "own" / f"{split}.csv").write_text(f"text,label\n{rows}")
    assert find_data(tmp_path / "own", DataOptions()).list_lacks() == {
        "training": "own has none; a folder or file `train` in it holds some"
    }
    (tmp_path / "few.csv").write_text("text,label\na,0\nb,1\nc,1\n")
    assert list(find_data(tmp_path / "few.csv", DataOptions()).list_lacks()) == [
        "calibration", "validation", "training",
    ]  # fmt: skip
