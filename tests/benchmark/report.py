# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the report of a large fleet takes: to be made, to be opened in a browser, and to be unfolded all at once.

The fleet is made up, the browser is a real one without a screen. Each run has a browser of its own. How long a step
kept the browser from answering is the longest of the tasks that the browser itself reports as long (50 ms or more);
none is counted as 0. Times in the browser are its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ansible.release
from bed.browser import CHROMIUM, Browser
from bed.report_sample import large, page
from benchmark._measured import Machine, describe, medians, new_parser, positive, said_version

WATCH = """
    window.longest = 0;
    new PerformanceObserver((list) => {
        for (const task of list.getEntries()) { window.longest = Math.max(window.longest, task.duration); }
    }).observe({ type: 'longtask', buffered: true });
"""
STEP = """
    const answer = arguments[arguments.length - 1];
    window.longest = 0;
    const began = performance.now();
    %s;
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
        const took = performance.now() - began;
        setTimeout(() => answer([took / 1000, window.longest / 1000]), 100);
    })));
"""
SEARCH = "{ const s = document.getElementById('search'); s.value = '%s'; s.dispatchEvent(new Event('input')) }"
STEPS = {
    "unfold all": "document.getElementById('expand-all').click()",
    "jump to the last": "document.querySelector('.guest:last-child').scrollIntoView()",
    "sort by seconds": "document.querySelector('.heads .c-seconds button').click()",
    "fold all": "document.getElementById('fold-all').click()",
    "search": SEARCH % "volume",
    "build every detail, as print does with those that are unfolded": (
        SEARCH % "" + "; document.getElementById('expand-all').click(); dispatchEvent(new Event('beforeprint'))"
    ),
}


@dataclass(frozen=True)
class Step:
    """Seconds until it is on the screen, and of the longest task in it."""

    took: float
    longest_task: float


def measure(file: Path) -> dict[str, Step]:
    """Open the page in a new browser and do everything once."""
    with Browser() as browser:
        browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        browser.open(file)
        time.sleep(0.5)
        loaded = (
            "const n = performance.getEntriesByType('navigation')[0]; return [n.loadEventEnd / 1000, longest / 1000]"
        )
        found = {"open": Step(*browser.run(loaded))}
        for name, what in STEPS.items():
            found[name] = Step(*browser.driver.execute_async_script(STEP % what))
        complaints = browser.complaints()
        assert not complaints, complaints
        return found


def table(machine: Machine, sizes: dict[str, Any], results: dict[str, list[Step]]) -> str:
    """What was measured, in Markdown."""
    middle = medians(results)
    fleet = f"{sizes['guests']} guests on {sizes['hypervisors']} hypervisors"
    made = f"{sizes['document_seconds']:.2f} s (document) and {sizes['page_seconds']:.2f} s (page)"
    lines = [
        f"The report of {fleet}: {sizes['kib']:.0f} KiB, made in {made}",
        "",
        f"| seconds, median of {len(next(iter(results.values())))} | until it is seen | longest task |",
        "| --- | --- | --- |",
        *(f"| {name} | {step['took']:.2f} | {step['longest_task']:.2f} |" for name, step in middle.items()),
        "",
        *machine.told,
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("report", __doc__, runs=3)
    parser.add_argument("--guests", type=positive, default=1000, help="how many (%(default)s)")
    parser.add_argument("--hypervisors", type=positive, default=50, help="how many (%(default)s)")
    arguments = parser.parse_args()
    machine = describe({"Chromium": said_version(CHROMIUM).split()[0], "ansible-core": ansible.release.__version__})
    fleet = large(arguments.guests, arguments.hypervisors)
    began = time.monotonic()
    document = fleet.report(fleet.screens())
    made = time.monotonic()
    text = page(document)
    sizes = {
        "guests": arguments.guests,
        "hypervisors": arguments.hypervisors,
        "kib": len(text) / 1024,
        "document_seconds": made - began,
        "page_seconds": time.monotonic() - made,
    }
    results: dict[str, list[Step]] = {}
    with tempfile.TemporaryDirectory(prefix="winguest-report-") as folder:
        file = Path(folder, "report.html")
        file.write_text(text, encoding="utf-8")
        for dummy in range(arguments.runs):
            for name, step in measure(file).items():
                results.setdefault(name, []).append(step)
    print(table(machine, sizes, results))
    if arguments.json:
        runs = {name: [asdict(step) for step in steps] for name, steps in results.items()}
        numbers = {"machine": asdict(machine), "sizes": sizes, "runs": runs, "medians": medians(results)}
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
