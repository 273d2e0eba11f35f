# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Why a disk image is not opened, or not written to, from what has been seen of it. Pure."""

from __future__ import annotations

import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import ImageFilesError

KINDS = (
    *("missing", "unsupported", "encrypted", "in_use", "backing", "read_only", "target"),
    *("dirty", "no_windows", "several_windows", "failed"),
)
"""missing: a file, program or library is; failed: a program or library did not do what it was to do."""


class Refusal(t.NamedTuple):
    """Why, and what to do. reading: whether the image is not even to be read."""

    kind: str
    text: str
    cure: str
    reading: bool = False


class ImageRefused(ImageFilesError):
    """The image is left as it is; kind is one of KINDS."""

    def __init__(self, path: str, refusal: Refusal) -> None:
        super().__init__(sentence(path, refusal))
        self.kind = refusal.kind


class Use(t.NamedTuple):
    """A domain with a disk that has the image. depth: how many files are above it; state: running, saved, or off."""

    domain: str
    state: str
    depth: int


class ImageFile(t.NamedTuple):
    """What the file system says. kind: file, device, or other; links: how many names it has."""

    kind: str
    links: int
    writable: bool


class Volume(t.NamedTuple):
    """A volume of the image. kind: ntfs, bitlocker, luks, or empty; windows: whether a Windows is on it."""

    device: str
    kind: str
    windows: bool = False


def sentence(path: str, refusal: Refusal) -> str:
    """For people to read."""
    return f"{path}: {refusal.text}; {refusal.cure}"


def of_file(file: ImageFile, in_place: bool) -> t.Iterator[Refusal]:
    """What the file system has against it. Written in place, another file takes the name of this one."""
    if file.kind == "other":
        yield Refusal("unsupported", "it is neither a file nor a block device", "name a disk image", reading=True)
    if not in_place:
        return
    elsewhere = "have a mended copy or overlay made with the options copy or overlay"
    if file.kind == "device":
        yield Refusal("unsupported", "it is a block device, which nothing can be written to at once", elsewhere)
    if file.links > 1:
        yield Refusal("unsupported", "it has further names (hard links), which would keep what was in it", elsewhere)
    if not file.writable:
        yield Refusal("read_only", "it, or the folder that it is in, is read-only", f"allow writing, or {elsewhere}")


def of_locks(locks: str, in_place: bool) -> t.Iterator[Refusal]:
    """What locks of other programs say. locks: written, used (read, that is), or empty."""
    if locks == "written":
        yield Refusal("in_use", "a program that may write to it has it open", "shut the guest down first", reading=True)
    elif locks and in_place:
        yield Refusal(
            "in_use",
            "a program has it open, such as another run of image_readiness, or QEMU for a guest with a disk above it",
            "wait until that has ended",
        )


def of_uses(uses: t.Iterable[Use], in_place: bool) -> t.Iterator[Refusal]:
    """What the domains of libvirt have against it. A domain that is off may well have the image as its disk."""
    for use in uses:
        name = f'the domain "{use.domain}"'
        if use.depth:
            if in_place:
                yield Refusal(
                    "backing",
                    f"it is the backing file of a disk of {name}, which any change of it would damage",
                    "mend that disk's own image, or have a mended copy made with the option copy",
                )
        elif use.state == "running":
            yield Refusal("in_use", f"{name} runs with it", f"shut {name} down first", reading=True)
        elif use.state == "saved":
            yield Refusal(
                "in_use",
                f"{name} was saved with its memory (managed save), and goes on from there with this disk",
                f"start {name} and shut it down; or throw its memory away with virsh managedsave-remove",
            )


def of_overlays(paths: t.Iterable[str], in_place: bool) -> t.Iterator[Refusal]:
    """What images in the same folder have against it."""
    if in_place:
        for path in paths:
            yield Refusal(
                "backing",
                f"it is the backing file of {path}, which any change of it would damage",
                "mend the overlay, or join it with this one by qemu-img commit, or have a mended copy made with the "
                "option copy",
            )


def of_dirt(dirty: bool) -> t.Iterator[Refusal]:
    """What the volume of Windows has against it."""
    if dirty:
        yield Refusal(
            "dirty",
            "the volume of Windows is dirty: it was not unmounted cleanly, or is marked as damaged for chkdsk",
            "boot it, let chkdsk end, shut it down fully (shutdown /s /t 0), and try again",
        )


def volume_of_windows(volumes: t.Sequence[Volume]) -> str | Refusal:
    """The device of the only Windows, or why there is none to be mended."""
    found = [volume.device for volume in volumes if volume.windows]
    if len(found) == 1:
        return found[0]
    if found:
        return Refusal(
            "several_windows",
            f"it has a Windows on each of {', '.join(found)}",
            "it is not known which is meant: mount the right one, and name the root in place of the image",
            reading=True,
        )
    locked = {"bitlocker": "BitLocker", "luks": "LUKS"}
    for volume in volumes:
        if volume.kind in locked:
            return Refusal(
                "encrypted",
                f"its volume {volume.device} is encrypted with {locked[volume.kind]}, and no Windows is on the others",
                "decrypt it (in Windows: manage-bde -off C:, until that has ended), and encrypt it again afterwards",
                reading=True,
            )
    seen = ", ".join(f"{volume.device}: {volume.kind or 'not NTFS'}" for volume in volumes) or "no volumes"
    return Refusal(
        "no_windows",
        f"it has no NTFS volume with a registry in the folder Windows\\System32\\config (it has {seen})",
        "name the image of the disk with drive C:, in its right format",
        reading=True,
    )
