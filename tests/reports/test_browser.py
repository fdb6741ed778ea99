"""The page in a real browser with the network off: slider, curve and list move the dots, and nothing else runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

import dynst
from dynst.reports.page import page_html
from dynst.runs import Run
from dynst.study.report import page_of

SENSOR = "#d55e00"
DOTS = f'#map .mark-symbol.role-mark path[fill="{SENSOR}"]'
WAIT = 60  # seconds; a chart takes a tenth of one, a busy machine much longer


@pytest.fixture(scope="module")
def run(tmp_path_factory, browser):
    """A real run on the default sample, with a network so small that it takes seconds."""
    cwd = tmp_path_factory.mktemp("run")
    path = os.pathsep.join([str(Path(dynst.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    small = "--planner dynst --steps 30 --batch 4 --dim 8 --depth 1 --ladder 0.9,0.99 --no-polish --out run"
    command = [sys.executable, "-m", "dynst", "fit", "-q", *small.split()]
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return Run(cwd / "run")


@pytest.fixture(scope="module")
def page(run):
    return page_of(run)


@pytest.fixture(scope="module")
def address(page, tmp_path_factory):
    return written(page, tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture
def opened(browser, address):
    """The page of the real run, fresh and drawn."""
    return shown(browser, address, 1280)


def written(page, path):
    path.write_text(page_html(page), encoding="utf-8")
    return path.as_uri()


def shown(browser, address, width):
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    for log in ("browser", "performance"):
        browser.get_log(log)  # what came before is not about this page
    browser.get(address)
    until(browser, lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")
    return browser


def until(browser, condition):
    WebDriverWait(browser, WAIT, poll_frequency=0.05).until(lambda _: condition())


def dots(browser):
    """Places of the sensors that are drawn on the map."""
    script = "return [...document.querySelectorAll(arguments[0])].map((dot) => dot.getAttribute('transform'))"
    return browser.execute_script(script, DOTS)


def slider(browser):
    return browser.find_element(By.ID, "budget")


def now(browser):
    return browser.find_element(By.ID, "now").text


def requests(browser):
    """Addresses that the page asked for."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]


def test_the_page_draws_every_chart_without_an_error_and_asks_for_nothing_but_itself(opened, address, page):
    assert opened.get_log("browser") == []
    asked = requests(opened)
    assert address in asked, "the log of requests is on"
    assert [url for url in asked if url != address and not url.startswith(("data:", "blob:"))] == []
    drawn = opened.execute_script(
        "return [...document.querySelectorAll('.chart')].map((c) => !!c.querySelector('svg'))"
    )
    assert len(drawn) >= 7
    assert all(drawn)
    assert len(dots(opened)) == page.plan.budget
    assert opened.find_element(By.CLASS_NAME, "headline").text == page.headline


def test_nothing_of_the_page_can_reach_the_network(opened):
    script = "const done = arguments[0]; fetch('http://127.0.0.1:9/').then(() => done('sent'), (e) => done(e.name))"
    assert opened.execute_async_script(script) == "TypeError"
    assert "Content Security Policy" in " ".join(entry["message"] for entry in opened.get_log("browser"))


def test_the_keyboard_moves_the_slider_and_the_dots_follow(opened, page):
    slider(opened).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    until(opened, lambda: len(dots(opened)) == page.plan.budget + 3)
    assert now(opened).startswith(
        f"{page.plan.budget + 3} of 864 sites, sparsity 0.9734, ranking by dynst."
    )  # 1 - 23/864
    slider(opened).send_keys(Keys.HOME)
    until(opened, lambda: len(dots(opened)) == 1)
    assert opened.get_log("browser") == []


@pytest.mark.parametrize("budget", [1, 30, 31, 86])
def test_the_map_has_as_many_dots_as_the_slider_says(opened, budget):
    move = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input', {bubbles: true}))"
    opened.execute_script(move, slider(opened), str(budget))
    until(opened, lambda: len(dots(opened)) == budget)
    assert len(set(dots(opened))) == budget, "each at a place of its own"
    assert opened.find_element(By.ID, "count").text == str(budget)


def test_a_click_on_a_point_of_the_curve_sets_the_slider_and_the_dots_follow(opened, page):
    (budget,) = [k for k in next(iter(page.curves.values())).budgets if k < page.plan.budget]
    point = opened.execute_script(
        "return [...document.querySelectorAll('#curve-0 .mark-symbol.role-mark path')]"
        ".sort((a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x)[0]"
    )  # fewest sensors stand at the left
    opened.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    webdriver.ActionChains(opened).move_to_element(point).click().perform()
    until(opened, lambda: slider(opened).get_attribute("value") == str(budget))
    until(opened, lambda: len(dots(opened)) == budget)
    (pressed,) = opened.find_elements(By.CSS_SELECTOR, 'button[aria-pressed="true"]')
    assert pressed.get_attribute("data-budget") == str(budget)
    assert "Forecast error" in now(opened)


