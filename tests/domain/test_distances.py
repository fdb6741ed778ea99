"""A distance as a user types it means the same everywhere, and what cannot be meant is one line."""

import numpy as np
import pytest

from dynst.domain import Frame, GridLayout, Sites
from dynst.domain.distances import Length, length_on, spacing_on
from dynst.domain.graphs import drawing, of_edges
from dynst.errors import ConfigError

X, Y = np.arange(6.0), np.zeros(6)
EARTH = Sites(X, Y)
METRES = Sites(1000 * X, Y, frame=Frame.PLANAR)
PROJECTED = Sites(1000 * X, Y, frame=Frame.PROJECTED, crs="EPSG:32631")
FLOW = Sites(X, Y, frame=Frame.PLANAR, unit="1")
CELLS = Sites(X, Y, frame=Frame.PLANAR, unit="cells")
GRID = GridLayout((1, 6), np.arange(6))
CHAIN, _ = of_edges(6, np.arange(5), np.arange(1, 6))
PLACE = drawing(CHAIN)
NOWHERE = Sites(PLACE[:, 0], PLACE[:, 1], frame=Frame.SCHEMATIC)


@pytest.mark.parametrize(
    ("sites", "layout", "said", "least", "unit"),
    [
        (EARTH, GRID, "30km", 30.0, "km"),
        (EARTH, GRID, " 500 m ", 0.5, "km"),
        (EARTH, GRID, "1.5E1 KM", 15.0, "km"),
        (METRES, GRID, "1500", 1.5, "km"),
        (METRES, GRID, "1.5km", 1.5, "km"),
        (PROJECTED, GRID, 2000, 2.0, "km"),
        (FLOW, GRID, "0.25", 0.25, "1"),
        (CELLS, GRID, "3", 3.0, "cells"),
        (CELLS, GRID, "3 cells", 3.0, "cells"),
        (EARTH, CHAIN, "3hops", 3.0, "hops"),
        (METRES, CHAIN, "3 hops", 3.0, "hops"),
        (NOWHERE, CHAIN, "1 hop", 1.0, "hops"),
        (NOWHERE, CHAIN, "2", 2.0, "hops"),
    ],
)
def test_a_distance_is_in_the_unit_of_the_sites(sites, layout, said, least, unit):
    spacing = spacing_on(sites, layout, Length.parse(said))
    assert (spacing.least, spacing.unit) == (pytest.approx(least), unit)
    assert (spacing.edges is None) == (unit != "hops")
    assert Length.parse(str(Length.parse(said))) == Length.parse(said)


@pytest.mark.parametrize(
    ("sites", "layout", "said", "says"),
    [
        (EARTH, GRID, "30", "30 has no unit.*write 30km"),
        (EARTH, GRID, "3hops", "form a grid"),
        (EARTH, GRID, "3miles", '"miles" is unknown here'),
        (EARTH, CHAIN, "2.5hops", "whole number of hops"),
        (FLOW, GRID, "5km", "have no dimension"),
        (CELLS, GRID, "5km", "are in cells"),
        (NOWHERE, CHAIN, "5km", "nobody knows where"),
        (EARTH, GRID, "-5km", "more than 0"),
        (EARTH, GRID, "0", "more than 0"),
        (EARTH, GRID, "1e999km", "more than 0"),
        (EARTH, GRID, "nan", "like 30km"),
        (EARTH, GRID, "5,5km", "like 30km"),
        (EARTH, GRID, "hops", "like 30km"),
        (EARTH, GRID, True, "like 30km"),
        (EARTH, GRID, "", "like 30km"),
    ],
)
def test_what_is_no_distance_here_is_one_line(sites, layout, said, says):
    with pytest.raises(ConfigError, match=says) as stop:
        spacing_on(sites, layout, Length.parse(said))
    assert "\n" not in str(stop.value)


def test_hops_count_edges_whatever_their_direction():
    spacing = spacing_on(NOWHERE, CHAIN, Length.parse("3hops"))
    assert spacing.within_hops(2).tolist() == [0, 1, 2, 3, 4]


def test_a_buffer_without_a_unit_has_the_one_it_is_given():
    assert length_on(EARTH, Length.parse("5"), bare="km") == 5.0
    assert length_on(METRES, Length.parse("5"), bare="km") == 5.0
    assert length_on(FLOW, Length.parse("5"), bare="1") == 5.0
