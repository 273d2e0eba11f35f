# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""The files of a Windows that does not run, however they are reached: a mounted root, or a folder of hives.

A path is that of a file on the drive of Windows, relative and with slashes: "Windows/System32/config/SOFTWARE". Names
are looked up as Windows does it, without regard to case, and no link is followed, so that nothing outside is reached.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import stat
import typing as t

NEW = ".winguest-new"
"""What the name of a file ends in that is still being written. It is there after a run that was cut off, too."""

CONFIG = "Windows/System32/config"
MOST_PARTS = 100

HIBERNATION_FILE = "hiberfil.sys"
HIBERNATED = (b"HIBR", b"RSTR")
"""How a hibernation file begins that Windows would go on from. One that is used up begins otherwise."""


class ImageFilesError(Exception):
    """A file cannot be reached, or must not be; the text says which, why, and what to do."""


class Entry(t.NamedTuple):
    """What a folder has. kind: file, folder, or other (such as a link)."""

    name: str
    kind: str
    size: int


class ImageFiles:
    """How an image's files are reached. What is common to all ways is here; the rest is each way's own."""

    description = ""
    """What it is, for people to read: "/mnt/windows"."""

    expected = f"name the folder that is the drive of Windows, in which {CONFIG} has it"
    """What to do where a hive is missing that every Windows has."""

    complete = True
    """Whether it has all files of the drive, so that what is not found is not there."""

    obstacles: tuple[str, ...] = ()
    """Why nothing must be written into it, each with the cure. It can be read all the same.

    That of a hibernated Windows need not be among them: `hibernation` finds it, however the files are reached.
    """

    warnings: tuple[str, ...] = ()
    """What the user is to know besides."""

    holds: str = ""
    """The file that holds, or would hold, what is changed, where that is a file."""

    format: str = ""
    """The format of that file, where it is a disk image."""

    at_once = False
    """Whether nothing that was replaced holds before `keep`."""

    changed = False
    """Whether a new file was or would be made, even if nothing in it is changed."""

    def entries(self, folder: str) -> list[Entry]:
        """What a folder has, whose path is as `find` returns it; "" is the root. Empty where it is no folder."""
        raise NotImplementedError

    def entry(self, folder: str, name: str) -> Entry | None:
        """What Windows means by a name in a folder; None where there is nothing."""
        return named(self.entries(folder), name)

    def read(self, path: str, offset: int, size: int) -> bytes:
        """A piece of a file; less where the file ends before."""
        raise NotImplementedError

    def fetch(self, path: str, local: str) -> None:
        """Copy a file to a local one, which must not exist."""
        raise NotImplementedError

    def replace(self, path: str, local: str) -> None:
        """Have a file, which exists, hold what a local one does. Whatever happens meanwhile, it holds old or new."""
        raise NotImplementedError

    def tidy(self, path: str) -> None:
        """Remove what a `replace` of this file that was cut off has left next to it."""
        raise NotImplementedError

    def keep(self) -> None:
        """Let what was replaced hold, where it does not yet. Without it, closing may take it back."""

    def close(self) -> None:
        """Let go of it. May be called twice."""

    def find(self, path: str) -> Entry | None:
        """The entry of a path; None where there is none. Raises ImageFilesError where a link is on the way."""
        found = self._find(path)
        return found[1] if found else None

    def exists(self, path: str) -> bool:
        """Whether there is something of this name, even a link."""
        return self._find(path) is not None

    def size(self, path: str) -> int | None:
        """The size of a file in bytes; None where there is no such file."""
        found = self.find(path)
        return found.size if found and found.kind == "file" else None

    def real(self, path: str) -> str:
        """The path of a file as it is written in the image. Raises ImageFilesError where there is no such file."""
        found = self._find(path)
        if found is None:
            raise ImageFilesError(f"{self.description} has no file {path}")
        if found[1].kind != "file":
            raise ImageFilesError(f"{path} in {self.description} is no plain file, and nothing else is opened")
        return found[0]

    def _find(self, path: str) -> tuple[str, Entry] | None:
        parts = checked(path)
        here, entry = "", Entry("", "folder", 0)
        for position, part in enumerate(parts):
            found = self.entry(here, part)
            if found is None:
                return None
            here, entry = f"{here}/{found.name}" if here else found.name, found
            if position + 1 < len(parts) and entry.kind != "folder":
                if entry.kind == "file":
                    return None
                raise ImageFilesError(
                    f"{here} in {self.description} is a link or something else that is no folder; it is not followed, "
                    f"and so {path} cannot be reached"
                )
        return here, entry


