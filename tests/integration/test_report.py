# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's page in a real browser: what is seen in it, and that nothing of a guest's is more than text."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import checkout
import pytest
from bed.browser import Browser
from bed.report_sample import KINDS, Fleet, domain_result, evening, finding, large, page, readiness_result
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.xdist_group("report")

ATTACKS = (
    "</script><script>window.owned = 1</script>",
    "<img src=x onerror='window.owned = 1'>",
    "<!--<script>",
    "]]><svg onload=window.owned=1>",
    '" onmouseover="window.owned = 1',
    "javascript:window.owned=1",
    "\u2028window.owned = 1\u2029//",
    "{{ 7 * 7 }} $title ${document}",
    "\x1b[2J\x00\u202eetalp\ufeff",
    "\ud800 \N{SNOWMAN} \N{GRINNING FACE}",
)
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ufeff\ud800-\udfff]")


@pytest.fixture(scope="module")
def window() -> Iterator[Browser]:
    """One browser for all of these tests, each of which looks at its page anew."""
    with Browser() as browser:
        yield browser


@pytest.fixture
def browser(window: Browser) -> Iterator[Browser]:
    """As if it had just been started; whatever its console says at the end is a failure."""
    window.resize(1280, 900)
    window.prefer("light")
    window.complaints()
    yield window
    assert window.complaints() == []


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Show the report of a fleet: its document."""

    def shown(fleet: Fleet, **options: Any) -> dict[str, Any]:
        document = fleet.report(fleet.screens(), **options)
        (tmp_path / "report.html").write_text(page(document), encoding="utf-8")
        browser.open(tmp_path / "report.html")
        return document

    return shown


def details(name: str) -> str:
    """The selector of the button that unfolds a guest."""
    return f"[aria-label='Details of {name}']"


def scroll_to(browser: Browser, guest: WebElement) -> None:
    """Bring an unfolded guest into sight, and wait until its detail is there."""
    browser.run("arguments[0].scrollIntoView()", guest)
    browser.wait(lambda: browser.run("return arguments[0].querySelector('.inside')", guest))


def seen_rows(browser: Browser) -> list[str]:
    """The names of the guests that are listed, from top to bottom."""
    return browser.texts(".guest:not([hidden]) .c-guest")


def test_every_guest_has_its_row_and_the_totals_are_told(browser: Browser, show: Callable[..., Any]) -> None:
    document = show(evening())
    assert sorted(seen_rows(browser)) == sorted(guest["name"] for guest in document["guests"])
    assert "büro-drucker" in seen_rows(browser)
    verdict = browser.texts(".verdict")[0]
    assert verdict.startswith(f"5 of {document['totals']['guests']} guests to look after")
    cards = browser.texts(".card")
    assert "Forced1hv-north / build07" in cards
    assert any(card.startswith("Hypervisors without a result1hv-east: it could not be reached") for card in cards)
    shown = dict(zip(browser.texts(".body .c-guest"), browser.texts(".body .c-outcome"), strict=True))
    assert shown["web06"] == "unknown"
    assert shown["term02"] == "left running"
    assert shown["web01"] == "graceful"


def test_a_forced_guest_unfolds_to_its_timeline_findings_and_screen(browser: Browser, show: Callable[..., Any]) -> None:
    show(evening())
    browser.click(details("hv-north / build07"))
    detail = ".guest.open .detail"
    browser.wait(lambda: browser.all(f"{detail} .timeline"))
    phases = browser.texts(f"{detail} .legend.phases b")
    assert phases == ["3.0 s", "0.1 s", "85.0 s", "3 min 35 s", "0.1 s"]
    drawn = f"{detail} .lane.bar .phase"
    widths = browser.run("return [...document.querySelectorAll(arguments[0])].map((e) => e.offsetWidth)", drawn)
    assert widths[3] > 2 * widths[2] > 20 * max(widths[0], widths[1])
    assert browser.texts(f"{detail} .clock") == ["finish clock 5 min 00 s"]
    assert [text for text in browser.texts(f"{detail} .entries .said") if text.startswith("evidence: ok")]
    assert "Cure: Take a backup" in browser.texts(f"{detail} .findings")[0]
    loaded = "const i = document.querySelector(arguments[0]); return i.complete && i.naturalWidth"
    assert browser.wait(lambda: browser.run(loaded, f"{detail} img")) == 800
    browser.click(details("hv-north / build07"))
    assert not browser.all(".guest.open")


def test_nothing_that_a_guest_says_is_more_than_text(browser: Browser, show: Callable[..., Any]) -> None:
    fleet = Fleet()
    fleet.add_hypervisor("hv", {"web": "web", "hung": "hung"})
    for number, attack in enumerate(ATTACKS):
        domain = {**domain_result(f"{number} {attack}", KINDS["hung"]), "reason": attack, "accepted_by": attack}
        domain["timeline"] = [{**entry, "text": f"{entry['text']} {attack}"} for entry in domain["timeline"]]
        domain.update({"evidence": [f"/{attack}/screen.png"], "new_" + attack: attack, "outcome": attack})
        fleet.hostvars["hv"]["domain_shutdown_result"]["domains"].append(domain)
        readiness = readiness_result(KINDS["hung"])
        for found in readiness["findings"]:
            found.update(dict.fromkeys(("id", "title", "location", "actual", "detail", "cure", "state"), attack))
        readiness["verdicts"] = {attack: attack}
        asked = {"outcome": attack, "msg": attack}
        name = f"guest {number}"
        fleet.add_guest(name, "hv", winguest_domain=f"{number} {attack}", guest_readiness_result=readiness)
        fleet.hostvars[name].update(guest_shutdown_result=asked)
        fleet.hypervisors.append(attack)
        fleet.hostvars[attack] = {"domain_shutdown_result": {"failed": True, "msg": attack}}
    show(fleet, title=ATTACKS[0])
    browser.click("#expand-all")
    for guest in browser.all(".guest"):
        scroll_to(browser, guest)
    assert browser.run("return window.owned") is None
    assert browser.run("return document.title") == ATTACKS[0]
    assert browser.run("return document.scripts.length") == 2
    assert (
        browser.run("return document.querySelectorAll('iframe, object, embed, form, base, a:not(.skip)').length") == 0
    )
    names = browser.run("return [...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames())")
    assert not [name for name in names if name.startswith("on")]
    sources = browser.run("return [...document.images].map((image) => image.src.slice(0, 15))")
    assert set(sources) == {"data:image/png;"}
    whole = browser.run("return document.body.textContent")
    for attack in ATTACKS:
        literally = UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", attack)
        assert whole.count(literally) > 8, literally


@pytest.mark.parametrize("name", ["hv-north / build07", "hv-south / kiosk03"])
def test_it_fits_a_telephone(browser: Browser, show: Callable[..., Any], name: str) -> None:
    browser.resize(360, 740, phone=True)
    show(evening())
    browser.click(details(name))
    browser.click(".hosts > summary")
    browser.run("document.querySelectorAll('.detail details').forEach((e) => { e.open = true })")
    wide = "return [...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 361).length"
    assert browser.run("return document.documentElement.scrollWidth") == 360
    assert browser.run(wide) == 0
    shown = browser.one(details(name)).rect
    assert shown["width"] >= 24
    assert shown["height"] >= 24


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(browser: Browser, show: Callable[..., Any], scheme: str) -> None:
    """Every text stands out from what is behind it (WCAG AA), and every outcome's picture too."""
    browser.prefer(scheme)
    show(evening())
    browser.click(details("hv-north / build07"))
    browser.wait(lambda: browser.all(".guest.open .timeline"))
    paper = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    behind = """
        let e = arguments[0];
        while (e && getComputedStyle(e).backgroundColor === 'rgba(0, 0, 0, 0)') { e = e.parentElement }
        return [getComputedStyle(arguments[0]).color, getComputedStyle(e).backgroundColor]
    """
    selectors = (
        "h1",
        ".when",
        ".verdict",
        ".card h2",
        ".c-reason",
        ".because",
        ".warn",
        ".tick",
        ".finding-title code",
    )
    for selector in (*selectors, ".chip", ".link", ".kind", ".note, .status", ".cell .icon"):
        for element in browser.all(selector)[:12]:
            if element.is_displayed():
                least = 3 if selector.endswith(".icon") else 4.5
                colours = browser.run(behind, element)
                assert contrast(*colours) >= least, f"{selector}: {colours}"


