# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One test per program that checks the sources. The slow ones come first, so that they overlap with the others."""

from __future__ import annotations

import re

import pytest
from gates import sandbox

SANITY_SECONDS = 1500
LINT_SECONDS = 600


@pytest.mark.timeout(SANITY_SECONDS)
@pytest.mark.xdist_group("ansible-test")
def test_ansible_test_sanity() -> None:
    """All sanity tests pass with nothing ignored, and the only ones left out are for Pythons this machine lacks.

    pylint takes longer than all others together; here it reads what is installed, and `tests/run cores` lets it read
    the tests, too.
    """
    sandbox.sanity("ansible-test", "--skip-test", "pylint", seconds=SANITY_SECONDS / 2)
    sandbox.sanity("ansible-test", "--test", "pylint", "plugins/", seconds=SANITY_SECONDS / 2 - 20)


@pytest.mark.timeout(LINT_SECONDS)
def test_ansible_lint() -> None:
    """No violation of the production profile, and all playbooks and roles were read, with our own modules known."""
    # It has no inventory, so that the hosts of molecule's plays are nobody here.
    command = ("ansible-lint", "--offline", "--profile", "production", "-vv")
    output = sandbox.run(*command, seconds=LINT_SECONDS - 20, accept=(0, 2), ANSIBLE_HOST_PATTERN_MISMATCH="warning")
    log = re.compile(r"^(?:DEBUG|INFO) .*$", re.MULTILINE)
    findings = log.sub("", output).strip()
    assert re.search(r"^Passed: 0 failure\(s\), 0 warning\(s\)", findings, re.MULTILINE), findings
    expected = dict.fromkeys(sandbox.files("roles/*/tasks/**/*.yml"), "tasks")
    expected |= dict.fromkeys(sandbox.files("playbooks/*.yml"), "playbook")
    expected |= dict.fromkeys(sandbox.files("extensions/molecule/*/verify.yml"), "playbook")
    for name, kind in expected.items():
        assert f"Examining {name} of type {kind}\n" in output, f"ansible-lint did not read {name} as {kind}:\n{output}"


def test_documentation() -> None:
    """The documentation of the plugins and roles is complete, and what it refers to exists."""
    sandbox.run("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", ".")


def test_types() -> None:
    """The annotations of the plugins and the tests are complete and true."""
    path = sandbox.COPY.relative_to(sandbox.COLLECTIONS)
    sandbox.run(
        *("mypy", "--config-file", str(path / "pyproject.toml"), str(path / "plugins"), str(path / "tests")),
        cwd=sandbox.COLLECTIONS,
        MYPYPATH=str(path / "tests"),
    )


def test_python_lint() -> None:
    """The rules in pyproject.toml hold."""
    sandbox.files("plugins/modules/*.py")
    sandbox.run("ruff", "check", "--output-format", "concise", ".")


def test_python_format() -> None:
    """The Python files are formatted."""
    sandbox.run("ruff", "format", "--diff", ".")


def test_yaml() -> None:
    """The YAML files are well formed."""
    assert "galaxy.yml" in sandbox.run("yamllint", "--list-files", ".")
    sandbox.run("yamllint", "--strict", ".")


def test_changelog() -> None:
    """The changelog and its fragments can be made into a release."""
    sandbox.run("antsibull-changelog", "lint")
    sandbox.run("antsibull-changelog", "lint-changelog-yaml", "--strict", "changelogs/changelog.yaml")


def test_licences() -> None:
    """Every file says whose it is and under which licence."""
    sandbox.run("reuse", "lint", "--lines")


def test_shell_scripts() -> None:
    """Nothing in the shell scripts, found by their first line, is a known mistake."""
    shell = re.compile(rb"^#!.*\b(?:ba|da|a)?sh\b")
    scripts = [name for name in sandbox.files("**/*") if shell.match((sandbox.COPY / name).read_bytes()[:80])]
    assert "tests/run" in scripts
    sandbox.run("shellcheck", *scripts)