def checked(path: str) -> list[str]:
    """The names that a path is made of. Raises ImageFilesError for one that could lead elsewhere."""
    parts = [part for part in path.split("/") if part]
    if not parts or len(parts) > MOST_PARTS or any(part in (".", "..") or "\0" in part for part in parts):
        raise ImageFilesError(f"{path!r} is no path in an image, and is not looked for")
    return parts


def hibernation(files: ImageFiles) -> str:
    """Why nothing must be written into an image that is hibernated; empty where it is not."""
    size = files.size(HIBERNATION_FILE)
    if not size or files.read(HIBERNATION_FILE, 0, 4).upper() not in HIBERNATED:
        return ""
    return (
        f"{files.description} is hibernated or was shut down with fast startup: Windows would go on from what was in "
        f"memory, and damage what was changed meanwhile. Boot it, shut it down fully (shutdown /s /t 0), and try again"
    )


def named(entries: t.Iterable[Entry], name: str) -> Entry | None:
    """The entry that Windows means by a name. Of several that differ in case only, the one that is written like it."""
    found = [entry for entry in entries if entry.name.casefold() == name.casefold()]
    exact = [entry for entry in found if entry.name == name]
    if exact or len(found) < 2:
        return next(iter(exact or found), None)
    names = " and ".join(sorted(entry.name for entry in found))
    raise ImageFilesError(f"{names} differ in case only, so that it is not known which of them Windows uses")


