"""Figures from counts that add up equal scikit-learn's figures of the whole set."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from sklearn import metrics as oracle

from edgebench import DataError
from edgebench.analysis.accuracy import find_figures
from edgebench.metrics.classification import accuracy, f1, top
from edgebench.metrics.segmentation import mean_iou
from edgebench.records.outcome import Score

CLASSES = 6
labels = st.lists(
    st.tuples(st.integers(0, CLASSES - 1), st.integers(0, CLASSES - 1)), min_size=1, max_size=40
)


def counts(metric, predictions, answers):
    pairs = zip(predictions, answers, strict=True)
    return np.array([metric.count(prediction, answer) for prediction, answer in pairs])


def figure(metric, predictions, answers):
    return metric.value(counts(metric, predictions, answers).sum(axis=0))


def one_hot(number):
    return np.eye(CLASSES, dtype=np.float32)[number]


@st.composite
def masks(draw, classes=4):
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    said = draw(arrays.arrays(np.uint8, shape, elements=st.integers(0, classes - 1)))
    there = st.one_of(st.integers(0, classes - 1), st.just(255))
    return said, draw(arrays.arrays(np.uint8, shape, elements=there))


# --- classes -------------------------------------------------------------------------------------


def test_their_names_are_those_that_tables_show():
    names = [one.name for one in (top(1), top(5), accuracy(), f1(), mean_iou(3))]
    assert names == ["top1", "top5", "accuracy", "f1", "miou"]


@given(labels)
def test_accuracy_is_scikit_learns_from_numbers_and_from_scores(pairs):
    said, true = zip(*pairs, strict=True)
    wanted = oracle.accuracy_score(true, said)
    assert figure(accuracy(), said, true) == pytest.approx(wanted)
    assert figure(accuracy(), map(one_hot, said), true) == pytest.approx(wanted)


@given(labels, st.integers(0, CLASSES - 1))
def test_f1_is_scikit_learns_also_where_it_is_undefined(pairs, positive):
    said, true = zip(*pairs, strict=True)
    binary = [[one == positive for one in some] for some in (true, said)]
    wanted = oracle.f1_score(*binary, zero_division=0)
    assert figure(f1(positive), said, true) == pytest.approx(wanted)
    assert figure(f1(positive), map(one_hot, said), true) == pytest.approx(wanted)


def test_f1_of_nothing_but_true_negatives_is_0():
    assert figure(f1(), [0, 0], [0, 0]) == 0.0


@given(
    arrays.arrays(np.float32, (7, CLASSES), elements=st.floats(-9, 9, width=32), unique=True),
    arrays.arrays(np.int64, 7, elements=st.integers(0, CLASSES - 1)),
    st.integers(1, CLASSES - 1),
)
def test_top_k_is_scikit_learns(scores, answers, best):
    wanted = oracle.top_k_accuracy_score(answers, scores, k=best, labels=range(CLASSES))
    assert figure(top(best), scores, answers) == pytest.approx(wanted)


def test_of_classes_that_scored_alike_the_first_is_before_the_others():
    scores = np.array([3.0, 3.0, 1.0])
    assert [top(1).count(scores, answer)[0] for answer in range(3)] == [1.0, 0.0, 0.0]
    assert [top(2).count(scores, answer)[0] for answer in range(3)] == [1.0, 1.0, 0.0]
    assert [accuracy().count(scores, answer)[0] for answer in range(3)] == [1.0, 0.0, 0.0]


def test_scores_that_are_no_numbers_are_never_right():
    broken = np.full(CLASSES, np.nan)
    for answer in range(CLASSES):
        assert top(5).count(broken, answer)[0] == accuracy().count(broken, answer)[0] == 0.0
    half = np.array([np.nan, 1.0, 0.0])
    assert [top(2).count(half, answer)[0] for answer in range(3)] == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(("scores", "answer"), [(np.ones(3), 3), (np.ones(3), -1), (2, 0)])
def test_top_k_refuses_an_answer_without_a_score(scores, answer):
    with pytest.raises(DataError, match=f"the answer is class {answer}"):
        top(1).count(scores, answer)


@pytest.mark.parametrize("metric", [accuracy(), f1()], ids=["accuracy", "f1"])
def test_what_is_neither_a_class_nor_scores_is_refused(metric):
    with pytest.raises(DataError, match=r"not float64 of shape \(2, 2\)"):
        metric.count(np.ones((2, 2)), 0)
    with pytest.raises(DataError, match=r"not float64 of shape \(0,\)"):
        metric.count([], 0)


@pytest.mark.parametrize("metric", [accuracy(), f1()], ids=["accuracy", "f1"])
@pytest.mark.parametrize("score", [0.97, np.float32(3.7), np.array([0.97], np.float16), 1.0])
def test_one_score_alone_is_no_class(metric, score):
    shape = str(np.shape(score)).replace("(", r"\(").replace(")", r"\)")
    with pytest.raises(
        DataError, match=rf"class number of an integer type or two .* of shape {shape}$"
    ):
        metric.count(score, 1)


@pytest.mark.parametrize("kind", [np.int8, np.uint16, np.int64, np.bool_, int])
def test_one_number_of_an_integer_type_is_a_class(kind):
    for shape in ((), (1,), (1, 1)):
        said = np.full(shape, 1, kind)
        assert [accuracy().count(said, answer)[0] for answer in (0, 1)] == [0.0, 1.0]
        assert f1().count(said, 1) == (1.0, 0.0, 0.0)


# --- masks ---------------------------------------------------------------------------------------


@given(st.lists(masks(), min_size=1, max_size=5))
def test_mean_iou_is_scikit_learns_over_all_pixels_at_once(pairs):
    said, true = (
        np.concatenate([one.ravel() for one in some]) for some in zip(*pairs, strict=True)
    )
    said, true = said[true != 255], true[true != 255]
    there = sorted(set(said.tolist()) | set(true.tolist()))
    wanted = oracle.jaccard_score(true, said, labels=there, average="macro") if there else 0.0
    metric = mean_iou(4)
    assert figure(metric, *zip(*pairs, strict=True)) == pytest.approx(wanted)


@given(masks())
def test_counts_of_masks_are_sums_of_the_confusion_matrix(pair):
    said, true = pair
    kept = true != 255
    wanted = np.zeros((4, 4))
    if kept.any():
        wanted = oracle.confusion_matrix(true[kept], said[kept], labels=range(4))
    got = mean_iou(4).count(said, true)
    both = wanted.diagonal()
    assert list(got) == [*both, *(wanted.sum(axis=0) + wanted.sum(axis=1) - both)]


def test_a_figure_is_of_the_whole_set_and_no_mean_of_pictures():
    said, true = [np.zeros((1, 9), int), np.zeros((1, 1), int)], [np.zeros((1, 9), int)]
    true.append(np.ones((1, 1), int))
    assert figure(mean_iou(2), said, true) == pytest.approx((9 / 10 + 0 / 1) / 2)


def test_ignored_pixels_do_not_count_whatever_was_said():
    true = np.array([[0, 1, 255]])
    for said in (0, 1, 7, 255):
        assert figure(mean_iou(2), [np.array([[0, 1, said]])], [true]) == 1.0
    assert figure(mean_iou(2, ignore=9), [np.array([[0, 1, 1]])], [np.array([[0, 1, 9]])]) == 1.0


def test_nothing_but_ignored_pixels_is_0():
    assert figure(mean_iou(2), [np.zeros((2, 2), int)], [np.full((2, 2), 255)]) == 0.0


def test_a_label_that_is_no_class_counts_against_the_answer():
    got = mean_iou(2).count(np.array([[-1, 2, 255, 0]]), np.array([[0, 0, 0, 0]]))
    assert got == (1.0, 0.0, 4.0, 0.0)


@given(masks(), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_a_mask_of_another_size_is_resampled_by_nearest_neighbour(pair, shape):
    said, _ = pair
    # A centre that falls between two pixels has no nearest neighbour: Pillow takes either.
    for new, old in zip(shape, said.shape, strict=True):
        assume(all((2 * n + 1) * old % (2 * new) for n in range(new)))
    true = np.arange(shape[0] * shape[1]).reshape(shape) % 4
    resized = Image.fromarray(said).resize(shape[::-1], Image.Resampling.NEAREST)
    assert mean_iou(4).count(said, true) == mean_iou(4).count(np.asarray(resized), true)


@pytest.mark.parametrize(
    "mask", [np.zeros((2, 2)), np.zeros((1, 2, 2), int), np.zeros((0, 2), int)], ids=str
)
def test_what_is_no_mask_is_refused(mask):
    for pair in ((mask, np.zeros((2, 2), int)), (np.zeros((2, 2), int), mask)):
        with pytest.raises(DataError, match="integer masks of shape"):
            mean_iou(2).count(*pair)


def test_an_answer_beyond_the_classes_is_refused():
    with pytest.raises(DataError, match="the classes 0 to 1, and an answer has the label 2"):
        mean_iou(2).count(np.zeros((1, 2), int), np.array([[0, 2]]))


# --- all of them ---------------------------------------------------------------------------------


@st.composite
def shuffled(draw, size=12):
    """Samples of a metric, their order, and where they are cut into groups."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    order = draw(st.permutations(range(size)))
    return rng, list(order), sorted(draw(st.sets(st.integers(1, size - 1))))


