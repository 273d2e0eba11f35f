# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""image_readiness and image_readiness_info: an audit of an image and, for the first, remediation and a second look."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _catalogue_rows_image as image_rows
from ansible_collections.winguest.shutdown.plugins.module_utils import _hives as hives
from ansible_collections.winguest.shutdown.plugins.module_utils import _remediation as remediation
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS as GUEST_ROWS
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_user import Catalogue
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import (
    ImageFiles,
    ImageFilesError,
    hibernation,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._image_plan import plan
from ansible_collections.winguest.shutdown.plugins.module_utils._image_reading import (
    LEFT_OUT,
    ImageReader,
    ImageReading,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._readiness import (
    NOT_IN_IMAGE,
    STATES,
    Finding,
    findings,
)

ROWS = (*GUEST_ROWS, *image_rows.ROWS)
IMAGE_STATES = (*STATES, NOT_IN_IMAGE)
HALF_WAY = "Some of the hives are new already, and each is whole; running again goes on from there."

Options = t.Mapping[str, t.Any]


def audit(catalogue: Catalogue, files: ImageFiles, scratch: str, options: Options) -> dict[str, t.Any]:
    """Read all, or the rows that were chosen, and tell what was found."""
    image = ImageReader(files, scratch).read(catalogue.rows)
    told = _result(_found(catalogue, image), {}, image, files, options, _obstacles(files, image))
    return remediation.without_summary(told, options)


def remediate(
    catalogue: Catalogue, files: ImageFiles, scratch: str, options: Options, check_mode: bool
) -> dict[str, t.Any]:
    """Read all, write what is wrong, and read it again; the result always has a diff.

    All new hives are made, and looked at, before the first takes the place of an old one.
    """
    reader = ImageReader(files, scratch)
    image = reader.read(catalogue.rows)
    before = _found(catalogue, image)
    obstacles = _obstacles(files, image)
    told = _result(before, {}, image, files, options, obstacles)
    if obstacles:
        return {**told, "failed": True, "msg": " ".join(f"{obstacle}." for obstacle in obstacles)}
    wrong = [
        finding
        for finding in before
        if remediation.mendable(finding.row, options) and remediation.to_be_mended(finding, options)
    ]
    diff = remediation.diff(wrong, None, files.description)
    writes = plan(wrong, image)
    if check_mode:
        told["hives"] = _hives(image, set(writes))
        return {**told, "changed": bool(wrong) or files.changed, "diff": diff}
    for path in _paths(image):
        files.tidy(path)
    written: list[str] = []
    try:
        _write(files, reader, image, writes, written)
        image = reader.read(catalogue.rows) if writes else image
    except (ImageFilesError, hives.HiveError) as error:
        half_way = bool(written) and not files.at_once
        msg = f"{error}. {HALF_WAY}" if half_way else f"{error}."
        return {**told, "changed": half_way, "failed": True, "msg": msg, "diff": diff}
    after = _found(catalogue, image)
    were = remediation.before(before, after)
    after = remediation.compared(after, were, wrong)
    outcome = remediation.outcome(wrong, after)
    if outcome.get("failed"):
        outcome["changed"] = outcome["changed"] and not files.at_once
    else:
        files.keep()
        outcome["changed"] = outcome["changed"] or files.changed
    return {
        **_result(after, were, image, files, options, obstacles),
        **outcome,
        "hives": _hives(image, set(written)),
        "diff": remediation.diff(wrong, after, files.description),
    }


def _write(
    files: ImageFiles,
    reader: ImageReader,
    image: ImageReading,
    writes: t.Mapping[str, t.Sequence[hives.Setting]],
    written: list[str],
) -> None:
    """Make all new hives, and then put one after the other in the place of the old one; written: those that are."""
    locals_of = {hive.path: hive.local for hive in image.hives.values()}
    new = {path: reader.new_file() for path in writes}
    for path, settings in writes.items():
        hives.write(locals_of[path], new[path], settings, path)
    for path, local in new.items():
        files.replace(path, local)
        written.append(path)
        reader.forget(path)


def _found(catalogue: Catalogue, image: ImageReading) -> list[Finding]:
    """The findings; what an image cannot show is told apart from what could not be read."""
    return [
        finding.changed(state=NOT_IN_IMAGE) if finding.state == "unreadable" and finding.detail in LEFT_OUT else finding
        for finding in findings(catalogue, image.reading)
    ]


def _result(
    after: list[Finding],
    were: t.Mapping[tuple[str, str], Finding],
    image: ImageReading,
    files: ImageFiles,
    options: Options,
    obstacles: t.Sequence[str],
) -> dict[str, t.Any]:
    told = remediation.result(after, were, image.reading, options, IMAGE_STATES)
    warnings = list(files.warnings)
    if image.other_control_set:
        warnings.append(
            f"{files.description}: SYSTEM names {image.control_set} as the current control set, which was looked at, "
            f"and {image.other_control_set} for the next boot; boot it once and shut it down"
        )
    return {
        **told,
        "image": files.description,
        "holds": files.holds,
        "format": files.format,
        "hives": _hives(image, set()),
        "obstacles": list(obstacles),
        "warnings": warnings,
    }


def _obstacles(files: ImageFiles, image: ImageReading) -> list[str]:
    """Why nothing must be written into it."""
    unsound = [hive.unsound for hive in image.hives.values() if hive.unsound]
    return list(filter(None, (*files.obstacles, hibernation(files), *unsound)))


def _hives(image: ImageReading, changed: set[str]) -> list[dict[str, t.Any]]:
    return [{"name": hive.name, "path": hive.path, "changed": hive.path in changed} for hive in image.hives.values()]


def _paths(image: ImageReading) -> list[str]:
    return list(dict.fromkeys(hive.path for hive in image.hives.values()))
