# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""How kernel, initramfs and data disk of the agent guest are made from Debian packages, none of which is installed."""

from __future__ import annotations

import hashlib
import shutil
import struct
from pathlib import Path

from bed.agent_guest.tools import ToolError, lines, run

HERE = Path(__file__).resolve().parent
ROOTFS = HERE / "rootfs"

# The package of this name has no files of its own: it depends on the newest kernel, whose package has.
KERNEL_META_PACKAGE = "linux-image-cloud-amd64"

# Loaded by the guest in this order, since nothing in it knows what depends on what.
MODULES = (
    "virtio_ring",
    "virtio",
    "virtio_pci_modern_dev",
    "virtio_pci_legacy_dev",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "button",
    "evdev",
)

# Where a kernel's file says how long its first part is, and where in the second one the packed kernel lies, and how
# long: see "The Linux/x86 Boot Protocol". Debian packs with lz4; the last four bytes are the length when unpacked.
SECTORS, PAYLOAD = 0x1F1, 0x248
LZ4 = b"\x02\x21\x4c\x18"

LIBRARIES = "lib/x86_64-linux-gnu"

# package: files of it that the guest has at the same place
FILES = {
    "busybox-static": ["bin/busybox"],
    "qemu-guest-agent": ["sbin/qemu-ga"],
    "libc6": [f"{LIBRARIES}/{name}" for name in ("ld-linux-x86-64.so.2", "libc.so.6", "libm.so.6")],
    "libglib2.0-0": [f"{LIBRARIES}/libglib-2.0.so.0", f"{LIBRARIES}/libgmodule-2.0.so.0"],
    "libnuma1": [f"{LIBRARIES}/libnuma.so.1"],
    "libpcre2-8-0": [f"{LIBRARIES}/libpcre2-8.so.0"],
    "libudev1": [f"{LIBRARIES}/libudev.so.1"],
    "liburing2": [f"{LIBRARIES}/liburing.so.2"],
}

MOUNT_POINTS = ("data", "dev", "proc", "run", "sys")


def fingerprint() -> str:
    """What the guest is made from, as a short word: another recipe has another one."""
    digest = hashlib.sha256()
    for path in [HERE / "recipe.py", *sorted(path for path in ROOTFS.rglob("*") if path.is_file())]:
        digest.update(f"{path.relative_to(HERE)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def make(result: Path, scratch: Path) -> None:
    """Fill the folder `result` with kernel, initramfs and data.img."""
    kernel = kernel_package()
    unpacked = fetch(scratch / "packages", kernel, *FILES)
    make_kernel(unpacked[kernel], result / "kernel")
    wanted = {path: one_file(unpacked[package], path) for package, paths in FILES.items() for path in paths}
    wanted |= {f"lib/modules/{module}.ko": one_file(unpacked[kernel], f"{module}.ko") for module in MODULES}
    make_initramfs(wanted, scratch / "guest", result / "initramfs")
    make_data_disk(result / "data.img")


def fetch(folder: Path, *packages: str) -> dict[str, Path]:
    """Fetch the packages and unpack each in this folder; where the files of each are."""
    folder.mkdir()
    run(
        "apt-get",
        "--option=APT::Sandbox::User=",
        "download",
        *packages,
        folder=folder,
        advice='If the package lists of this machine are old or empty, run "apt-get update".',
    )
    for archive in folder.glob("*.deb"):
        run("dpkg", "--extract", str(archive), str(folder / archive.name.partition("_")[0]))
    return {package: folder / package for package in packages}


def kernel_package() -> str:
    """The name of the package with the newest cloud kernel."""
    for line in run("apt-cache", "depends", KERNEL_META_PACKAGE).splitlines():
        kind, dummy, package = line.strip().partition(": ")
        if kind == "Depends" and package.startswith("linux-image-"):
            return package
    raise ToolError(f'apt knows no kernel behind {KERNEL_META_PACKAGE}: on Debian for amd64, run "apt-get update"')


def make_kernel(files: Path, place: Path) -> None:
    """Put the kernel among the files of its package there, unpacked, for which a guest without KVM takes a second."""
    image = one_file(files, "boot/vmlinuz-*").read_bytes()
    offset, length = struct.unpack_from("<II", image, PAYLOAD)
    begin = (image[SECTORS] + 1) * 512 + offset
    payload = image[begin : begin + length - 4]
    if not payload.startswith(LZ4):
        raise ToolError("the kernel is not packed with lz4: if Debian packs it in another way, mend recipe.py")
    packed = place.with_suffix(".lz4")
    packed.write_bytes(payload)
    run("lz4", "-d", "-q", "--rm", str(packed), str(place))


def one_file(files: Path, place: str) -> Path:
    """The file at that place, below / or /usr."""
    for path in files.rglob(place):
        return path
    raise ToolError(f"no file {place} in the package {files.name}: if Debian has moved it, mend recipe.py")


def make_initramfs(wanted: dict[str, Path], guest: Path, archive: Path) -> None:
    """Put scripts, programs, libraries and modules together; all belongs to root there, without being root here."""
    shutil.copytree(ROOTFS, guest)
    for script in guest.rglob("*"):
        script.chmod(0o755)
    for mount_point in MOUNT_POINTS:
        (guest / mount_point).mkdir()
    for place, source in wanted.items():
        (guest / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, guest / place)
    (guest / "bin/sh").symlink_to("busybox")
    # Programs name their loader as /lib64/ld-linux-x86-64.so.2.
    (guest / "lib64").symlink_to(LIBRARIES)
    (guest / "lib/modules/order").write_text(lines(MODULES))
    names = lines(sorted(path.relative_to(guest) for path in guest.rglob("*")))
    run("cpio", "--create", "--format=newc", "--owner=+0:+0", f"--file={archive}", folder=guest, stdin=names)


def make_data_disk(image: Path) -> None:
    """An empty ext4 file system, complete at once so that an idle guest has nothing left to write to it."""
    run("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image), "16M")