@given(shuffled(), st.sampled_from(["top1", "top5", "accuracy", "f1", "miou"]))
def test_counts_add_up_in_any_order_and_grouping(given_order, name):
    rng, order, cuts = given_order
    every = {one.name: one for one in (top(1), top(5), accuracy(), f1(), mean_iou(3))}
    metric = every[name]
    if name == "miou":
        said, true = rng.integers(0, 3, (2, len(order), 3, 4))
    else:
        said, true = rng.normal(size=(len(order), CLASSES)), rng.integers(0, 2, len(order))
    rows = counts(metric, said, true)
    groups = np.split(rows[order], cuts)
    merged = np.sum([group.sum(axis=0) for group in groups], axis=0)
    assert metric.value(merged) == metric.value(rows.sum(axis=0))


@pytest.mark.parametrize("metric", [top(1), accuracy(), f1()], ids=lambda metric: metric.name)
def test_a_bootstrap_interval_covers_the_figure_of_classes(metric):
    rng = np.random.default_rng(0)
    true = rng.integers(0, 2, 300)
    said = np.where(rng.random(300) < 0.9, true, 1 - true)
    rows = counts(metric, map(one_hot, said), true)
    (got,) = find_figures(Score(key="k", counts={metric.name: rows}, samples=300), [metric], None)
    assert got.value == figure(metric, map(one_hot, said), true)
    assert got.ci95[0] < got.value < got.ci95[1]
    # The normal approximation of a share of 0.9 among 300 is 0.034 to each side.
    assert 0.03 < got.ci95[1] - got.ci95[0] < 0.11


