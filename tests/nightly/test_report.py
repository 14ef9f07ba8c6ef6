# SPDX-License-Identifier: MIT
"""The HTML report in a real browser: drawn, quick with long logs, usable by keyboard.

Screenshots stay in pytest's temporary folder, for a person to look at.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import doctor
from rig.report import html
from tests import reports
from tests.browser import Browser
from tests.guest.conftest import Rig

LINES = 40_000
SOON_MS = 1500
"""For each thing a reader does with a log of `LINES` lines; seen: 20 to 250 ms."""
FIRST = "document.querySelector('details.guest .view')"
PICKED = f"{FIRST}.querySelector('[aria-selected=true]')"
COUNT = f"{FIRST}.querySelector('output').textContent"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    if (lacking := doctor.missing(doctor.BROWSER)) and not os.environ.get("CI"):
        pytest.skip(f"no chromium here: {doctor.apt_command(lacking)}")
    assert shutil.which("chromium"), "`rig doctor --install --for browser` was not run"
    with Browser(tmp_path_factory.mktemp("chromium") / "profile") as one:
        yield one
    assert one.said == []  # no error, no refused load


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    reports.earlier(runs, 5, 3.0)
    return html.write(reports.run(runs / "99", passed=60, lines=LINES))


@pytest.fixture
def opened(browser: Browser, big: Path) -> Browser:
    """The page of a long run, its failure's time line drawn."""
    browser.look(wide=1300, high=900)
    assert browser.open(big) < 10
    browser.do(f"{FIRST}.scrollIntoView()")
    browser.wait(f"'ready' in {FIRST}.dataset")
    return browser


def ms(browser: Browser, script: str) -> float:
    """What a step costs, until the next frame is drawn."""
    found = browser.do(
        "new Promise(done => { const began = performance.now(); "
        f"{script}; requestAnimationFrame(() => requestAnimationFrame(() => "
        "done(performance.now() - began))); })"
    )
    print(f"{found:7.1f} ms  {script[:90]}")
    assert isinstance(found, float | int)
    return float(found)


def test_a_long_log_is_quick(opened: Browser) -> None:
    rows = int(opened.do(COUNT).split()[2])
    assert rows == html.MAX_ROWS
    assert opened.do(f"{FIRST}.querySelectorAll('.row').length") < 100
    search = f"{FIRST}.querySelector('[type=search]')"
    typed = f"{search}.dispatchEvent(new Event('input', {{bubbles: true}}))"
    assert ms(opened, f"{search}.value = 'line 399'; {typed}") < SOON_MS
    assert int(opened.do(COUNT).split()[0]) == 100  # 39900 to 39999
    assert ms(opened, f"{search}.value = ''; {typed}") < SOON_MS
    assert ms(opened, f"{FIRST}.querySelector('.rows').scrollTop = 400000") < SOON_MS
    assert ms(opened, f"{FIRST}.querySelector('[data-zoom=\"2\"]').click()") < SOON_MS
    assert int(opened.do(COUNT).split()[0]) < rows


def test_by_keyboard_alone(opened: Browser) -> None:
    opened.do(f"{FIRST}.querySelector('.rows').focus()")
    opened.press("Home", "ArrowDown", "ArrowDown", "PageDown")
    third = opened.do(f"Number({PICKED}.dataset.at)")
    assert third > 10
    opened.press("n")
    assert "BUG: sleeping function" in opened.do(f"{FIRST}.querySelector('.one').textContent")
    assert opened.do(f"{PICKED}.id === {FIRST}.querySelector('.rows')"
                     ".getAttribute('aria-activedescendant')")  # fmt: skip
    before = int(opened.do(COUNT).split()[0])
    opened.press("+", "+")
    assert int(opened.do(COUNT).split()[0]) < before / 2
    opened.press("0")
    assert int(opened.do(COUNT).split()[0]) == before
    opened.press("/", *"line 3333")
    opened.press("Enter", "End")
    assert "line 3333" in opened.do(f"{PICKED}.textContent")
    opened.do("document.activeElement.blur(); document.querySelector('th a').focus()")
    opened.press("Enter")
    assert opened.do("document.activeElement.textContent").startswith("a/b FAIL OOPS")


