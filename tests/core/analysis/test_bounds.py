from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebench.analysis.bounds import Bound, Drop, find_quantile, parse_bound, parse_drop
from edgebench.parts.errors import OptionError


@pytest.mark.parametrize(
    ("text", "figure", "limit"),
    [
        ("latency.p95=50ms", "latency.p95", 0.05),
        ("latency.median = 1.5s", "latency.median", 1.5),
        ("latency.mean=20us", "latency.mean", 20e-6),
        ("latency.p99.9=2s", "latency.p99.9", 2.0),
        ("memory=500MB", "memory", 500e6),
        ("size=1.5GiB", "size", 1.5 * 2**30),
        ("bytes=10kB", "bytes", 10e3),
        ("price=2e-5", "price", 2e-5),
    ],
)
def test_bounds_are_read_with_their_units(text, figure, limit):
    assert parse_bound(text) == Bound(figure, pytest.approx(limit, rel=1e-12))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("latency.p95", "is written FIGURE=VALUE"),
        ("latncy.p95=5ms", "did you mean 'latency.p95'?"),
        ("latency=5ms", "no figure is called 'latency'"),
        ("latency.p100=5ms", "no figure is called 'latency.p100'"),
        ("latency.p0=5ms", "no figure is called 'latency.p0'"),
        ("latency.p99.9999999=5ms", "needs more requests than a run measures"),
        ("latency.p0.00000000000000000001=5ms", "from p0.0001 to p99.9999"),
        ("latency.p95=5MB", "a number greater than 0 and s, ms or us, not '5MB'"),
        ("latency.p95=50", "a number greater than 0 and s, ms or us, not '50'"),
        ("latency.p95=0ms", "a number greater than 0"),
        ("latency.p95=-5ms", "a number greater than 0"),
        ("latency.p95=1e999ms", "a number greater than 0"),
        ("memory=50ms", "and GB, MB, kB, B, GiB, MiB or KiB, not '50ms'"),
        ("price=5EUR", "a number greater than 0, without a unit, not '5EUR'"),
        ("accuracy=1", "write --max-drop accuracy=POINTS"),
        ("=5", "no figure is called ''"),
    ],
)
def test_what_bounds_nothing_is_refused_in_one_line(text, said):
    with pytest.raises(OptionError) as caught:
        parse_bound(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_bound_or_the_users_mistake(text):
    for parse in (parse_bound, parse_drop):
        try:
            found = parse(text)
        except OptionError:
            continue
        assert (found.limit if isinstance(found, Bound) else found.points) > 0


@given(
    st.sampled_from(["latency.p95", "latency.median", "memory", "size", "bytes", "price"]),
    st.floats(1e-6, 1e12),
)
def test_a_bound_that_is_written_reads_back_nearly_equal(figure, limit):
    if figure in ("memory", "size", "bytes"):
        limit = max(limit, 1.0)
    again = parse_bound(str(Bound(figure, limit)))
    assert again.figure == figure
    assert again.limit == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize(
    ("text", "figure"),
    [("p50", "median"), ("p50.0", "median"), ("p95.0", "p95"), ("p99.90", "p99.9"), ("p7", "p7")],
)
def test_a_figure_has_one_name(text, figure):
    assert parse_bound(f"latency.{text}=5ms").figure == f"latency.{figure}"


def test_drops_are_points():
    assert parse_drop("accuracy=1") == Drop("accuracy", 1.0)
    assert str(parse_drop("top1 = 0.5")) == "top1=0.5"


@pytest.mark.parametrize("text", ["accuracy", "accuracy=", "accuracy=0", "accuracy=101", "=1",
                                  "accuracy=1%", "accuracy=-1"])  # fmt: skip
def test_drops_are_refused_otherwise(text):
    with pytest.raises(OptionError, match="METRIC=POINTS"):
        parse_drop(text)


def test_quantiles():
    named = ("latency.median", "latency.p95", "latency.p99.9", "latency.mean")
    assert [find_quantile(one) for one in named] == [0.5, 0.95, pytest.approx(0.999), None]
