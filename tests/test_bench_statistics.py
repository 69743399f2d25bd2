"""Intervals: they cover as they should, and pairs are compared on what both have."""

import numpy as np
import pytest

from retint.bench import statistics


def test_bootstrap_intervals_cover_as_they_should():
    """Of many samples with a known mean about 95 % have it in their interval."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(100):
        found = statistics.mean(rng.normal(3, 2, 80))
        assert found.low < found.value < found.high
        covered += found.low < 3 < found.high
    assert 88 <= covered <= 99
    values = rng.uniform(1, 2, 50)
    assert statistics.mean(values) == statistics.mean(values)
    ratio = statistics.ratio_of_means(2 * values, values)
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))


def test_missing_values_are_left_out_of_the_mean():
    rng = np.random.default_rng(1)
    values = rng.normal(5, 1, 200)
    gaps = values.copy()
    gaps[::2] = np.nan
    found = statistics.mean(gaps)
    assert found.value == pytest.approx(values[1::2].mean())
    alone = statistics.mean(values[1::2])
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.2)
    assert np.isnan(statistics.mean([np.nan, np.nan]).value)


def test_a_small_difference_is_seen_where_pictures_are_paired():
    """Pictures differ much more than the contestants do."""
    rng = np.random.default_rng(2)
    one = rng.normal(10, 5, 100)
    other = one + rng.normal(0.3, 0.5, 100)
    less = statistics.difference(one, other)
    assert less.below
    assert not less.above
    assert statistics.difference(other, one).above
    apart = statistics.mean(one), statistics.mean(other)
    assert apart[0].high > apart[1].low  # unpaired, nothing would be seen
    one[10:] = np.nan
    assert statistics.difference(one, other).pictures == 10


def test_nobody_is_told_apart_on_a_handful_of_pictures():
    few = statistics.difference([1.0] * 5 + [np.nan] * 20, [2.0] * 25)
    assert few.high < 0
    assert not few.below
    assert statistics.difference([1.0] * 6, [2.0] * 6).below
    nothing = statistics.difference([1.0, np.nan], [np.nan, 1.0])
    assert nothing.pictures == 0
    assert not nothing.below
    assert not nothing.above


def test_equal_contestants_are_wrongly_told_apart_in_one_of_twenty():
    rng = np.random.default_rng(3)
    apart = 0
    for _ in range(200):
        less = statistics.difference(rng.normal(10, 3, 60), rng.normal(10, 3, 60))
        apart += less.below or less.above
    assert 2 <= apart <= 22


def test_all_pairs_at_once_are_what_each_pair_is():
    rng = np.random.default_rng(4)
    columns = rng.normal(10, 3, (4, 40))
    columns[2, ::3] = np.nan
    found = statistics.differences(list(columns))
    for one in range(4):
        for other in range(4):
            alone = statistics.difference(columns[one], columns[other])
            pair = found[one][other]
            assert pair.pictures == alone.pictures
            ends = (alone.value, alone.low, alone.high)
            assert (pair.value, pair.low, pair.high) == pytest.approx(ends, abs=1e-9)