def test_a_bootstrap_interval_covers_the_figure_of_masks():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, (100, 8, 8))
    said = np.where(rng.random(true.shape) < 0.8, true, 0)
    rows = counts(mean_iou(3), said, true)
    (got,) = find_figures(Score(key="k", counts={"miou": rows}, samples=100), [mean_iou(3)], None)
    wanted = oracle.jaccard_score(true.ravel(), said.ravel(), average="macro")
    assert got.value == pytest.approx(wanted)
    assert got.ci95[0] < wanted < got.ci95[1] < got.ci95[0] + 0.06


# --- wrong answers -------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", [top(1), top(5), accuracy()])
def test_a_share_says_that_it_is_one(metric):
    assert metric.proportion


@given(labels)
def test_f1_counts_a_wrong_answer_as_it_says(pairs):
    """Whatever was said, the opposite of what is true is counted so."""
    metric = f1(0)
    for said, true in pairs:
        opposite = 1 if true == 0 else 0
        assert metric.wrong(metric.count(said, true)) == metric.count(opposite, true)


@given(masks())
def test_mean_iou_counts_a_wrong_mask_as_it_says(pair):
    """No pixel right, and none of them said to be of another class."""
    said, true = pair
    metric = mean_iou(4)
    astray = np.where((said == true) & (true != 255), 99, said)
    assert metric.wrong(metric.count(said, true)) == metric.count(astray, true)