@pytest.mark.parametrize("key", [Keys.ENTER, Keys.SPACE])
def test_enter_and_space_on_a_judged_budget_set_the_slider(opened, page, key):
    most = max(k for k in next(iter(page.curves.values())).budgets)
    opened.find_element(By.CSS_SELECTOR, f'button[data-budget="{most}"]').send_keys(key)
    until(opened, lambda: len(dots(opened)) == most)
    assert slider(opened).get_attribute("value") == str(most)


def test_the_line_on_the_curve_follows_the_slider(opened):
    def place():
        script = "return document.querySelector('#curve-0 line[stroke-dasharray=\"2,2\"]').getAttribute('transform')"
        return float(opened.execute_script(script).split("(")[1].split(",")[0])

    before = place()
    slider(opened).send_keys(Keys.ARROW_LEFT)
    until(opened, lambda: place() < before)  # fewer sensors: to the left


def test_another_planner_has_its_own_dots(opened, page):
    ours = dots(opened)
    other = next(name for name in page.plans if name not in ("dynst", page.plan.planner))
    Select(opened.find_element(By.ID, "ranking")).select_by_value(other)
    until(opened, lambda: dots(opened) != ours)
    shared = int((page.plan.active & page.plans[other].active).sum())
    assert len(set(dots(opened)) & set(ours)) == shared
    assert f"ranking by {other}" in now(opened)


def test_a_phone_shows_the_whole_page_without_sliding_sideways(browser, address):
    shown(browser, address, 390)
    wide, inner = browser.execute_script("return [document.documentElement.scrollWidth, window.innerWidth]")
    assert inner == 390
    assert wide <= inner
    cut = browser.execute_script(
        "return [...document.querySelectorAll('.chart')].filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.id)"
    )
    assert cut == []
    shrunk = browser.execute_script(
        "return [...document.querySelectorAll('.chart svg.marks')].map("
        "(s) => [s.parentElement.parentElement.id, s.getBoundingClientRect().width / Number(s.getAttribute('width'))])"
    )
    assert [pair for pair in shrunk if pair[1] < 0.9] == [], "charts are drawn anew, their letters keep their size"
    assert browser.get_log("browser") == []


def test_what_is_folded_away_is_printed(opened):
    folded = "return document.querySelectorAll('details:not([open])').length"
    assert opened.execute_script(folded) > 0
    opened.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.execute_script(folded) == 0
    opened.execute_script("window.dispatchEvent(new Event('afterprint'))")
    assert opened.execute_script(folded) > 0


def tip_over(browser, mark):
    """Tooltips once the pointer came to the mark from outside; charts that still settle may move away under it."""
    webdriver.ActionChains(browser).move_to_element_with_offset(mark, 40, 40).move_to_element(mark).perform()
    return browser.find_elements(By.CSS_SELECTOR, "#vg-tooltip-element.visible")


def test_hostile_names_run_nothing_and_are_shown_as_they_are(browser, evil_page, evil, tmp_path):
    shown(browser, written(evil_page, tmp_path / "evil.html"), 1280)
    assert browser.execute_script("return window.__xss === undefined")
    assert browser.get_log("browser") == []
    assert browser.find_element(By.CLASS_NAME, "headline").text == evil[0]
    names = browser.execute_script("return [...document.querySelectorAll('#lives text')].map((t) => t.textContent)")
    assert any(name.startswith("<script>") for name in names)
    for dot in browser.find_elements(By.CSS_SELECTOR, DOTS)[-5:]:  # the best ranked, whose names are hostile
        browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", dot)
        until(browser, lambda dot=dot: tip_over(browser, dot))
    tip = browser.find_element(By.ID, "vg-tooltip-element")
    assert any(name.strip() in tip.text for name in evil)
    assert not tip.find_elements(By.CSS_SELECTOR, "img, script")
    Select(browser.find_element(By.ID, "ranking")).select_by_value(evil[3])
    until(browser, lambda: evil[3] in now(browser))
    assert browser.execute_script("return window.__xss === undefined")
    assert {url for url in requests(browser) if not url.startswith("data:image/png")} == {browser.current_url}
