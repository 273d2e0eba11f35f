# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Screenshots of guests as they were fetched from their hypervisors: data URIs, or why there is none. Pure."""

from __future__ import annotations

import base64
import binascii
import typing as t

from ansible_collections.winguest.shutdown.plugins.plugin_utils._report_facts import plain

PNG = b"\x89PNG\r\n\x1a\n"

Fetched = t.Mapping[str, t.Any]


def read_screens(results: t.Iterable[Fetched], largest: int) -> dict[tuple[str, str], dict[str, str]]:
    """By hypervisor and path, {"data": data URI} or {"missing": why}.

    results: those of ansible.builtin.stat in a loop over what screens_wanted() has told, and then those of
    ansible.builtin.slurp in a loop over these results. largest: in bytes.
    """
    found = {}
    for result in results:
        item = result.get("item")
        if isinstance(item, t.Mapping) and isinstance(item.get("item"), t.Mapping):
            item = item["item"]
        if isinstance(item, t.Mapping) and not result.get("skipped"):
            found[str(item.get("hypervisor")), str(item.get("path"))] = _screen(result, largest)
    return found


def _screen(result: Fetched, largest: int) -> dict[str, str]:
    looked = result.get("stat")
    if isinstance(looked, t.Mapping):
        return {"missing": f"it is larger than {largest} bytes" if looked.get("exists") else "it is not there any more"}
    if not isinstance(result.get("content"), str):
        return {"missing": f"it could not be fetched: {plain(result.get('msg')) or 'no reason was given'}"}
    try:
        picture = base64.b64decode(str(result["content"]), validate=True)
    except (binascii.Error, ValueError):
        return {"missing": "what was fetched is not whole"}
    if not picture.startswith(PNG):
        return {"missing": "what was fetched is not a PNG picture"}
    return {"data": f"data:image/png;base64,{base64.b64encode(picture).decode()}"}
