# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the site: the guides of docs/, and a page for every module, role and plugin. Any warning is an error."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import checkout

SITE = checkout.CACHE / "site"
DOCS = checkout.ROOT / "docs"
COLLECTION = "winguest.shutdown"
REPOSITORY = "https://github.com/winguest/shutdown/blob/main"
# What lies elsewhere in the repository, with its name on the site.
ELSEWHERE = {"CONTRIBUTING.md": "CONTRIBUTING.md", "tests/windows/README.md": "acceptance.md"}
LINK = re.compile(r"\]\((?![a-z]+:|#)([^)#]+)")

# What the plugins' pages refer to in Ansible's own documentation: label -> page and anchor.
ANSIBLE = {
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
    "ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "action_plugins": "plugins/action.html#action-plugins",
    **{
        f"ansible_collections.ansible.builtin.{name}": f"collections/ansible/builtin/{name}.html"
        for name in ("stat_module", "slurp_module", "include_role_module", "from_json_filter")
    },
}


def gather(sources: Path) -> None:
    """Put all that the site is made of into one folder."""
    shutil.rmtree(sources, ignore_errors=True)
    sources.mkdir(parents=True)
    for page in [*DOCS.glob("*.md"), *DOCS.glob("*.png"), *DOCS.glob("*.svg"), *(DOCS / "site").iterdir()]:
        if page.name != "README.md":  # which is for those who read in the repository
            shutil.copy(page, sources)
    shutil.copytree(DOCS / "examples", sources / "examples")
    for place, name in ELSEWHERE.items():
        (sources / name).write_text(moved(checkout.ROOT / place), encoding="utf-8")
    (sources / "ansible.inv").write_bytes(inventory(ANSIBLE))
    command = ["antsibull-docs", "collection", "--use-current", "--fail-on-error", "--no-add-antsibull-docs-version"]
    run(*command, "--dest-dir", str(sources), COLLECTION)


def moved(page: Path) -> str:
    """A page that is put among the guides: what it links to is linked to in the repository, unless it is a guide."""

    def place(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        if target.parent == DOCS:
            return f"]({target.name}"
        return f"]({REPOSITORY}/{target.relative_to(checkout.ROOT)}"

    return LINK.sub(place, page.read_text(encoding="utf-8"))


def inventory(labels: dict[str, str]) -> bytes:
    """Sphinx's index of another site, with these labels; the whole one of Ansible's is on that site only."""
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version:\n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = "".join(f"{name} std:label -1 {place} {name}\n" for name, place in labels.items())
    return head.encode() + zlib.compress(lines.encode())


def run(*command: str) -> None:
    """Run a program of the tests' environment."""
    environment = {
        **checkout.ansible_environment(),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
    }
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL)


def build(folder: Path = SITE) -> Path:
    """Make the site; its first page."""
    sources, html = folder / "sources", folder / "html"
    gather(sources)
    shutil.rmtree(html, ignore_errors=True)
    run("sphinx-build", "--builder", "html", "--fail-on-warning", "--keep-going", "--quiet", str(sources), str(html))
    return html / "index.html"


def main() -> int:
    """Make the site, and say where it is."""
    print(f"The site is {build()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