def luminance(colour: str) -> float:
    """The relative luminance of a CSS colour, as WCAG defines it."""
    parts = [float(part) / 255 for part in re.findall(r"[\d.]+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """The contrast of two colours."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_filtering_searching_and_sorting(browser: Browser, show: Callable[..., Any]) -> None:
    show(evening())
    assert seen_rows(browser)[:3] == ["app04", "web06", "build07"]  # those to look after come first
    forced = "//button[contains(@class, 'chip')][starts-with(., 'forced')]"
    browser.driver.find_element("xpath", forced).click()
    assert seen_rows(browser) == ["build07"]
    assert browser.texts(".status") == ["1 of 21 guests"]
    browser.driver.find_element("xpath", forced).click()
    search = browser.one("#search")
    search.send_keys("CBS_reboot")
    assert seen_rows(browser) == ["term01"]
    search.send_keys(Keys.CONTROL, "a")
    search.send_keys("hv-south web")
    assert seen_rows(browser) == ["web04", "web05"]
    search.send_keys(Keys.CONTROL, "a", Keys.DELETE)
    browser.click(".heads .c-seconds button")
    assert seen_rows(browser)[0] == "term01"
    assert browser.one(".heads .c-seconds").get_attribute("aria-sort") == "descending"
    browser.click(".heads .c-guest button")
    assert seen_rows(browser) == sorted(seen_rows(browser))
    browser.driver.find_element("xpath", "//div[@class='cards']//button[.='hv-south / term02']").click()
    assert browser.texts(".guest.open .c-guest") == ["term02"]


def test_the_keyboard_alone_and_a_screen_reader(browser: Browser, show: Callable[..., Any]) -> None:
    browser.resize(1280, 4000)  # what is out of sight may not be in the tree yet
    show(evening())
    button = browser.one(details("hv-north / build07"))
    browser.run("arguments[0].focus()", button)
    button.send_keys(Keys.ENTER)
    assert button.get_attribute("aria-expanded") == "true"
    assert browser.one(f"#{button.get_attribute('aria-controls')}").is_displayed()
    button.send_keys(Keys.TAB)
    focused = browser.run("return document.activeElement.getAttribute('aria-label')")
    assert str(focused).startswith("Details of ")
    tree = browser.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = [node["role"]["value"] for node in tree if not node["ignored"]]
    named = {"button": 0, "image": 0}
    for node in tree:
        if not node["ignored"] and node["role"]["value"] in named:
            named[node["role"]["value"]] += 1
            assert node["name"]["value"], node
    assert named["button"] > 30
    assert named["image"] >= 2
    assert roles.count("columnheader") >= 8
    assert roles.count("row") >= 22


def test_on_paper_whoever_is_to_be_looked_after_is_unfolded(browser: Browser, show: Callable[..., Any]) -> None:
    document = show(evening())
    browser.click(details("hv-north / web01"))
    count = "window.paper = document.querySelectorAll('.guest.open .inside').length"
    browser.run(f"addEventListener('beforeprint', () => {{ {count} }})")
    assert browser.printed().startswith(b"%PDF")
    assert browser.run("return window.paper") == document["totals"]["look_after"] + 1
    assert browser.texts(".guest.open .c-guest") == ["web01"]


def test_a_thousand_guests_unfolded_at_once(browser: Browser, show: Callable[..., Any]) -> None:
    """Only what comes near the window is built. How long it takes is measured by a benchmark."""
    show(large(1000))
    assert len(browser.all(".guest")) == 1000
    browser.click("#expand-all")
    assert len(browser.all(".guest.open")) == 1000
    browser.wait(lambda: browser.all(".inside"))
    assert len(browser.all(".inside")) < 50
    last = browser.all(".guest")[-1]
    scroll_to(browser, last)
    assert len(browser.all(".inside")) < 100
    browser.click("#fold-all")
    assert not browser.all(".guest.open")


def test_check_mode_shows_plans_and_an_empty_fleet_says_so(browser: Browser, show: Callable[..., Any]) -> None:
    fleet = Fleet()
    fleet.add_hypervisor("hv", {"web": "web"})
    planned = {**fleet.hostvars["hv"]["domain_shutdown_result"]["domains"][0], "outcome": "planned", "timeline": []}
    planned.update(plan=["press the ACPI power button"], finish_seconds=None, reason="check mode")
    fleet.hostvars["hv"]["domain_shutdown_result"]["domains"] = [planned]
    show(fleet, check_mode=True)
    assert browser.texts(".verdict") == ["The plan for 1 guest"]
    browser.click(details("hv / web"))
    browser.wait(lambda: browser.all(".inside"))
    assert "Planpress the ACPI power button" in browser.texts(".block")
    show(Fleet())
    assert browser.texts(".verdict") == ["No guests"]
    assert browser.texts(".status") == ["0 guests"]


def test_a_result_of_another_version_is_shown_as_far_as_it_is_known(browser: Browser, show: Callable[..., Any]) -> None:
    fleet = Fleet()
    fleet.add_hypervisor("hv", {"web": "web"})
    domain = fleet.hostvars["hv"]["domain_shutdown_result"]["domains"][0]
    for key in ("permission", "evidence", "accept_seconds", "presses", "request_outstanding"):
        del domain[key]
    domain.update(
        outcome="teleported", flavour="sweet", forecast={"tier": 2, "expected_seconds": 25.0, "becomes": "graceful"}
    )
    domain["timeline"].append({"kind": "dreamt", "text": "of sheep"})
    fleet.hostvars["web"]["guest_readiness_result"]["findings"] = [{"id": "odd"}, finding_without_places()]
    show(fleet)
    browser.click(details("hv / web"))
    browser.wait(lambda: browser.all(".inside"))
    told = browser.texts(".inside")[0]
    for text in ("teleported", "flavoursweet", "graceful after 25.0 s", "tier2", "of sheep", "odd"):
        assert text in told


def finding_without_places() -> dict[str, Any]:
    """A finding of a row that has none of the texts."""
    from bed.report_sample import BY_ID

    return {**finding(BY_ID["volume_damaged"], "differs"), "title": None, "cure": None}


def test_the_benchmark(tmp_path: Path) -> None:
    """It works, and its numbers make sense."""
    numbers = tmp_path / "numbers.json"
    command = [str(checkout.ROOT / "tests" / "run"), "benchmark", "report", "--runs", "1", "--json", str(numbers)]
    ended = subprocess.run([*command, "--guests", "60"], check=False, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert "The report of 60 guests on 50 hypervisors: " in ended.stdout
    document = json.loads(numbers.read_text())
    rows = [line for line in ended.stdout.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == [f"| {name}" for name in document["runs"]]
    for name, (step,) in document["runs"].items():
        assert step["took"] > 0 <= step["longest_task"], name
        assert document["medians"][name] == step
    assert document["machine"]["versions"]["Chromium"]
