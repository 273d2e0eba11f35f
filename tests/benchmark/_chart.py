# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""A picture of a benchmark's numbers for the README: bars with their names before them and their values behind.

    chart(Path("docs/shutdown.png"), "Shutting down", "seconds", {"60 guests": {"ours": 0.9, "a peer": 31.0}}, log=True)

It is a page that the tests' own Chromium draws, which costs the set-up nothing. The background is opaque, so that it is
seen as well by readers who prefer dark pages, and the letters are large, since phones show it at half its size.
"""

from __future__ import annotations

import argparse
import base64
import html
import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bed.browser import Browser

WIDTH = 760
SHARPNESS = 2
"""CSS pixels, and how many of the picture's make one."""

MOST_MARKS = 5
"""So many numbers have room below the bars."""

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
  * {{ box-sizing: border-box }}
  body {{ margin: 0; padding: 22px 26px; background: #fff; color: #1c2733; font: 19px/1.35 "DejaVu Sans", sans-serif }}
  h1 {{ margin: 0; font-size: 24px }}
  h1, h2, .name {{ overflow-wrap: anywhere }}
  p {{ margin: 2px 0 0; color: #52606d; font-size: 17px }}
  #bars {{ display: grid; grid-template-columns: fit-content(50%) 1fr; margin-top: 10px }}
  h2 {{ grid-column: 1 / -1; margin: 14px 0 3px; font-size: 19px }}
  .name {{ padding: 3px 14px 3px 0 }}
  .ours {{ font-weight: bold }}
  .track {{ position: relative; margin-right: calc({room}ch + 12px); display: flex; align-items: center }}
  .bar {{ height: 22px; flex: none; background: #93a3b5; border-radius: 0 3px 3px 0 }}
  .ours + .track .bar {{ background: #1a7f4e }}
  .bad + .track .bar {{ background: #d9826f }}
  .value {{ flex: none; margin-left: 4px; padding: 0 4px; background: #fff }}
  .tick {{ position: absolute; top: 0; bottom: 0; border-left: 1px solid #dbe2e8; z-index: -1 }}
  .scale {{ height: 26px }}
  .scale .tick {{ border: 0; width: 0; display: flex; justify-content: center; font-size: 15px; color: #52606d }}
</style>
<h1>{title}</h1>
<p>{about}</p>
<div id="bars">
{bars}
</div>
</html>
"""


def chart(
    path: Path,
    title: str,
    unit: str,
    groups: Mapping[str, Mapping[str, float]],
    *,
    log: bool = False,
    ours: Collection[str] = (),
    bad: Collection[str] = (),
    note: str = "",
) -> None:
    """Write the picture (PNG).

    `unit`: what the values are, such as "seconds"; `groups`: by the name of a group ("" for a group without one) and
    that of a bar, the value; `log`: a logarithmic scale; `ours`, `bad`: the names of the bars that are ours, and of
    those that something is wrong with; `note`: more to be said.
    """
    text = page(title, unit, groups, log=log, ours=ours, bad=bad, note=note)
    with tempfile.TemporaryDirectory(prefix="winguest-chart-") as folder, Browser(WIDTH) as browser:
        file = Path(folder, "chart.html")
        file.write_text(text, encoding="utf-8")
        browser.open(file)
        height = browser.run("return document.documentElement.getBoundingClientRect().height")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": height, "scale": SHARPNESS}
        shot = {"format": "png", "captureBeyondViewport": True, "clip": clip}
        drawn = browser.driver.execute_cdp_cmd("Page.captureScreenshot", shot)["data"]
    path.write_bytes(base64.b64decode(drawn))


def page(
    title: str,
    unit: str,
    groups: Mapping[str, Mapping[str, float]],
    *,
    log: bool = False,
    ours: Collection[str] = (),
    bad: Collection[str] = (),
    note: str = "",
) -> str:
    """The page that is drawn; the words are those of chart()."""
    values = [value for bars in groups.values() for value in bars.values()]
    scale = Scale.of(values, log)
    lines = "".join(f'<i class="tick" style="left:{scale.percent(mark)}"></i>' for mark in scale.marks)
    parts = []
    for group, bars in groups.items():
        if group:
            parts.append(f"<h2>{html.escape(group)}</h2>")
        for name, value in bars.items():
            kind = " ours" if name in ours else " bad" if name in bad else ""
            parts.append(f'<div class="name{kind}">{html.escape(name)}</div>')
            drawn = (
                f'<div class="bar" style="width:{scale.percent(value)}"></div><span class="value">{told(value)}</span>'
            )
            parts.append(f'<div class="track">{lines}{drawn}</div>')
    labels = "".join(
        f'<span class="tick" style="left:{scale.percent(mark)}">{told(mark)}</span>' for mark in scale.marks
    )
    parts.append(f'<div></div><div class="track scale">{labels}</div>')
    about = "; ".join(filter(None, (unit, "logarithmic scale" if log else "", note)))
    room = max(len(told(value)) for value in [*values, *scale.marks])
    return PAGE.format(title=html.escape(title), about=html.escape(about), room=room, bars="\n".join(parts))


@dataclass(frozen=True)
class Scale:
    """From where to where it goes, and what is marked on it."""

    least: float
    most: float
    marks: Sequence[float]
    log: bool

    @classmethod
    def of(cls, values: Sequence[float], log: bool) -> Scale:
        """One on which all of these values are, which begins at 0 unless it is logarithmic."""
        if any(not math.isfinite(value) or value < 0 for value in values):
            raise ValueError(f"A bar cannot be drawn for all of {values}: they must be numbers from 0 on.")
        most = max(values, default=0) or 1.0
        if not log:
            step = next(step for step in steps(most / 10, 1, 2, 5) if step * (MOST_MARKS - 1) >= most)
            return cls(0, most, [step * number for number in range(int(most / step) + 1)], log)
        least = min(value for value in [*values, most] if value > 0)
        least = [step for step in steps(least / 10, 1, 5) if step * 1.5 <= least][-1]  # the shortest bar is seen, too
        marks = [mark for mark in steps(least, 1) if least <= mark <= most]
        if len(marks) < 3:
            marks = [mark for mark in steps(least, 1, 2, 5) if least <= mark <= most]
        return cls(least, most, marks[:: math.ceil(len(marks) / MOST_MARKS)], log)

    def percent(self, value: float) -> str:
        """How far on the scale this is, as CSS."""
        if not self.log:
            part = value / self.most
        elif value <= self.least:
            part = 0.0
        else:
            part = math.log(value / self.least) / math.log(self.most / self.least)
        return f"{100 * part:.2f}%"


def steps(least: float, *digits: int) -> list[float]:
    """Numbers with one of these digits and zeros, from about `least` on, over more than anybody measures."""
    first = math.floor(math.log10(least))
    return [digit * 10.0**power for power in range(first, first + 16) for digit in digits]


def told(value: float) -> str:
    """A number with three digits, or all that are before its point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def picture_option(parser: argparse.ArgumentParser) -> None:
    """Let a benchmark be told where its picture is to go."""
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the numbers there, too (PNG)")
