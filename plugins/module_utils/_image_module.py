# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""What the modules image_readiness and image_readiness_info share: which image, and how a run of them goes."""

from __future__ import annotations

import tempfile
import typing as t

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.winguest.shutdown.plugins.module_utils import _remediation as remediation
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import CatalogueError
from ansible_collections.winguest.shutdown.plugins.module_utils._hives import HIVEX_IMPORT_ERROR, HiveError
from ansible_collections.winguest.shutdown.plugins.module_utils._image_disk import open_disk
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import (
    HivesFiles,
    ImageFiles,
    ImageFilesError,
    RootFiles,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._image_readiness import ROWS, audit, remediate

EXACTLY_ONE = ("image", "root", "hives")
SOURCE_OPTIONS: dict[str, t.Any] = {name: {"type": "path"} for name in EXACTLY_ONE}


def run(module: AnsibleModule, writing: bool) -> t.NoReturn:
    """Look at the image and, if writing, mend it; in check mode, tell what would be mended."""
    if HIVEX_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("hivex"), exception=HIVEX_IMPORT_ERROR)
    try:
        result = _work(module, writing)
    except (CatalogueError, ImageFilesError, HiveError) as error:
        module.fail_json(msg=str(error))
    for warning in result.pop("warnings"):
        module.warn(warning)
    if not module._diff:
        result.pop("diff", None)
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


def _work(module: AnsibleModule, writing: bool) -> dict[str, t.Any]:
    make = remediation.remediated if writing else remediation.audited
    catalogue = make(ROWS, module.params)
    files = _open(module, writing)
    try:
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as scratch:
            if writing:
                return remediate(catalogue, files, scratch, module.params, module.check_mode)
            return audit(catalogue, files, scratch, module.params)
    finally:
        files.close()


def _open(module: AnsibleModule, writing: bool) -> ImageFiles:
    params = module.params
    if params["root"]:
        return RootFiles(params["root"], writing)
    if params["hives"]:
        return HivesFiles(params["hives"], writing)
    return open_disk(
        params["image"],
        writing=writing,
        check=module.check_mode,
        tmpdir=module.tmpdir,
        run=lambda command: module.run_command(list(command), handle_exceptions=False),
        image_format=params["format"],
        uri=params["uri"],
        copy=params.get("copy"),
        overlay=params.get("overlay"),
    )
