# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A headless Chromium that shows a page from a file: what a person would see, and what they would not.

    with Browser() as browser:
        browser.open(path)
        assert browser.complaints() == []

It has a profile of its own in a temporary folder, and looks for nothing in any network.
"""

from __future__ import annotations

import base64
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ^NOTFOUND",
)
PATIENCE = 60.0


class Browser:
    """One window."""

    def __init__(self, width: int = 1280, height: int = 900) -> None:
        self._size = (width, height)

    def __enter__(self) -> Browser:
        self._folder = tempfile.mkdtemp(prefix="winguest-chromium-")
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in (*FLAGS, f"--user-data-dir={self._folder}", f"--window-size={self._size[0]},{self._size[1]}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.resize(*self._size)
        return self

    def __exit__(self, *dummy: object) -> None:
        self.driver.quit()
        shutil.rmtree(self._folder, ignore_errors=True)

    def resize(self, width: int, height: int, phone: bool = False) -> None:
        """The part of the page that is seen, in CSS pixels."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def prefer(self, scheme: str) -> None:
        """A user who prefers light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def open(self, page: Path) -> None:
        """Load it from the file, to the end."""
        self.driver.get(page.resolve().as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page: what it returns."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """The elements that this CSS selector names."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector: str) -> WebElement:
        """The only one."""
        found = self.all(selector)
        assert len(found) == 1, f"{len(found)} elements are {selector}"
        return found[0]

    def texts(self, selector: str) -> list[str]:
        """What is in these elements, seen or not."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)"
        return [str(text) for text in self.run(script, selector)]

    def click(self, selector: str) -> None:
        """Click on the only one, wherever on the page it is."""
        self.run("arguments[0].scrollIntoView({block: 'center'})", self.one(selector))
        self.one(selector).click()

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Until it holds: what it returned."""
        give_up = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < give_up, "it never came true"
            time.sleep(0.02)
        return found

    def complaints(self) -> list[str]:
        """What the console has said since the last time: errors, and what the page's policy has kept away."""
        return [str(entry["message"]) for entry in self.driver.get_log("browser")]

    def picture(self, whole: bool = False) -> bytes:
        """What is seen, or the whole page, as PNG."""
        if whole:  # what is not in the window is not drawn, so the window grows
            width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
            self.resize(width, height, phone=width < 600)
            self.run("scrollTo(0, 0)")
            self.driver.execute_async_script("requestAnimationFrame(() => setTimeout(arguments[0], 100))")
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])

    def printed(self) -> bytes:
        """The page on A4 paper, as PDF."""
        paper = {"paperWidth": 8.27, "paperHeight": 11.69, "printBackground": False, "preferCSSPageSize": True}
        return base64.b64decode(self.driver.execute_cdp_cmd("Page.printToPDF", paper)["data"])
