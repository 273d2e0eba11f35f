# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page: what it may run, and that no text in the document ends it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_page import PageError, harmless, page
from bed.report_sample import Fleet, evening
from bed.report_sample import page as whole_page
from hypothesis import given
from hypothesis import strategies as st

SKELETON = '<p title="$title">$policy</p><style>$style</style><script id="d">$document</script><script>$script</script>'


class Elements(HTMLParser):
    """What a page consists of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[dict[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes.append(dict(attrs))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data


@given(st.text())
def test_no_text_ends_the_document(text: str) -> None:
    told = page(json.dumps({"title": text, text: [text]}), SKELETON, ["p {}"], ["run()"])
    assert Elements(told).tags == ["p", "style", "script", "script"]
    assert json.loads(Elements(told).texts[2]) == {"title": text, text: [text]}
    assert Elements(told).attributes[0]["title"] == text


def test_the_json_in_it_is_ascii_without_a_character_of_markup() -> None:
    told = harmless({"a": "</script><!--\u2028\u2029&ä\ud800"})
    assert told == r'{"a":"\u003c/script\u003e\u003c!--\u2028\u2029\u0026\u00e4\ud800"}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        harmless({"a": float("nan")})


def test_the_policy_allows_what_is_in_the_page_and_nothing_else() -> None:
    text = whole_page(evening().report())
    policy = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)[0]
    allowed = dict(part.split(" ", 1) for part in policy.split("; "))
    assert allowed["default-src"] == "'none'"
    assert allowed["img-src"] == "data:"
    for kind, found in (
        ("style", re.findall(r"<style>(.*?)</style>", text, re.DOTALL)),
        ("script", re.findall(r"<script>(.*?)</script>", text, re.DOTALL)),
    ):
        digest = base64.b64encode(hashlib.sha256(found[0].encode()).digest()).decode()
        assert len(found) == 1
        assert allowed[f"{kind}-src"] == f"'sha256-{digest}'"


def test_it_refers_to_nothing_elsewhere_and_has_no_handlers() -> None:
    """Its own text, that is: what guests say is in the document alone."""
    found = Elements(whole_page(Fleet().report()))
    for tag, attributes in zip(found.tags, found.attributes, strict=True):
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "src"):
                assert str(value).startswith(("#", "data:")), (tag, value)
            assert name != "style", (tag, value)


@pytest.mark.parametrize("document", ["", "{", "[]", "7", '{"name": 1}', '{"title": NaN}', '{"title": 1e999}'])
def test_what_is_no_report_is_told(document: str) -> None:
    with pytest.raises(PageError, match="no report as JSON"):
        page(document, SKELETON, [], [])


def test_a_style_or_script_that_ends_itself_is_told() -> None:
    with pytest.raises(PageError, match="own script"):
        page('{"title": ""}', SKELETON, [], ["'</SCRIPT>'"])
    with pytest.raises(PageError, match="own style"):
        page('{"title": ""}', SKELETON, ["</style>"], [])
