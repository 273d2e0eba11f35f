# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""What image_readiness takes in time and memory for an image whose SOFTWARE is as large as that of an old server.

The hive is made here, with keys and values such as those of classes and of servicing have; nothing in it is from a
Windows. Everything that the catalogue enforces is wrong in the image. The modules run by the Python of the
distribution, as on a hypervisor, on the root of an unpacked Windows; what a disk image adds is libguestfs' own time.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import ansible.release
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import Data, Row
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows import ROWS
from bed import image
from bed.image import AUDIT, MEND
from bed.module import HYPERVISOR_PYTHON
from bed.windows.blockers import Changes, merged
from bed.windows.places import changes
from bed.windows.systems import SERVER_2022
from bed.windows.typed import dword, expandable, string
from benchmark._measured import Machine, describe, medians, new_parser, positive, said_version, void

MIB = 2**20
BYTES_OF_KEY = 422
"""About what a key with its values takes here."""

SIDES = {
    AUDIT: "the audit alone",
    MEND: "audit, remediation and read-back",
    f"{MEND} again": "a second run, which changes nothing",
}
NOT_WANTED: tuple[Data, ...] = (0, 1, 7200, "0", "1")
HIVE = r"HKLM\SOFTWARE"
SERVICING = rf"{HIVE}\Microsoft\Windows\CurrentVersion\Component Based Servicing"


@dataclass(frozen=True)
class Taken:
    """What one run took. cpu: seconds of processors; memory: most that one of its processes had, in MiB."""

    seconds: float
    cpu: float
    memory: float


def large(size: int) -> Changes:
    """Keys and values for a hive of about so many bytes, the same ones every time."""
    return {key: values for number in range(size // BYTES_OF_KEY) for key, values in [_key(number)]}


def _key(number: int) -> tuple[str, dict[str, Any]]:
    ident = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    if number % 2:
        key = rf"{HIVE}\Classes\CLSID\{{{ident}}}\InprocServer32"
    else:
        folder = f"{SERVICING}\\Packages" if number % 8 else f"{SERVICING}\\ComponentDetect"
        key = rf"{folder}\Package_{number}_for_KB{number % 9973}~31bf3856ad364e35~amd64~~10.0.1.{number % 97}"
    return key, {
        "": expandable(rf"%SystemRoot%\System32\{ident[:8]}.dll"),
        "ThreadingModel": string("Both"),
        "CurrentState": dword(number),
    }


def make(root: Path, size: int) -> None:
    """An image in which everything that is enforced is wrong, and SOFTWARE is large."""
    wrong = [changes(row, _not_wanted(row)) for row in ROWS if row.enforced]
    image.make(root, SERVER_2022, merged(*wrong, large(size)))


def _not_wanted(row: Row) -> Data:
    kind = type(row.desired.data)
    return next(data for data in NOT_WANTED if isinstance(data, kind) and not row.desired.accepts(data))


def run(root: Path, side: str) -> Taken:
    """One side, with a look at whether it did what it is for."""
    began = time.monotonic()
    call = image.begin(side.partition(" ")[0], root=root)
    with call.process as process:
        assert process.stdout and process.stderr
        out = process.stdout.read()
        dummy, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - began
    told = json.loads(out)
    if told.get("failed") or told["changed"] != (side == MEND):
        void(f"{side} returned {told.get('msg', told['changed'])}")
    return Taken(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(runs: int, size: int) -> tuple[int, dict[str, list[Taken]]]:
    """The size of the hive, and the runs of each side; every round has an image of its own."""
    results: dict[str, list[Taken]] = {side: [] for side in SIDES}
    for dummy in range(runs):
        with tempfile.TemporaryDirectory(prefix="winguest-image-") as folder:
            root = Path(folder)
            # In a process of its own, for what this one has in memory would count as that of its children.
            maker = multiprocessing.get_context("fork").Process(target=make, args=(root, size))
            maker.start()
            maker.join()
            if maker.exitcode:
                void("the hive could not be made")
            made = (root / image.SOFTWARE).stat().st_size
            for side, taken in results.items():
                taken.append(run(root, side))
                print(".", end="", file=sys.stderr, flush=True)
    return made, results


def document(machine: Machine, size: int, results: Mapping[str, list[Taken]]) -> dict[str, Any]:
    """All numbers."""
    return {
        "machine": asdict(machine),
        "size": size,
        "runs": {side: [asdict(one) for one in runs] for side, runs in results.items()},
        "medians": medians(results),
    }


def lines(machine: Machine, numbers: Mapping[str, Any]) -> Iterator[str]:
    """What a reader wants to know."""
    yield from machine.told
    yield f"SOFTWARE has {numbers['size'] / MIB:.1f} MiB; medians of {len(numbers['runs'][MEND])} runs"
    yield ""
    yield "| | seconds | of processors | most memory of a process |"
    yield "| --- | --- | --- | --- |"
    for side, told in SIDES.items():
        taken = numbers["medians"][side]
        yield f"| {side}: {told} | {taken['seconds']:.1f} s | {taken['cpu']:.1f} s | {taken['memory']:.0f} MiB |"


def main() -> int:
    """Measure, and print what was measured."""
    parser = new_parser("image_readiness", __doc__, runs=3)
    parser.add_argument("--size", type=positive, default=100, help="MiB that SOFTWARE has, about (%(default)s)")
    arguments = parser.parse_args()
    versions = {
        "Python": said_version(HYPERVISOR_PYTHON),
        "ansible-core": ansible.release.__version__,
        "hivex": _hivex_version(),
    }
    machine = describe(versions)
    numbers = document(machine, *measure(arguments.runs, arguments.size * MIB))
    print("\n" + "\n".join(lines(machine, numbers)))
    if arguments.json:
        arguments.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return 0


def _hivex_version() -> str:
    """That of Debian's package; the library does not say."""
    command = ["dpkg-query", "--show", "--showformat", "${Version}", "python3-hivex"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.exit(main())
