# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The report as one HTML page that needs nothing else. Pure.

The document stands in the page as JSON that no text in it can end, and the page's script makes text of it and never
markup. Nothing but that script and that style may be run or loaded: the page's own policy names them by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import string
import typing as t

_ENDS_A_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


class PageError(ValueError):
    """What the page is to be made of cannot be used; the text says what and why."""


def page(document: str, skeleton: str, styles: t.Sequence[str], scripts: t.Sequence[str]) -> str:
    """The page of a document, which is JSON.

    skeleton: HTML with $title, $policy, $style, $script and $document in it.
    """
    try:
        told = json.loads(document)
        title = str(told["title"])
        content = harmless(told)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PageError(f"the input is no report as JSON: {error!r}") from error
    style, script = _part("style", styles), _part("script", scripts)
    return string.Template(skeleton).substitute(
        title=html.escape(title),
        policy=(
            f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        ),
        style=style,
        script=script,
        document=content,
    )


def harmless(told: t.Any) -> str:
    """It as JSON in plain ASCII that can stand in a script element: nothing in it ends one, or begins a comment."""
    return json.dumps(told, separators=(",", ":"), allow_nan=False).translate(_ENDS_A_SCRIPT)


def _part(element: str, texts: t.Sequence[str]) -> str:
    whole = "\n" + "\n".join(texts) + "\n"
    if re.search(rf"</{element}|<!--", whole, re.IGNORECASE):
        raise PageError(f"the page's own {element} would end itself")
    return whole


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