class RootFiles(ImageFiles):
    """The root of a mounted or unpacked Windows. Only one run at a time may write in it."""

    def __init__(self, root: str, writing: bool) -> None:
        self.description = root
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ImageFilesError(f"{root} cannot be opened as a folder: {error.strerror}") from None
        try:
            fcntl.flock(self._root, (fcntl.LOCK_EX if writing else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise ImageFilesError(
                f"{root} is in use by another run of image_readiness; wait until that has ended"
            ) from None
        except OSError as error:
            # A file system without locks, such as some that are mounted by FUSE.
            if error.errno not in (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EBADF):
                raise

    def entries(self, folder: str) -> list[Entry]:
        """By one look at the folder itself, which no link is on the way to."""
        try:
            opened = self._open_folder(folder)
        except NotADirectoryError:
            return []
        try:
            with os.scandir(opened) as found:
                return [_entry(entry.name, entry.stat(follow_symlinks=False)) for entry in found]
        finally:
            os.close(opened)

    def entry(self, folder: str, name: str) -> Entry | None:
        """A folder with thousands of files is only looked through where the name is written otherwise."""
        try:
            opened = self._open_folder(folder)
        except NotADirectoryError:
            return None
        try:
            return _entry(name, os.stat(name, dir_fd=opened, follow_symlinks=False))
        except OSError:
            return super().entry(folder, name)
        finally:
            os.close(opened)

    def read(self, path: str, offset: int, size: int) -> bytes:
        """From the file, opened for this."""
        with self._failing(path, "read"), self._opened(self.real(path)) as file:
            file.seek(offset)
            return file.read(size)

    def fetch(self, path: str, local: str) -> None:
        """A plain copy."""
        with self._failing(path, "copied"), self._opened(self.real(path)) as source, open(local, "xb") as target:
            shutil.copyfileobj(source, target, 1 << 20)

    def replace(self, path: str, local: str) -> None:
        """A new file with all of it, on the disk, takes the old one's place."""
        real = self.real(path)
        folder, name = os.path.split(real)
        where = self._open_folder(folder)
        new = f"{name}{NEW}"
        try:
            with self._failing(real, "written"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=where)
                with self._opened(real) as old, open(local, "rb") as source:
                    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                    with os.fdopen(os.open(new, flags, 0o600, dir_fd=where), "wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                        target.flush()
                        _copy_attributes(old.fileno(), target.fileno())
                        os.fsync(target.fileno())
                os.rename(new, name, src_dir_fd=where, dst_dir_fd=where)
                os.fsync(where)
        except ImageFilesError:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=where)
            raise
        finally:
            os.close(where)

    def tidy(self, path: str) -> None:
        """The new file has a name that is known."""
        folder, name = os.path.split(self.real(path))
        where = self._open_folder(folder)
        try:
            with self._failing(path, "written"), contextlib.suppress(FileNotFoundError):
                # Where there is none, the file system may well be read-only.
                os.stat(f"{name}{NEW}", dir_fd=where, follow_symlinks=False)
                os.unlink(f"{name}{NEW}", dir_fd=where)
        finally:
            os.close(where)

    def close(self) -> None:
        """With the folder goes the lock."""
        if self._root >= 0:
            os.close(self._root)
            self._root = -1

    def _open_folder(self, folder: str) -> int:
        """A folder, entered name by name, so that a link that appears meanwhile is not followed either.

        Raises NotADirectoryError where it is none.
        """
        here = os.dup(self._root)
        for part in folder.split("/") if folder else ():
            try:
                further = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=here)
            except NotADirectoryError:
                raise
            except OSError as error:
                raise ImageFilesError(f"{folder} in {self.description} cannot be read: {error.strerror}") from None
            finally:
                os.close(here)
            here = further
        return here

    @contextlib.contextmanager
    def _opened(self, real: str) -> t.Iterator[t.BinaryIO]:
        folder, name = os.path.split(real)
        where = self._open_folder(folder)
        try:
            # It may have become a pipe, which would be waited for.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=where)
        finally:
            os.close(where)
        with os.fdopen(opened, "rb") as file:
            yield file

    @contextlib.contextmanager
    def _failing(self, path: str, what: str) -> t.Iterator[None]:
        """What the system says goes on as an error of ours."""
        try:
            yield
        except OSError as error:
            raise ImageFilesError(f"{path} in {self.description} cannot be {what}: {error.strerror}") from None


class HivesFiles(RootFiles):
    """A folder with copies of hives: those of config by their names, and users' under Users as on the drive.

    The default profile's may also be NTUSER.DAT in the folder itself.
    """

    expected = "name a folder in which it is by that name"
    complete = False

    def _find(self, path: str) -> tuple[str, Entry] | None:
        """At the place that the file has in this folder."""
        parts = checked(path)
        folded = [part.casefold() for part in parts]
        config = CONFIG.casefold().split("/")
        if folded[: len(config)] == config and len(parts) == len(config) + 1:
            return super()._find(parts[-1])
        found = super()._find(path)
        if found is None and folded == ["users", "default", "ntuser.dat"]:
            return super()._find(parts[-1])
        return found


def _entry(name: str, found: os.stat_result) -> Entry:
    kind = "file" if stat.S_ISREG(found.st_mode) else "folder" if stat.S_ISDIR(found.st_mode) else "other"
    return Entry(name, kind, found.st_size)


def _copy_attributes(old: int, new: int) -> None:
    """Owner, mode and extended attributes; ntfs-3g has Windows' own among them and does not list them."""
    found = os.fstat(old)
    os.fchown(new, found.st_uid, found.st_gid)
    os.fchmod(new, stat.S_IMODE(found.st_mode))
    with contextlib.suppress(OSError):
        for name in dict.fromkeys(["system.ntfs_acl", "system.ntfs_attrib", *os.listxattr(old)]):
            # Not every file system has them all, and a hive without them is still whole.
            with contextlib.suppress(OSError):
                os.setxattr(new, name, os.getxattr(old, name))
