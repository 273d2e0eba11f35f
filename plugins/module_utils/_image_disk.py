# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The files of the Windows in a disk image, through libguestfs.

The image itself is never opened for writing. What is written goes to an overlay in a folder of its own; at the end that
is joined with a copy of the image, and one rename lets the copy take its name. So whatever is killed, and whenever, the
image is either as it was or mended, whole; what NTFS, ntfs-3g or a format promise of a write that was cut off does not
matter.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import stat
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _image_format as formats
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_ntfs as ntfs
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_refusals as refusals
from ansible_collections.winguest.shutdown.plugins.module_utils import _image_users as users
from ansible_collections.winguest.shutdown.plugins.module_utils._image_files import (
    CONFIG,
    Entry,
    ImageFiles,
    ImageFilesError,
    hibernation,
)
from ansible_collections.winguest.shutdown.plugins.module_utils._image_refusals import (
    ImageFile,
    ImageRefused,
    Refusal,
    Volume,
)

OPTIONS: dict[str, t.Any] = {
    "format": {"type": "str", "choices": list(formats.FORMATS)},
    "uri": {"type": "str"},
}
"""How a disk image is read."""

TARGET_OPTIONS: dict[str, t.Any] = {"copy": {"type": "path"}, "overlay": {"type": "path"}}
"""Where what is mended goes, if not in place; they exclude each other."""

WORK = ".winguest-work"
"""What the name of the folder ends in that has what is not finished. A run that was killed leaves it for the next."""

NEW = ".winguest-new"
"""The same for the copy that is to take the target's name."""

MOUNT_OPTIONS = "norecover"
"""An NTFS that was not unmounted cleanly is not to be mounted for writing."""

COPY = ("cp", "--archive", "--copy-contents", "--reflink=auto", "--sparse=auto", "--no-target-directory")
"""With what the file system knows of a file; of a block device, what is on it."""

LAUNCH_CURE = "run libguestfs-test-tool on this host, which says what libguestfs lacks"
PIECE = 1 << 20
ONE_AT_A_TIME = 100
KIND_OF_ENTRY = {"r": "file", "d": "folder"}


class Level(t.NamedTuple):
    """A file of an image: the image itself, or one that it is an overlay of."""

    path: str
    format: str


Runner = t.Callable[[t.Sequence[str]], tuple[int, str, str]]
"""Runs a command: its exit status, and what it printed and complained of. Raises OSError where it cannot be run."""


class Target(t.NamedTuple):
    """The file that holds the mended image. kind: in_place, copy, or overlay."""

    path: str
    kind: str


def open_disk(
    path: str,
    *,
    writing: bool,
    tmpdir: str,
    run: Runner,
    check: bool = False,
    image_format: str | None = None,
    uri: str | None = None,
    copy: str | None = None,
    overlay: str | None = None,
) -> GuestfsFiles:
    """The files of the Windows in an image. Raises ImageRefused, whatever the reason, and has then changed nothing.

    writing: whether it is to be mended; otherwise, what forbids only that is among the obstacles. check: whether that
    would be the end of it. run: what runs qemu-img and cp. image_format, uri, copy, overlay: as in OPTIONS and
    TARGET_OPTIONS.
    """
    image, target, made = _where(os.path.realpath(path), copy, overlay)
    if made and overlay:
        image_format = "qcow2"
    # Like the clean-up after an error, also when Ansible or a person ends the run.
    signal.signal(signal.SIGTERM, _end)
    with contextlib.ExitStack() as stack:
        try:
            lock = users.Lock(image)
        except OSError as error:
            raise ImageRefused(
                image, Refusal("missing", f"it cannot be opened: {error.strerror}", "name a disk image")
            ) from None
        stack.callback(lock.close)
        in_place = target.kind == "in_place"
        found, warnings = _refusals(image, lock, uri, in_place)
        chain = _chain(image, lock, image_format)
        if made and overlay:
            _expect_overlay(image, os.path.realpath(path))
        for refusal in found:
            if writing or refusal.reading:
                raise ImageRefused(image, refusal)
        lock.forbid_writing()
        files = GuestfsFiles(chain, target, lock, changes=writing and not check, tmpdir=tmpdir, run=run)
        stack.callback(files.close)
        files.warnings = tuple(warnings)
        files.obstacles = tuple(refusals.sentence(image, refusal) for refusal in found)
        files.open(writing)
        stack.pop_all()
    return files