def test_a_drag_in_the_lanes_zooms(opened: Browser) -> None:
    opened.do(f"{FIRST}.querySelector('.lanes').scrollIntoView()")
    box = opened.do(f"(b => [b.left, b.top, b.width])({FIRST}.querySelector('.lanes')"
                    ".getBoundingClientRect())")  # fmt: skip
    left, top, wide = box
    opened.drag((left + wide * 0.3, top + 30), (left + wide * 0.5, top + 30))
    start = float(opened.do(f"{FIRST}.querySelector('.from').value"))
    end = float(opened.do(f"{FIRST}.querySelector('.to').value"))
    assert 0.1 * 12 < end - start < 0.35 * 12


def test_the_memory_map_follows_the_picked_row(opened: Browser) -> None:
    table = f"{FIRST}.querySelector('.areas tbody').innerText"
    told = opened.do(table)
    assert "protected suspend buffer\tslot 1\t" in told
    assert "protected, saved" in told
    assert "protected, on a slot" in told
    clock = f"{FIRST}.querySelector('.map [type=number]')"
    opened.do(f"{FIRST}.querySelector('.rows').focus()")
    opened.press("Home")
    assert opened.do(f"{clock}.value") in opened.do(f"{PICKED}.textContent")
    opened.do(f"{clock}.value = 0.9; {clock}.dispatchEvent(new Event('change'))")
    assert opened.do(table).strip().startswith("protected region\t1\t")
    assert "suspend buffer" not in opened.do(table)  # before the first group
    assert opened.do(f"{FIRST}.querySelectorAll('.bars svg').length") == 2


SHOTS = {
    "light": {"wide": 1300, "high": 900},
    "dark": {"wide": 1300, "high": 900, "dark": True},
    "narrow": {"wide": 420, "high": 900},
}


@pytest.mark.parametrize("name", SHOTS)
def test_screenshots(browser: Browser, big: Path, tmp_path: Path, name: str) -> None:
    """Nothing sticks out of the window, and each of the pages draws something else."""
    pages = {
        "run": big,
        "series": html.write(reports.series(tmp_path / "series")),
        "teeth": html.write(reports.teeth(tmp_path / "teeth")),
    }
    browser.look(**SHOTS[name])  # type: ignore[arg-type]
    pictures = set()
    for what, page in pages.items():
        browser.open(page)
        browser.wait(
            "[...document.querySelectorAll('details[open] .view')].slice(0, 0).length == 0"
        )
        pictures.add(browser.shot(tmp_path / f"{name}-{what}.png"))
        sticks = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert browser.do(sticks) <= 0, (what, name)
        back = browser.do("getComputedStyle(document.body).backgroundColor")
        assert (back == "rgb(15, 19, 24)") == (name == "dark")
    assert len(pictures) == len(pages)


def test_the_page_of_a_real_failure(rig: Rig, browser: Browser) -> None:
    ran = rig("--mutant", "ignore-heap", "fw-protected-section/in-heap")
    page = Path(ran.output.split("report: ")[1].split()[0])
    browser.look(wide=1300, high=900)
    browser.open(page)
    browser.do(f"{FIRST}.scrollIntoView()")
    browser.wait(f"'ready' in {FIRST}.dataset")
    assert "Linux has lent OP-TEE no memory" in browser.do(
        "document.querySelector('.why').innerText"
    )
    areas = browser.do(f"{FIRST}.querySelector('.areas tbody').innerText")
    assert "protected section\tprot\t0x3000000" in areas
    assert "not protected" in areas  # that is what the mutant gets wrong
    browser.shot(page.with_name("report.png"))
