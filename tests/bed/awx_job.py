# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts a job as AWX does: ansible-runner, with a private data directory made from a job template of extensions/awx.

    with Job(folder, "winguest shutdown", inventory, password="...", domain_shutdown_on_timeout="force") as job:
        job.end()
        assert job.status == "failed", job.output

The machine credential's password is asked for at launch: it is in none of Ansible's variables and on no command line,
and ansible-runner types it when ansible-playbook asks for it.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import checkout
import yaml

SOURCES = checkout.ROOT / "extensions" / "awx"
PATIENCE = 240.0
IDENT = "1"

PROMPTS = (r"SSH password:\s*?$", r"Password:\s*?$")
"""What AWX takes for a question for the machine credential's password."""

SETTINGS = {"idle_timeout": 0, "job_timeout": 0, "pexpect_timeout": 1, "suppress_ansible_output": True}
"""Like AWX's, but that a cancelled job is noticed within one second and not within five."""

INVENTORY_SCRIPT = "#!/usr/bin/env python3\nprint({text!r})\n"


def controller() -> dict[str, Any]:
    """The importable data."""
    data: dict[str, Any] = yaml.safe_load((SOURCES / "controller.yml").read_text(encoding="utf-8"))
    return data


def template(name: str) -> dict[str, Any]:
    """The job template of this name."""
    (found,) = [one for one in controller()["controller_templates"] if one["name"] == name]
    return dict(found)


def launch_variables(template: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The extra variables of a launch: the template's own, and over them the survey's defaults and what was given."""
    questions = template["survey_spec"]["spec"]
    strangers = given.keys() - {question["variable"] for question in questions}
    assert not strangers, f"AWX takes no answers to what the survey does not ask: {sorted(strangers)}"
    defaults = {question["variable"]: question["default"] for question in questions if "default" in question}
    return {**template.get("extra_vars", {}), **defaults, **given}


class Job:
    """A job that is running; leaving it cancels it."""

    def __init__(
        self, folder: Path, template_name: str, inventory: Mapping[str, Any], password: str, **answers: Any
    ) -> None:
        self.folder = folder
        self.artifacts = folder / "artifacts" / IDENT
        self._template = template(template_name)
        extra = launch_variables(self._template, answers)
        shutil.copytree(SOURCES / "project", folder / "project")
        (folder / "inventory").mkdir()
        (folder / "env").mkdir(mode=0o700)
        script = folder / "inventory" / "hosts"
        script.write_text(INVENTORY_SCRIPT.format(text=json.dumps(inventory)), encoding="utf-8")
        script.chmod(0o700)
        self._write("settings", SETTINGS)
        self._write("extravars", extra)
        self._write("passwords", dict.fromkeys(PROMPTS, password))
        (folder / "env" / "cmdline").write_text(self._command_line(), encoding="utf-8")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "ansible_runner", "run", str(folder)),
                *("--playbook", self._template["playbook"], "--ident", IDENT),
            ],
            cwd=folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Job:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.cancel()
            self.end()

    def cancel(self) -> None:
        """What AWX does to cancel a job: ansible-runner gets a signal, and kills ansible-playbook."""
        self.process.send_signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for its end."""
        try:
            said = self.process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise AssertionError(f"the job did not end within {PATIENCE:g} s:\n{self.output}") from None
        assert self.artifacts.exists(), said

    @property
    def output(self) -> str:
        """What the job has printed, as AWX shows it."""
        return self._artifact("stdout")

    @property
    def status(self) -> str:
        """successful, failed or canceled."""
        return self._artifact("status")

    @property
    def rc(self) -> int:
        """The status of ansible-playbook."""
        return int(self._artifact("rc"))

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """The job's events in their order, or those of a kind."""
        files = (self.artifacts / "job_events").glob("[0-9]*-*.json")
        found = [json.loads(file.read_text(encoding="utf-8")) for file in files]
        return sorted((one for one in found if kind in ("", one["event"])), key=lambda one: int(one["counter"]))

    def artifact_data(self) -> dict[str, Any]:
        """What the job hands on to the next job of a workflow."""
        (stats,) = self.events("playbook_on_stats")
        handed_on: dict[str, Any] = stats["event_data"]["artifact_data"]
        return handed_on

    def files_with(self, secret: str) -> list[str]:
        """The files of the private data directory in which this is, but for the one with the credential."""
        needle = secret.encode()
        files = [file for file in self.folder.rglob("*") if file.is_file() and file.name != "passwords"]
        return [str(file) for file in files if needle in file.read_bytes()]

    def _command_line(self) -> str:
        (credential,) = [
            one for one in controller()["controller_credentials"] if [one["name"]] == self._template["credentials"]
        ]
        assert credential["inputs"]["password"] == "ASK", "the password has to be asked for at launch"
        words = ["--ask-pass", "-u", credential["inputs"]["username"], "--forks", str(self._template["forks"])]
        return " ".join([*words, *(["--check"] if self._template["job_type"] == "check" else [])])

    def _write(self, name: str, content: Mapping[str, Any]) -> None:
        file = self.folder / "env" / name
        file.touch(mode=0o600)
        file.write_text(json.dumps(content), encoding="utf-8")

    def _artifact(self, name: str) -> str:
        file = self.artifacts / name
        return file.read_text(encoding="utf-8") if file.exists() else ""

    @staticmethod
    def _environment() -> dict[str, str]:
        environment = checkout.ansible_environment()
        environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
        return environment