class GuestfsFiles(ImageFiles):
    """The files of the volume that Windows is on."""

    def __init__(
        self, chain: t.Sequence[Level], target: Target, lock: users.Lock, changes: bool, tmpdir: str, run: Runner
    ) -> None:
        self.description = chain[0].path
        self.format = "qcow2" if target.kind == "overlay" else chain[0].format
        self.holds = target.path
        self.changed = target.kind != "in_place"
        """Whether a new file is made, even if nothing is to be mended."""
        self.at_once = True
        self._chain, self._target, self._lock, self._changes = chain, target, lock, changes
        self._work = tmpdir
        self._runner = run
        self._work_lock = -1
        self._guestfs: t.Any = None
        self._replaced = False
        self._entries: dict[str, list[Entry]] = {}

    # ---- opening and closing

    def open(self, writing: bool) -> None:
        """Start the appliance, and mount the volume of Windows in it."""
        image = self._chain[0]
        guestfs = _library(image.path)
        drive, kind = image.path, image.format
        if self._changes:
            self._take_work_folder()
            drive, kind = self._overlay, "qcow2"
            self._qemu_img("create", "-q", "-f", "qcow2", "-b", image.path, "-F", image.format, drive)
        self._guestfs = guestfs.GuestFS(python_return_dict=True)
        self._guestfs.set_tmpdir(self._work)
        # Nothing of the overlay has to be on the disk before it is joined.
        how = {"cachemode": "unsafe"} if self._changes else {"readonly": True}
        with self._failing("libguestfs cannot start its appliance for it", LAUNCH_CURE):
            self._guestfs.add_drive_opts(drive, format=kind, **how)
            self._guestfs.launch()
        with self._failing("its volumes cannot be read", "check it with qemu-img check, or in Windows with chkdsk"):
            self._mount(writing)

    def keep(self) -> None:
        """Let what was replaced hold, and have the target made. It cannot be read any more afterwards."""
        if not self._replaced and not self.changed:
            return
        image, target = self._chain[0], self._target
        self._end_appliance()
        try:
            if target.kind == "overlay":
                new = self._overlay
            else:
                new = self._new
                self._run(*COPY, image.path, new)
                if len(self._chain) > 1 and os.path.dirname(new) != os.path.dirname(image.path):
                    # It may name the one below by a path from where the image is.
                    self._rebase(new, image.format, self._chain[1])
                self._rebase(self._overlay, "qcow2", Level(new, image.format))
                self._qemu_img("commit", "-q", "-f", "qcow2", self._overlay)
            _to_disk(new)
            os.rename(new, target.path)
            _to_disk(os.path.dirname(target.path))
        except (OSError, ImageFilesError) as error:
            cure = "it is as it was; mend that and try again"
            if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
                cure = "it is as it was; free as much space there as it takes, or use the option overlay"
            raise ImageRefused(
                image.path, Refusal("failed", f"{target.path} could not be written ({error})", cure)
            ) from error

    def close(self) -> None:
        """Without `keep`, all is as it was."""
        try:
            self._end_appliance(quietly=True)
        finally:
            if self._work_lock >= 0:
                _remove(self._new)
                shutil.rmtree(self._work, ignore_errors=True)
                os.close(self._work_lock)
                self._work_lock = -1
            self._lock.close()

    # ---- files

    def entries(self, folder: str) -> list[Entry]:
        """By one look at the folder, and one at a hundred of its files."""
        if folder not in self._entries:
            with self._failing(f"the folder {folder or '/'} in it cannot be read", "check it in Windows with chkdsk"):
                self._entries[folder] = self._look(f"/{folder}")
        return self._entries[folder]

    def read(self, path: str, offset: int, size: int) -> bytes:
        """Through the appliance, piece by piece."""
        real, pieces = f"/{self.real(path)}", []
        with self._failing(f"{path} in it cannot be read", "check it in Windows with chkdsk"):
            while size > 0:
                piece = self._guestfs.pread(real, min(size, PIECE), offset)
                if not piece:
                    break
                pieces.append(piece)
                offset, size = offset + len(piece), size - len(piece)
        return b"".join(pieces)

    def fetch(self, path: str, local: str) -> None:
        """Through the appliance."""
        real = f"/{self.real(path)}"
        with open(local, "xb"):
            pass
        with self._failing(f"{path} in it cannot be read", "check it in Windows with chkdsk"):
            self._guestfs.download(real, local)

    def replace(self, path: str, local: str) -> None:
        """In the overlay: the file itself is written to, so that it keeps what Windows knows of it."""
        real = f"/{self.real(path)}"
        self._entries.clear()
        self._replaced = True
        with self._failing(f"{path} cannot be written to an overlay of it", "free space in the volume or on this host"):
            self._guestfs.upload(local, real)

    def tidy(self, path: str) -> None:
        """Whatever a run that was cut off has left is in the work folder, and is removed with it."""

    # ---- inside

    def _rebase(self, path: str, kind: str, below: Level) -> None:
        """Name another backing file in an image; what is in it stays as it is."""
        self._qemu_img("rebase", "-q", "-u", "-f", kind, "-b", below.path, "-F", below.format, path)

    def _qemu_img(self, *arguments: str) -> None:
        self._run("qemu-img", *arguments)

    def _run(self, *command: str) -> None:
        try:
            status, dummy_output, complaint = self._runner(command)
        except OSError as error:
            raise ImageFilesError(f"{command[0]} cannot be run: {error.strerror}") from None
        if status:
            raise ImageFilesError(f"{command[0]} failed: {complaint.strip() or status}")

    @property
    def _overlay(self) -> str:
        return os.path.join(self._work, "overlay")

    @property
    def _new(self) -> str:
        """In the target's folder, from where the path of a file below may be told."""
        return _hidden(self._target.path, NEW)

    def _take_work_folder(self) -> None:
        """The folder next to the target, anew, and for this run alone."""
        work = _hidden(self._target.path, WORK)
        try:
            os.makedirs(work, mode=0o700, exist_ok=True)
            lock = os.open(work, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            refusal = Refusal("read_only", f"{work} cannot be made: {error.strerror}", "use another folder")
            raise ImageRefused(self.description, refusal) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The one that had it may have removed it between our two steps.
            if users.identity(work) != _identity_of(lock):
                raise BlockingIOError
        except BlockingIOError:
            os.close(lock)
            (refusal,) = refusals.of_locks("used", in_place=True)
            raise ImageRefused(self.description, refusal) from None
        self._work, self._work_lock = work, lock
        for left in (*(os.path.join(work, entry) for entry in os.listdir(work)), self._new):
            _remove(left)

    def _mount(self, writing: bool) -> None:
        guest = self._guestfs
        found = [self._volume(device) for device in [*guest.list_partitions(), *guest.list_devices()]]
        device = refusals.volume_of_windows(found)
        if isinstance(device, Refusal):
            raise ImageRefused(self.description, device)
        dirty = ntfs.dirty(self._reader(device))
        if not dirty:
            # ntfs-3g mounts neither of them for writing, and does not say which it is.
            asleep = hibernation(self) if self._mounts(device, "ro") else ""
            if asleep and writing:
                raise ImageFilesError(asleep)
            if asleep:
                return
            guest.umount_all()
            self._entries.clear()
            dirty = not self._mounts(device, MOUNT_OPTIONS)
        for refusal in refusals.of_dirt(dirty):
            if writing:
                raise ImageRefused(self.description, refusal)
            self.obstacles += (refusals.sentence(self.description, refusal),)
            guest.umount_all()
            if not self._mounts(device, "ro"):
                raise ImageRefused(self.description, refusal)

    def _volume(self, device: str) -> Volume:
        kind = ntfs.kind(self._reader(device))
        windows = False
        if kind == "ntfs" and self._mounts(device, "ro"):
            windows = self._has_windows()
            self._guestfs.umount_all()
            self._entries.clear()
        return Volume(device, kind, windows)

    def _has_windows(self) -> bool:
        try:
            return self.size(f"{CONFIG}/SOFTWARE") is not None
        except ImageFilesError:
            return False

    def _mounts(self, device: str, options: str) -> bool:
        """Mount it, for reading and writing unless told otherwise, and say whether it is mounted so."""
        try:
            self._guestfs.mount_vfs(options, "ntfs-3g", device, "/")
        except RuntimeError:
            return False
        if options == "ro":
            return True
        # ntfs-3g may fall back to reading only.
        found = self._guestfs.statvfs("/")["flag"] & os.ST_RDONLY
        if found:
            self._guestfs.umount_all()
        return not found

    def _reader(self, device: str) -> ntfs.Read:
        def read(offset: int, size: int) -> bytes:
            try:
                return bytes(self._guestfs.pread_device(device, size, offset))
            except (RuntimeError, OverflowError):
                return b""  # beyond its end

        return read

    def _look(self, folder: str) -> list[Entry]:
        guest = self._guestfs
        if not guest.is_dir(folder):
            return []
        kinds = {
            entry["name"]: KIND_OF_ENTRY.get(_letter(entry["ftyp"]), "other")
            for entry in guest.readdir(folder)
            if entry["name"] not in (".", "..")
        }
        names = [name for name, kind in kinds.items() if kind == "file"]
        sizes: dict[str, int] = {}
        for start in range(0, len(names), ONE_AT_A_TIME):
            some = names[start : start + ONE_AT_A_TIME]
            for name, found in zip(some, guest.lstatnslist(folder, some)):
                sizes[name] = found["st_size"]
        return [Entry(name, kind, sizes.get(name, 0)) for name, kind in kinds.items()]

    def _end_appliance(self, quietly: bool = False) -> None:
        guest, self._guestfs = self._guestfs, None
        if guest is None:
            return
        try:
            with self._failing(
                "libguestfs did not end as it should", "look at the free space on this host, and try again"
            ):
                guest.shutdown()
        except ImageRefused:
            if not quietly:
                raise
        finally:
            guest.close()

    @contextlib.contextmanager
    def _failing(self, text: str, cure: str) -> t.Iterator[None]:
        """What libguestfs says goes on as a refusal."""
        try:
            yield
        except (RuntimeError, UnicodeDecodeError, ntfs.VolumeError) as error:
            told = " ".join(str(error).split())
            raise ImageRefused(self.description, Refusal("failed", f"{text} ({told})", cure)) from error


def _library(image: str) -> t.Any:
    """libguestfs' Python bindings, which not every user of the collection has."""
    try:
        import guestfs
    except ImportError as error:
        raise ImageRefused(
            image,
            Refusal(
                "missing",
                f"a disk image is read by libguestfs, whose Python bindings are missing ({error})",
                "install python3-guestfs (Debian, Ubuntu) or python3-libguestfs and libguestfs-winsupport (Fedora, "
                "RHEL), and let ansible_python_interpreter be the Python of the distribution; or name a mounted root",
            ),
        ) from None
    return guestfs


def _where(image: str, copy: str | None, overlay: str | None) -> tuple[str, Target, bool]:
    """The image to be opened, where what is mended goes, and whether that is a target that an earlier run has made."""
    asked = copy or overlay
    if not asked:
        return image, Target(image, "in_place"), False
    path = os.path.realpath(asked)
    if path == image:
        raise ImageRefused(
            image, Refusal("target", "the target is the image itself", "name another file as the target")
        )
    if os.path.exists(path):
        return path, Target(path, "in_place"), True
    if not os.path.isdir(os.path.dirname(path)):
        raise ImageRefused(
            image, Refusal("target", f"there is no folder {os.path.dirname(path)} for the target", "make the folder")
        )
    return image, Target(path, "copy" if copy else "overlay"), False


def _expect_overlay(overlay: str, image: str) -> None:
    if users.identity(users.below(overlay)) != users.identity(image):
        raise ImageRefused(
            image,
            Refusal(
                "target", f"{overlay} exists and is no overlay of it", "name another file as the target, or remove it"
            ),
        )


def _refusals(image: str, lock: users.Lock, uri: str | None, in_place: bool) -> tuple[list[Refusal], list[str]]:
    """What is known before the image is opened, and warnings about what could not be found out."""
    found, warnings = [*refusals.of_file(_file(image), in_place)], list[str]()
    if any(refusal.reading for refusal in found):
        return found, warnings
    try:
        found += refusals.of_uses(users.uses(image, uri or users.DEFAULT_URI), in_place)
    except users.UsersError as error:
        if uri:
            cure = "check the option uri, that libvirt runs there, and that this user may use it"
            raise ImageRefused(image, Refusal("failed", str(error), cure)) from error
        if os.path.isdir(users.DEFINITIONS):
            warnings.append(
                f"{image}: {error}. If domains of this host may use it, see to that and name the option uri"
            )
    # What a domain says is clearer than what a lock does.
    found += refusals.of_locks(lock.of_others(), in_place)
    if os.path.isfile(image):
        found += refusals.of_overlays(users.overlays(image), in_place)
    return found, warnings


def _file(path: str) -> ImageFile:
    found = os.stat(path)
    kind = "file" if stat.S_ISREG(found.st_mode) else "device" if stat.S_ISBLK(found.st_mode) else "other"
    # Root may write whatever the mode says, and it is meant nevertheless.
    writable = bool(found.st_mode & 0o222) and os.access(path, os.W_OK) and os.access(os.path.dirname(path), os.W_OK)
    return ImageFile(kind, found.st_nlink, writable)


def _chain(image: str, lock: users.Lock, given: str | None) -> list[Level]:
    """The image and those below it, each with the format to open it in, checked before anything opens it."""
    levels = [Level(image, given or formats.guessed(lock.read))]
    backing = _header(image, image, lock.read, levels[0].format)
    if backing.backing and not given:
        raise ImageRefused(
            image,
            Refusal(
                "unsupported",
                f"it looks like {backing.format} and names a backing file ({backing.backing!r}), and a guest can write "
                "that to a raw disk, to have a file of the host read",
                f"if it is {backing.format}, say so in the option format",
                reading=True,
            ),
        )
    while backing.backing:
        path = users.located(levels[-1].path, backing.backing)
        cure = "name it, and its format, in the image with qemu-img rebase -u -b FILE -F FORMAT"
        if not os.path.isfile(path) or backing.backing_format not in formats.FORMATS:
            text = f"its backing file {backing.backing!r} of the format {backing.backing_format!r} cannot be used"
            raise ImageRefused(image, Refusal("unsupported", text, cure, reading=True))
        levels.append(Level(os.path.realpath(path), backing.backing_format))
        if len(levels) > users.LONGEST_CHAIN:
            raise ImageRefused(
                image, Refusal("unsupported", "its chain of backing files has no end", cure, reading=True)
            )
        file = users.Lock(path)
        try:
            backing = _header(image, path, file.read, levels[-1].format)
        finally:
            file.close()
    return levels


def _header(image: str, path: str, read: formats.Read, kind: str) -> formats.Header:
    try:
        return formats.header(read, kind)
    except formats.FormatError as error:
        whose = "" if path == image else f"of its backing file {path}: "
        raise ImageRefused(image, Refusal(error.kind, f"{whose}{error}", error.cure, reading=True)) from None


def _to_disk(path: str) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _hidden(path: str, ending: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}{ending}")


def _remove(path: str) -> None:
    """A file or a folder, or nothing."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
        return
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def _identity_of(opened: int) -> users.Identity:
    found = os.fstat(opened)
    return found.st_dev, found.st_ino


def _letter(kind: t.Any) -> str:
    return kind.decode() if isinstance(kind, bytes) else str(kind)


def _end(number: int, dummy_frame: t.Any) -> t.NoReturn:
    raise SystemExit(128 + number)
