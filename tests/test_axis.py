"""Axes: every figure has its place, and ticks are round."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retint.axis import Axis


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_within(low: float, size: float):
    axis = Axis(low, low + size, 0, 100)
    assert 2 <= len(axis.ticks()) <= 6
    assert all(-1e-6 <= axis.place(tick) <= 100 + 1e-6 for tick in axis.ticks())
    assert math.log10(axis.step) % 1 == pytest.approx(0, abs=1e-9) or round(
        axis.step / 10 ** math.floor(math.log10(axis.step))
    ) in (1, 2, 5, 10)


def test_an_axis_holds_what_is_finite_and_has_some_room():
    axis = Axis.over([3, math.nan, 1, math.inf], 200, 0, room=0.1)
    assert (axis.low, axis.high) == pytest.approx((0.8, 3.2))
    assert (axis.place(0.8), axis.place(3.2)) == (200, 0)
    assert Axis.over([], 0, 1) == Axis(0, 1, 0, 1)
    assert Axis.over([7], 0, 1) == Axis(6.5, 7.5, 0, 1)


def test_labels_are_short_and_alike():
    assert [Axis(0, 1, 0, 1).label(tick) for tick in (0, 0.2, 0.5)] == ["0.0", "0.2", "0.5"]
    thousands = Axis(0, 2_000_000, 0, 1)
    assert [thousands.label(tick) for tick in (0, 5000, 1_500_000)] == ["0", "5k", "1.5M"]
