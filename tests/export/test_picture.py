"""The picture shows the sensors where they are; the page needs no network and runs nothing that a name says."""

import io
import json
import re
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest

from dynst.domain import GridLayout, Plan, Sites
from dynst.export import render
from dynst.reports.map_chart import SENSOR_COLOUR
from dynst.reports.view import view_of

EVIL = ("<script>alert(1)</script>", "</script><img src=x onerror=alert(2)>", "<!--<script>")


def small_plan(columns=12, rows=6):
    lat, lon = np.meshgrid(np.linspace(50, 40, rows), np.linspace(-30, -8, columns), indexing="ij")  # open sea
    names = EVIL + tuple(f"s{i}" for i in range(lat.size - len(EVIL)))
    sites = Sites(lon.ravel(), lat.ravel(), name=names)
    order = np.r_[np.arange(3), 40, np.setdiff1d(np.arange(lat.size), [0, 1, 2, 40])]
    plan = Plan(order, np.linspace(2, 0, lat.size), 4, sites, "by_hand", EVIL[1])
    return plan, GridLayout(lat.shape, np.arange(lat.size))


def pixels(png):
    """RGB of a PNG without interlacing, with plain zlib: the independent reader."""
    at, packed, size = 8, b"", None
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4]), png[at + 4 : at + 8]
        if kind == b"IHDR":
            size = int.from_bytes(png[at + 8 : at + 12]), int.from_bytes(png[at + 12 : at + 16])
            depth = png[at + 16], png[at + 17]
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    assert depth == (8, 6), "vl-convert writes 8-bit RGBA"
    width, height = size
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + 4 * width)
    out = np.zeros((height, width, 4), np.uint8)
    for row, line in enumerate(lines):
        out[row] = _unfiltered(int(line[0]), line[1:].reshape(width, 4), out[row - 1] if row else np.zeros_like(out[0]))
    return out[..., :3].astype(int)


def _unfiltered(kind, line, above):
    line, above = line.astype(int), above.astype(int)
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line, axis=0) % 256
    if kind == 2:
        return (line + above) % 256
    out = np.zeros_like(line)
    left = corner = np.zeros(4, int)
    for i in range(len(line)):
        if kind == 3:
            guess = (left + above[i]) // 2
        else:
            paeth = left + above[i] - corner
            a, b, c = np.abs(paeth - left), np.abs(paeth - above[i]), np.abs(paeth - corner)
            guess = np.where((a <= b) & (a <= c), left, np.where(b <= c, above[i], corner))
        left, corner = (line[i] + guess) % 256, above[i]
        out[i] = left
    return out


def test_each_sensor_is_drawn_where_it_stands():
    plan, layout = small_plan()
    picture, view = pixels(render(plan, "png", layout=layout)), view_of(plan.sites, layout)
    colour = np.array([int(SENSOR_COLOUR[i : i + 2], 16) for i in (1, 3, 5)])
    rows, columns = np.nonzero(np.abs(picture - colour).sum(axis=-1) < 12)
    inside = columns < columns.max() - 30  # the legend's dot lies right of the map
    x = (plan.sites.x[plan.selected] - view.west) / (view.east - view.west) * view.width * 2
    y = (view.north - plan.sites.y[plan.selected]) / (view.north - view.south) * view.height * 2
    shift = np.array(
        [columns[inside].min() - x.min() + 15, rows[inside].min() - y.min() + 15]
    )  # title and axis, a radius
    for place in np.stack([x, y], axis=-1) + shift:
        near = np.hypot(columns - place[0], rows - place[1]) < 13
        assert near.sum() > 150, place  # a dot of 15 px at twice the scale has 700 pixels, less its ring and number
    far = [np.hypot(*(np.stack([columns, rows], -1) - place - shift).T) > 20 for place in np.stack([x, y], axis=-1)]
    assert not (np.all(far, axis=0) & inside).any(), "sensor colour where no sensor is"


class Loads(HTMLParser):
    """Everything that a page would fetch, and the scripts it runs."""

    def __init__(self):
        super().__init__()
        self.fetched, self.scripts, self.tags, self.policy = [], 0, [], ""

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.fetched += [attrs[key] for key in ("src", "href", "srcset", "data", "action", "poster") if key in attrs]
        self.scripts += tag == "script"
        if attrs.get("http-equiv") == "Content-Security-Policy":
            self.policy = attrs["content"]


@pytest.fixture(scope="module")
def page():
    plan, layout = small_plan()
    return render(plan, "html", layout=layout, title=EVIL[1]).decode()


def test_the_page_fetches_nothing_and_forbids_it(page):
    found = Loads()
    found.feed(page)
    assert found.fetched == []
    assert not {"link", "iframe", "img", "object", "embed", "base"} & set(found.tags)
    assert found.policy.startswith("default-src 'none'")
    assert not re.search(r"(?:src|connect|img|font)-src[^;]*https?:", found.policy)
    assert len(page) < 2_000_000


def test_no_name_leaves_its_place_in_the_page(page):
    found = Loads()
    found.feed(page)
    assert found.scripts == 2, "the library and the chart, nothing else"
    for evil in EVIL:
        assert evil not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_chart_in_the_page_is_the_chart(page):
    text = page.rsplit('getElementById("map"), ', 1)[1].split(").then(")[0]
    spec = json.loads(text)
    assert EVIL[1] in spec["title"]["text"]
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v")  # a name, never fetched


def test_a_large_grid_makes_a_small_page():
    lat, lon = np.meshgrid(np.linspace(90, -90, 73), np.arange(144) * 2.5 - 180, indexing="ij")
    sites = Sites(lon.ravel(), lat.ravel())
    order = np.random.default_rng(0).permutation(lat.size)
    plan = Plan(order, np.linspace(1, 0, lat.size) ** 8, lat.size // 2, sites, "by_hand")
    content = render(plan, "html", layout=GridLayout(lat.shape, np.arange(lat.size), periodic=True))
    assert len(content) < 2_000_000
    assert io.BytesIO(content).readline().startswith(b"<!DOCTYPE html>")
