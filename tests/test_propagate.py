"""Colours told in places, carried along lightness."""

import heapq

import numpy as np
import pytest

from retint import propagate as room
from retint.propagate import propagate

SHAPE = 61, 80
GREY = np.zeros((*SHAPE, 2))


def place(row: int, column: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    told = np.zeros((1, *shape), bool)
    told[:, row - 2 : row + 3, column - 2 : column + 3] = True
    return told


@pytest.fixture
def two_halves() -> np.ndarray:
    """Lightness with one hard edge, down the middle, and grain."""
    L = np.random.default_rng(0).normal(40, 1, SHAPE)
    L[:, 40:] += 40
    return L


def test_a_colour_fills_its_side_and_stays_there(two_halves: np.ndarray):
    after = propagate(GREY, GREY, two_halves, place(30, 20), np.array([[40.0, -20.0]]))
    assert after.dtype == np.float32
    assert (after[28:33, 18:23] == (40, -20)).all()
    assert (after[24:37, 14:27, 0] > 25).all()
    assert np.abs(after[:, 40:]).max() < 0.5


def test_a_colour_that_is_there_already_changes_nothing(two_halves: np.ndarray):
    before = np.random.default_rng(0).normal(0, 5, (*SHAPE, 2))
    before[28:33, 18:23] = 12, 7
    after = propagate(before, before, two_halves, place(30, 20), np.array([[12.0, 7.0]]))
    assert np.abs(after - before).max() < 1e-5


def test_between_two_colours_the_nearer_one_counts_more(two_halves: np.ndarray):
    places = np.concatenate([place(10, 20), place(50, 20)])
    after = propagate(GREY, GREY, two_halves, places, np.array([[30.0, 0], [-30.0, 0]]))
    assert after[15, 20, 0] > 20
    assert after[45, 20, 0] < -20
    assert abs(after[30, 20, 0]) < 5
    assert after[..., 0].max() == 30
    assert after[..., 0].min() == -30


def test_the_last_of_those_told_in_one_place_holds(two_halves: np.ndarray):
    places = np.concatenate([place(30, 20), place(30, 20)])
    after = propagate(GREY, GREY, two_halves, places, np.array([[30.0, 0], [0, 30.0]]))
    assert (after[30, 20] == (0, 30)).all()


def test_several_guesses_at_once_are_as_each_alone(two_halves: np.ndarray):
    guesses = np.random.default_rng(0).normal(0, 5, (3, *SHAPE, 2))
    places, colours = np.concatenate([place(10, 20), place(50, 60)]), np.array([[30, 0], [0, 9.0]])
    together = propagate(guesses, guesses + 1, two_halves, places, colours)
    for ab, after in zip(guesses, together, strict=True):
        np.testing.assert_allclose(
            after, propagate(ab, ab + 1, two_halves, places, colours), atol=1e-5
        )


def test_what_a_network_makes_of_a_colour_holds_near_it(two_halves: np.ndarray):
    after = propagate(GREY, GREY + 10, two_halves, place(30, 20), np.array([[10.0, 10.0]]))
    assert (after[30, 20] == 10).all()
    assert (after[20:40, 15:30] > 8).all()
    assert np.abs(after[:, 45:]).max() < 0.5  # beyond the edge


def test_it_fades_with_distance():
    L, grey = np.full((20, 200), 50.0), np.zeros((20, 200, 2))
    told = place(10, 4, (20, 200))
    along = propagate(grey, grey, L, told, np.array([[40.0, 0]]))[10, 6:, 0]
    assert (np.diff(along) < 0).all()
    assert along[40] / along[0] == pytest.approx(np.exp(-1), abs=0.01)  # a fifth of the side


def test_distances_are_those_of_the_shortest_paths():
    """Against Dijkstra's algorithm, where paths need not wind."""
    random = np.random.default_rng(3)
    L = random.normal(50, 2, (12, 15))
    told = np.zeros(L.shape, bool)
    told[4, 6] = True
    expected = np.full(L.shape, np.inf)
    expected[4, 6] = 0
    heap = [(0.0, 4, 6)]
    while heap:
        far, r, c = heapq.heappop(heap)
        if far > expected[r, c]:
            continue
        for i, j in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if 0 <= i < 12 and 0 <= j < 15:
                further = far + 1 + ((L[i, j] - L[r, c]) / room.EDGE) ** 2
                if further < expected[i, j]:
                    expected[i, j] = further
                    heapq.heappush(heap, (further, i, j))
    assert np.allclose(room._distances(told[None], L)[0] * 15, expected, rtol=0.01)
