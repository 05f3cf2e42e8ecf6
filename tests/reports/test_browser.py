"""The report in a real browser: it asks for nothing, needs no JavaScript, and lets nobody in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reports.html import write_report
from tests.reports.browser import Page, find_browser, opened, running
from tests.reports.synthetic import HOSTILE, build
from tests.required import lacking

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[str]:
    """The address of a running browser."""
    if find_browser() is None:
        missing = "no chromium or google-chrome on the PATH: install one to open the report in it"
        lacking("browser", "a browser", missing)
    with running() as address:
        yield address


@pytest.fixture
def report(tmp_path: Path) -> Callable[[str], str]:
    return lambda kind: write_report(build(tmp_path, kind, how_many=600).path).as_uri()


VISIBLE_TEXT = "document.body.innerText"


def test_asks_for_nothing_and_has_nothing_to_complain_of(browser: str, report: Callable[[str], str]) -> None:
    async def check() -> None:
        url = report("stale-read")
        async with opened(browser, url) as page:
            assert page.requests == [url]
            assert page.console == []
            assert await page.evaluate("document.querySelector('.command button').textContent") == "Copy"

    asyncio.run(check())


def test_a_page_that_asks_or_complains_is_noticed(browser: str, tmp_path: Path) -> None:
    """What the test above relies on."""
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/x.png'><script>console.error('no'); missing()</script>")

    async def check() -> None:
        async with opened(browser, page.as_uri()) as opened_page:
            assert "http://127.0.0.1:9/x.png" in opened_page.requests
            assert any("missing" in line for line in opened_page.console)

    asyncio.run(check())


def test_says_what_matters_without_javascript(browser: str, report: Callable[[str], str]) -> None:
    async def check() -> None:
        async with opened(browser, report("stale-read"), scripts=False) as page:
            text = await page.evaluate(VISIBLE_TEXT)
            assert await page.evaluate("document.querySelector('.command button')") is None
            assert "FAIL" in text
            assert "returned a list without" in text
            assert "pytest --workload=append --nemesis=partition,pause,kill,latency --seed=7" in text
            assert "held back 41,812 bytes on 4 links" in text
            await no_picture_is_empty(page)

    asyncio.run(check())


async def no_picture_is_empty(page: Page) -> None:
    sizes = await page.evaluate(
        "[...document.querySelectorAll('.plot')].map(p => { const b = p.getBoundingClientRect();"
        " return [b.width, b.height] })"
    )
    assert len(sizes) == 3
    assert all(width > 600 and height > 100 for width, height in sizes)


def test_nobody_gets_in_with_markup(browser: str, report: Callable[[str], str]) -> None:
    async def check() -> None:
        url = report("hostile")
        async with opened(browser, url) as page:
            assert await page.evaluate("document.title") != "owned"
            assert HOSTILE in await page.evaluate(VISIBLE_TEXT)
            assert (
                await page.evaluate("document.querySelectorAll('img, iframe, object, [onerror]').length") == 0
            )
            assert page.requests == [url]
            assert page.console == []
            # Even where something is let in, the policy keeps it from running and from asking.
            refused = await page.evaluate(
                "new Promise(done => { const refused = []; document.onsecuritypolicyviolation = event => {"
                " refused.push(event.effectiveDirective); if (refused.length == 2) done(refused.sort()) };"
                f" document.body.insertAdjacentHTML('beforeend', {json.dumps(HOSTILE)}) }})"
            )
            assert refused == ["img-src", "script-src-attr"]
            assert await page.evaluate("document.title") != "owned"

    asyncio.run(check())


@pytest.mark.parametrize("width", [1000, 1600])
def test_nothing_sticks_out_sideways(browser: str, report: Callable[[str], str], width: int) -> None:
    async def check() -> None:
        async with opened(browser, report("two-leaders"), width=width) as page:
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            await no_picture_is_empty(page)

    asyncio.run(check())


def test_pointing_at_a_picture_says_what_is_there(browser: str, report: Callable[[str], str]) -> None:
    """In the dark, too: the page follows the system's scheme."""

    async def check() -> None:
        async with opened(browser, report("good"), dark=True) as page:
            await page.evaluate("document.querySelector('.area .leader').scrollIntoView({block: 'center'})")
            x, y = await page.evaluate(
                "(() => { const b = document.querySelector('.area .leader rect').getBoundingClientRect();"
                " return [b.x + b.width / 2, b.y + b.height / 2] })()"
            )
            await page.move_pointer(x, y)
            tip = "document.querySelector('.tip')"
            assert await page.evaluate(f"getComputedStyle({tip}).visibility") == "visible"
            assert (await page.evaluate(f"{tip}.textContent")).startswith("leader of term 1, 0.950 s to ")
            assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 27)"

    asyncio.run(check())


def test_the_copy_button_copies_or_selects(browser: str, report: Callable[[str], str]) -> None:
    async def check() -> None:
        async with opened(browser, report("good")) as page:
            x, y = await page.evaluate(
                "(() => { const b = document.querySelector('.command button').getBoundingClientRect();"
                " return [b.x + b.width / 2, b.y + b.height / 2] })()"
            )
            await page.click(x, y)
            said = await page.evaluate(
                "new Promise(done => { const b = document.querySelector('.command button');"
                " const look = () => b.textContent === 'Copy' ? setTimeout(look, 5) : done(b.textContent);"
                " look() })"
            )
            assert said in ("Copied", "Selected")

    asyncio.run(check())
