# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Disk images: what is refused before one is opened, and how one is written. No appliance is started for any of it.

Each refusal leaves the image as it was, bit for bit.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import checkout
import jinja2
import libvirt
import pytest
import yaml
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_disk as disks
from ansible_collections.winguest.shutdown.plugins.module_utils._image_refusals import ImageRefused
from ansible_collections.winguest.shutdown.plugins.module_utils._image_users import Lock
from bed.agent_guest.tools import attempt, run
from bed.disk_image import digest
from bed.guests import AcpiGuest
from integration.conftest import Hypervisor
from integration.faults import fault

MIB = 1 << 20
SIZE = 16
FORMATS = ("qcow2", "raw", "vhdx", "vmdk")
OLD, NEW = 0x11, 0x22
KILLS = 10
LONGEST = 0.4  # seconds; it is written in a few tenths


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """An image that is opened here, and not in a process of its own, leaves its signal handler behind."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def make(path: Path, kind: str = "", *options: str, backing: Path | None = None) -> Path:
    """An image full of OLD, or an overlay of another one. There is no Windows in it, for it is never looked at."""
    kind = kind or path.suffix.removeprefix(".")
    below = ["-b", str(backing), "-F", backing.suffix.removeprefix(".")] if backing else []
    run("qemu-img", "create", "-q", "-f", kind, *below, *options, str(path), *([] if backing else [f"{SIZE}M"]))
    if not backing:
        write(path, kind, OLD)
    return path


def runner(command: Sequence[str]) -> tuple[int, str, str]:
    """What AnsibleModule.run_command is to the modules."""
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


def write(path: Path, kind: str, byte: int) -> None:
    """Fill an image with this byte."""
    run("qemu-io", "-f", kind, "-c", f"write -q -P {byte} 0 {SIZE}M", str(path))


def holds(path: Path, kind: str, byte: int) -> bool:
    """Whether it is full of this byte."""
    told = attempt("qemu-io", "-r", "-f", kind, "-c", f"read -P {byte} 0 {SIZE}M", str(path))
    assert f"read {SIZE * MIB}/{SIZE * MIB} bytes" in told.stdout, told
    return "Pattern verification failed" not in told.stdout


def refused(path: Path, writing: bool = True, **options: Any) -> ImageRefused:
    """Open it, which must be refused and leave it as it was, with nothing beside it."""
    before = digest(path) if path.is_file() else ""
    beside = sorted(os.listdir(path.parent))
    options.setdefault("uri", "test:///default")
    with pytest.raises(ImageRefused) as caught:
        disks.open_disk(str(path), writing=writing, tmpdir=str(path.parent), run=runner, **options)
    assert sorted(os.listdir(path.parent)) == beside
    assert before == (digest(path) if path.is_file() else "")
    assert str(path.resolve()) in str(caught.value) and "; " in str(caught.value)
    return caught.value


# ---- what is refused


def test_what_is_no_image(tmp_path: Path) -> None:
    assert refused(tmp_path / "missing.raw").kind == "missing"
    assert refused(tmp_path).kind in ("missing", "unsupported")
    assert refused(Path("/dev/null")).kind == "unsupported"


def test_an_image_that_is_read_only(tmp_path: Path) -> None:
    image = make(tmp_path / "a.qcow2")
    image.chmod(0o444)
    assert refused(image).kind == "read_only"


def test_an_image_with_a_further_name(tmp_path: Path) -> None:
    image = make(tmp_path / "a.raw")
    image.with_suffix(".other").hardlink_to(image)
    assert "hard links" in str(refused(image))


@fault("image_in_use")
def test_an_image_that_a_program_has_open(tmp_path: Path) -> None:
    """QEMU's own locks, of a program that may write and of one that only reads."""
    image = make(tmp_path / "a.qcow2")
    for options, kind in (["-f", "qcow2"], "written"), (["-r", "-f", "qcow2"], "used"):
        with subprocess.Popen(
            ["qemu-io", *options, str(image)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdin and holder.stdout
            print("length", file=holder.stdin, flush=True)  # it answers when it has opened the image
            assert holder.stdout.readline()
            error = refused(image)
            assert error.kind == "in_use"
            if kind == "written":
                assert refused(image, writing=False).kind == "in_use"
                assert refused(image, copy=str(tmp_path / "copy")).kind == "in_use"
            holder.stdin.close()
    lock = Lock(str(image))
    assert lock.of_others() == ""
    lock.forbid_writing()
    with pytest.raises(Exception, match='Failed to get "write" lock'):
        write(image, "qcow2", NEW)
    lock.close()
    write(image, "qcow2", NEW)


@fault("image_in_use")
def test_images_of_domains(hypervisor: Hypervisor) -> None:
    """A domain that runs, one that was saved with its memory, and one whose disk is an overlay of the image."""
    image = hypervisor.bed.disk("imaged")
    hypervisor.start(AcpiGuest("imaged"))
    error = refused(image, uri=hypervisor.uri)
    assert error.kind == "in_use" and 'the domain "imaged" runs with it' in str(error)
    assert refused(image, writing=False, uri=hypervisor.uri).kind == "in_use"
    hypervisor.domain("imaged").managedSave()
    error = refused(image, uri=hypervisor.uri)
    assert error.kind == "in_use" and "managed save" in str(error)
    hypervisor.domain("imaged").managedSaveRemove()
    overlay = image.with_name("imaged.overlay")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", str(image), "-F", "raw", str(overlay))
    definition = hypervisor.domain("imaged").XMLDesc().replace(f"{image}'", f"{overlay}'")
    hypervisor.bed.connection.defineXML(definition.replace("type='raw'", "type='qcow2'"))
    error = refused(image, uri=hypervisor.uri)
    assert error.kind == "backing" and 'a disk of the domain "imaged"' in str(error)
    hypervisor.domain("imaged").create()
    assert refused(image, uri=hypervisor.uri).kind == "backing"


def test_a_uri_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = make(tmp_path / "a.raw")
    error = refused(image, uri="qemu+unix:///system?socket=/nonexistent")
    assert "check the option uri" in str(error)
    # Without the option, it goes on as far as it can: here, to a Python without libguestfs.
    error = refused(image, uri=None)
    assert error.kind == "missing"


def test_a_backing_file_of_an_image_in_the_same_folder(tmp_path: Path) -> None:
    image = make(tmp_path / "base.qcow2")
    make(tmp_path / "overlay.qcow2", backing=image)
    error = refused(image)
    assert error.kind == "backing" and "overlay.qcow2" in str(error)


def test_encrypted_images(tmp_path: Path) -> None:
    """By qcow2 in its older way, and by LUKS, of which only the first bytes are made: a real header takes seconds."""
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef")
    how = ("--object", f"secret,id=s,file={secret}", "-o", "encrypt.format=aes,encrypt.key-secret=s")
    run("qemu-img", "create", "-q", "-f", "qcow2", *how, str(tmp_path / "a.qcow2"), "1M")
    (tmp_path / "a.raw").write_bytes(b"LUKS\xba\xbe\0\x02".ljust(MIB, b"\0"))
    for kind in ("qcow2", "raw"):
        assert refused(tmp_path / f"a.{kind}", writing=False).kind == "encrypted"


@fault("image_hostile")
def test_a_header_that_a_guest_may_have_written(tmp_path: Path) -> None:
    """An image of a raw disk, into which the guest has written a header that names a file of the host."""
    make(tmp_path / "hidden.raw", "raw")
    image = make(tmp_path / "a.qcow2", backing=tmp_path / "hidden.raw")
    error = refused(image, writing=False)
    assert error.kind == "unsupported" and "names a backing file" in str(error)


def test_backing_files_that_cannot_be_used(tmp_path: Path) -> None:
    base = make(tmp_path / "base.qcow2")
    image = make(tmp_path / "a.qcow2", backing=base)
    for backing in ("nbd://127.0.0.1:1/x", 'json:{"driver":"null-co"}', str(tmp_path / "gone.qcow2")):
        run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", backing, "-F", "qcow2", str(image))
        assert "cannot be used" in str(refused(image, image_format="qcow2"))
    run("qemu-img", "rebase", "-u", "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2", str(image))
    assert "no end" in str(refused(image, image_format="qcow2"))


def test_targets_that_cannot_be_used(tmp_path: Path) -> None:
    image, other = make(tmp_path / "a.qcow2"), make(tmp_path / "other.qcow2")
    for target in image, tmp_path / "missing" / "a.qcow2":
        assert refused(image, copy=str(target)).kind == "target"
    assert refused(image, overlay=str(other)).kind == "target"


def test_a_python_without_libguestfs(tmp_path: Path) -> None:
    """That of the tests is one: Debian has the bindings for its own."""
    for kind in FORMATS:
        error = refused(make(tmp_path / f"a.{kind}"), writing=False)
        assert error.kind == "missing" and "python3-guestfs" in str(error)


# ---- how it is written


@contextlib.contextmanager
def written(
    image: Path, kind: str, copy: Path | None = None, overlay: Path | None = None
) -> Iterator[disks.GuestfsFiles]:
    """The image, as when all of it was written to by an appliance that has ended."""
    where, target, dummy_made = disks._where(str(image), *(str(path) if path else None for path in (copy, overlay)))
    lock = Lock(where)
    files = disks.GuestfsFiles(disks._chain(where, lock, kind), target, lock, changes=True, tmpdir="", run=runner)
    try:
        lock.forbid_writing()
        files._take_work_folder()
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", where, "-F", kind, files._overlay)
        write(Path(files._overlay), "qcow2", NEW)
        files._replaced = True
        yield files
    finally:
        files.close()


@pytest.mark.parametrize("kind", FORMATS)
def test_in_place(tmp_path: Path, kind: str) -> None:
    image = make(tmp_path / f"a.{kind}")
    image.chmod(0o640)
    os.chown(image, 12, 34)
    with written(image, kind) as files:
        assert holds(image, kind, OLD)
        files.keep()
    assert holds(image, kind, NEW)
    assert os.listdir(tmp_path) == [image.name]
    found = image.stat()
    assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (0o640, 12, 34)


def test_without_being_kept_it_is_as_it_was(tmp_path: Path) -> None:
    image = make(tmp_path / "a.qcow2")
    before = digest(image)
    with written(image, "qcow2"):
        pass
    assert digest(image) == before
    assert os.listdir(tmp_path) == [image.name]


@pytest.mark.parametrize("kind", FORMATS)
def test_a_copy(tmp_path: Path, kind: str) -> None:
    (other := tmp_path / "other").mkdir()
    copy = other / "copy"
    image = make(tmp_path / f"a.{kind}")
    before = digest(image)
    with written(image, kind, copy=copy) as files:
        assert (files.holds, files.format, files.changed) == (str(copy), kind, True)
        files.keep()
    assert digest(image) == before and holds(copy, kind, NEW)
    assert sorted(os.listdir(tmp_path)) == [image.name, "other"] and os.listdir(other) == ["copy"]


def test_an_overlay_and_again(tmp_path: Path) -> None:
    image, overlay = make(tmp_path / "a.raw"), tmp_path / "overlay.qcow2"
    before = digest(image)
    with written(image, "raw", overlay=overlay) as files:
        assert (files.holds, files.format, files.changed) == (str(overlay), "qcow2", True)
        files.keep()
    assert digest(image) == before and holds(overlay, "qcow2", NEW)
    write(overlay, "qcow2", OLD)
    with written(image, "qcow2", overlay=overlay) as files:
        assert (files.holds, files.changed) == (str(overlay), False)
        files.keep()
    assert digest(image) == before and holds(overlay, "qcow2", NEW)


def test_an_image_that_is_itself_an_overlay(tmp_path: Path) -> None:
    """What lies below it is neither changed nor lost, also where it is named from the image's own folder."""
    (elsewhere := tmp_path / "elsewhere").mkdir()
    base, image = make(tmp_path / "base.raw"), tmp_path / "a.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", "-b", "base.raw", "-F", "raw", str(image))
    before = digest(base)
    copy = elsewhere / "copy"
    with written(image, "qcow2", copy=copy) as files:
        files.keep()
    assert holds(copy, "qcow2", NEW) and holds(image, "qcow2", OLD)
    assert str(base) in run("qemu-img", "info", str(copy))
    with written(image, "qcow2") as files:
        files.keep()
    assert holds(image, "qcow2", NEW) and digest(base) == before
    assert "backing file: base.raw" in run("qemu-img", "info", str(image))


@fault("image_in_use")
def test_two_runs_at_once(tmp_path: Path) -> None:
    image = make(tmp_path / "a.raw")
    with written(image, "raw") as files:
        with pytest.raises(ImageRefused, match="another run") as caught, written(image, "raw"):
            pass
        assert caught.value.kind == "in_use"
        assert refused_while_held(image) == "in_use"
        files.keep()


def refused_while_held(image: Path) -> str:
    """The kind of refusal for an image that a run has begun with."""
    with pytest.raises(ImageRefused) as caught:
        disks.open_disk(str(image), writing=True, tmpdir=str(image.parent), run=runner, uri="test:///default")
    return caught.value.kind


@fault("image_disk_full")
def test_no_space_for_the_copy(tmp_path: Path) -> None:
    """On a file system of its own that the image nearly fills."""
    run("mount", "-t", "tmpfs", "-o", f"size={SIZE + SIZE // 2 * 3}M", "tmpfs", str(tmp_path))
    try:
        image = make(tmp_path / "a.raw")
        before = digest(image)
        with written(image, "raw") as files, pytest.raises(ImageRefused, match="free as much space"):
            files.keep()
        assert digest(image) == before
        assert os.listdir(tmp_path) == [image.name]
    finally:
        run("umount", str(tmp_path))


@pytest.mark.parametrize("kind", ["qemu", "kvm"])
def test_the_domain_that_an_image_is_booted_as_by_default(hypervisor: Hypervisor, kind: str) -> None:
    """libvirt takes it, whatever the image's name is made of; only KVM may be missing."""
    template = (checkout.ROOT / "roles/image_readiness/templates/boot.xml.j2").read_text()
    defaults = yaml.safe_load((checkout.ROOT / "roles/image_readiness/defaults/main.yml").read_text())
    disk = '/images/it\'s <a> & "b".qcow2'
    given = {"boot_name": "winguest-boot-1", "boot_disk": disk, "boot_format": "qcow2", "boot_type": kind}
    text = jinja2.Template(template).render(
        {**defaults, **{f"image_readiness_{name}": value for name, value in given.items()}}
    )
    try:
        domain = hypervisor.bed.connection.defineXMLFlags(text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    except libvirt.libvirtError as error:
        assert kind == "kvm" and "kvm" in str(error)
        return
    hypervisor.domains.append(domain)
    (source,) = ET.fromstring(domain.XMLDesc()).iterfind("devices/disk/source")
    assert source.get("file") == disk


KEEPING = """
import os, sys
from pathlib import Path
from integration.test_image_disk import written
for dummy in sys.stdin:
    child = os.fork()
    if not child:
        os.setsid()
        with written(Path(sys.argv[1]), sys.argv[2]) as files:
            print(os.getpid(), flush=True)
            files.keep()
        os._exit(0)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""


@fault("image_killed")
@pytest.mark.parametrize("kind", ["raw", "qcow2"])
def test_killed_at_random_moments_it_is_old_or_new(tmp_path: Path, kind: str) -> None:
    """SIGKILL for the run and all that it has started, while the image is written; the next run tidies up."""
    image = make(tmp_path / f"a.{kind}")
    moments = random.Random(6)
    path = f"{checkout.ROOT / 'tests'}{os.pathsep}{checkout.TREE}"
    with subprocess.Popen(
        [sys.executable, "-c", KEEPING, str(image), kind],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as runs:
        assert runs.stdin and runs.stdout
        for dummy in range(KILLS):
            print("go", file=runs.stdin, flush=True)
            run_of_it = int(runs.stdout.readline())
            time.sleep(moments.uniform(0, LONGEST))
            with contextlib.suppress(ProcessLookupError):  # it was done
                os.killpg(run_of_it, signal.SIGKILL)
            assert runs.stdout.readline() == "ended\n"
            if not holds(image, kind, OLD):
                assert holds(image, kind, NEW)
                write(image, kind, OLD)
        runs.stdin.close()
    with written(image, kind) as files:
        files.keep()
    assert holds(image, kind, NEW)
    assert os.listdir(tmp_path) == [image.name]
