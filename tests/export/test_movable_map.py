"""The exported page in a real browser with the network off: it moves, zooms, and runs nothing else."""

import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from dynst.domain import Plan, Sites
from dynst.domain.graphs import nearest_neighbours
from dynst.domain.layout import GridLayout
from dynst.export import export_plan
from dynst.reports.map_chart import SENSOR_COLOUR

DOTS = f'#map .mark-symbol.role-mark path[fill="{SENSOR_COLOUR}"]'
EVIL = "</script><script>window.__xss = 1</script>"


def grid_plan():
    lat, lon = np.meshgrid(np.linspace(60, 45, 6), np.linspace(-10, 10, 8), indexing="ij")
    names = (EVIL, *(f"s{i}" for i in range(47)))
    sites = Sites(lon.ravel(), lat.ravel(), name=names)
    return Plan(np.arange(0, 48, 4), np.linspace(2, 1, 12), 12, sites, "by_hand", EVIL), GridLayout(
        (6, 8), np.arange(48)
    )


def until(browser, condition):
    WebDriverWait(browser, 60, poll_frequency=0.05).until(lambda _: condition())


def opened(browser, path):
    for log in ("browser", "performance"):
        browser.get_log(log)
    browser.get(path.as_uri())
    until(browser, lambda: browser.execute_script("return document.getElementById('move')?.hidden === false"))
    return browser


@pytest.fixture
def page(browser, tmp_path):
    plan, layout = grid_plan()
    export_plan(plan, tmp_path / "map.html", layout=layout, title=EVIL)
    return opened(browser, tmp_path / "map.html")


def box(browser, selector):
    script = (
        "const b = document.querySelector(arguments[0]).getBoundingClientRect();"
        "return [b.x + scrollX, b.y + scrollY, b.width, b.height]"
    )
    return np.array(browser.execute_script(script, selector))


def middles(browser):
    script = (
        "return [...document.querySelectorAll(arguments[0])].map((dot) => dot.getBoundingClientRect())"
        ".map((b) => [b.x + scrollX + b.width / 2, b.y + scrollY + b.height / 2])"
    )
    return np.array(browser.execute_script(script, DOTS))


def click(browser, by):
    browser.find_element(By.CSS_SELECTOR, f'#move button[data-by="{by}"]').click()


def test_zooming_doubles_picture_and_places_alike_and_the_whole_map_comes_back(page):
    picture, dots = box(page, "#map image"), middles(page)
    click(page, "0.5")
    until(page, lambda: box(page, "#map image")[2] > 1.9 * picture[2])
    closer, moved = box(page, "#map image"), middles(page)
    np.testing.assert_allclose(closer[2:], 2 * picture[2:], rtol=1e-3)
    share = (dots - picture[:2]) / picture[2:]
    np.testing.assert_allclose((moved - closer[:2]) / closer[2:], share, atol=2e-3)
    click(page, "0")
    until(page, lambda: box(page, "#map image")[2] < 1.1 * picture[2])
    np.testing.assert_allclose(box(page, "#map image"), picture, atol=0.5)
    assert page.get_log("browser") == []


def test_dragging_moves_picture_and_sensors_together(page):
    picture, dots = box(page, "#map image"), middles(page)
    frame = page.find_element(By.CSS_SELECTOR, "#map svg")
    webdriver.ActionChains(page).move_to_element_with_offset(frame, 20, 35).click_and_hold().move_by_offset(
        50, -30
    ).release().perform()
    until(page, lambda: abs(box(page, "#map image")[0] - picture[0] - 50) < 1)
    np.testing.assert_allclose(box(page, "#map image")[:2] - picture[:2], [50, -30], atol=1)
    np.testing.assert_allclose(middles(page) - dots, np.broadcast_to([50, -30], dots.shape), atol=1)


def test_the_wheel_zooms_and_ticks_are_found_anew(page):
    picture = box(page, "#map image")
    ticks = [tick.text for tick in page.find_elements(By.CSS_SELECTOR, ".role-axis-label text")]
    wheel = webdriver.common.actions.wheel_input.ScrollOrigin.from_element(
        page.find_element(By.CSS_SELECTOR, "#map svg"), 0, 0
    )
    webdriver.ActionChains(page).scroll_from_origin(wheel, 0, -800).perform()
    until(page, lambda: box(page, "#map image")[2] > 1.5 * picture[2])
    closer = [tick.text for tick in page.find_elements(By.CSS_SELECTOR, ".role-axis-label text")]
    assert closer != ticks
    assert len([text for text in closer if text]) >= 4


def test_only_the_two_named_scripts_run_and_nothing_is_asked_of_the_network(page):
    policy = page.find_element(By.CSS_SELECTOR, "meta[http-equiv]").get_attribute("content")
    scripts = policy.split("script-src ")[1].split(";")[0]
    assert scripts.count("'sha256-") == 2
    assert "unsafe" not in scripts
    assert page.execute_script("return window.__xss === undefined")
    asked = "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), (e) => done(e.name))"
    assert page.get_log("browser") == []
    assert page.execute_async_script(asked) == "TypeError"


def test_names_stay_beside_their_dots_when_the_map_is_zoomed(browser, tmp_path):
    rng = np.random.default_rng(1)
    names = tuple(f"town {i}" for i in range(30))
    sites = Sites(rng.uniform(-9, -6, 30), rng.uniform(51, 55, 30), name=names)
    plan = Plan(np.arange(4), np.linspace(2, 1, 4), 4, sites, "by_hand")
    export_plan(plan, tmp_path / "map.html", layout=nearest_neighbours(sites))
    page = opened(browser, tmp_path / "map.html")
    script = (
        "const at = (e) => { const b = e.getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; };"
        "return [...document.querySelectorAll('#map path[stroke=\"arguments0\"]')].map(at)"
        ".concat([...document.querySelectorAll('#map text')].filter((t) => /^1: town 0/.test(t.textContent)).map(at))"
    ).replace("arguments0", SENSOR_COLOUR)

    def away():
        found = np.array(page.execute_script(script))
        rings, label = found[:4], found[-1]
        ring = rings[-1]  # the first rank is drawn last
        return ring[:2] + ring[2:] / 2 - label[:2] - label[2:] / 2

    before = away()
    click(page, "0.5")
    np.testing.assert_allclose(away(), before, atol=1)


def test_a_browser_draws_the_svg(browser, tmp_path):
    plan, layout = grid_plan()
    export_plan(plan, tmp_path / "map.svg", layout=layout)
    browser.get((tmp_path / "map.svg").as_uri())
    size = browser.execute_script("const b = document.documentElement.getBBox(); return [b.width, b.height]")
    assert min(size) > 200
    assert browser.execute_script(f"return document.querySelectorAll('path[fill=\"{SENSOR_COLOUR}\"]').length") >= 12
