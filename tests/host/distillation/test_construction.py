"""Placement of circulants, against graphs that are built bit by bit."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from keybeam.distillation import _native
from keybeam.distillation.design.check_graph import FAR, CheckGraph
from keybeam.distillation.design.construction import place_circulants


def random_graph(generator, rows, circulant, columns):
    graph = CheckGraph(rows, circulant)
    for _ in range(columns):
        chosen = generator.choice(rows, int(generator.integers(2, 4)), replace=False)
        graph.join([(int(row), int(generator.integers(circulant))) for row in chosen])
    return graph


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    rows=st.integers(3, 8),
    circulant=st.integers(1, 9),
    columns=st.integers(0, 12),
)
def test_distances_are_those_of_the_graph_of_single_checks(seed, rows, circulant, columns):
    graph = random_graph(np.random.default_rng(seed), rows, circulant, columns)
    lanes = np.arange(circulant)
    origins, targets, steps, lengths = graph.edges[:, :, None]
    first = (origins * circulant + lanes).ravel()
    second = (targets * circulant + (lanes + steps) % circulant).ravel()
    size = rows * circulant
    # Of edges side by side the shortest counts; a sparse array would add them.
    order = np.lexsort((np.broadcast_to(lengths, (lengths.size, circulant)).ravel(), second, first))
    pairs, kept = np.unique(np.stack([first, second])[:, order], axis=1, return_index=True)
    weights = np.broadcast_to(lengths, (lengths.size, circulant)).ravel()[order][kept]
    single = coo_array((weights.astype(float), (pairs[0], pairs[1])), shape=(size, size)).tocsr()
    row = int(seed % rows)
    expected = dijkstra(single, indices=row * circulant)
    expected[np.isinf(expected)] = FAR
    assert np.array_equal(graph.distances(row).ravel(), expected)


def test_edges_outside_of_the_graph_are_refused():
    one, none = np.ones(1, np.int32), np.zeros(1, np.int32)
    good = [none, one, none, one, 4, 2, 0]
    assert _native.find_distances(*good).size == 8
    for place, wrong in ((0, -one), (1, 2 * one), (2, 4 * one), (3, none), (4, 0), (6, 2)):
        arguments = [*good[:place], wrong, *good[place + 1 :]]
        with pytest.raises(ValueError, match="outside"):
            _native.find_distances(*arguments)


@pytest.fixture(scope="module")
def columns():
    degrees = (2,) * 24 + (3,) * 40 + (6,) * 20 + (12,) * 6
    return place_circulants(degrees, 20, 32, np.random.default_rng(1))


def test_columns_have_their_degrees_and_rows_are_even(columns):
    assert [len(entries) for entries in columns] == [2] * 24 + [3] * 40 + [6] * 20 + [12] * 6
    rows = np.bincount([row for entries in columns for row, _ in entries])
    assert rows.max() - rows.min() <= 2
    for entries in columns:
        assert len({row for row, _ in entries}) == len(entries)


def test_no_two_columns_close_a_cycle_of_length_four(columns):
    seen = set()
    for entries in columns:
        for (row, shift), (other, other_shift) in itertools.combinations(entries, 2):
            difference = (row, other, (shift - other_shift) % 32)
            assert difference not in seen
            seen.add(difference)


def test_columns_of_degree_two_close_no_short_cycles(columns):
    """With 24 * 32 edges between 20 * 32 checks there are cycles, but long ones."""
    shortest = []
    for place in range(24):
        graph = CheckGraph(20, 32)
        for entries in columns[:place] + columns[place + 1 : 24]:
            graph.join(entries)
        (row, shift), (other, other_shift) = columns[place]
        shortest.append(int(graph.distances(row)[other, (shift - other_shift) % 32]) + 1)
    assert min(shortest) >= 8


def test_a_column_without_a_place_is_reported():
    with pytest.raises(ValueError, match="no place"):
        place_circulants((4,) * 20, 6, 2, np.random.default_rng(1))
