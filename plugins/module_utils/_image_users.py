# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""Who else uses a disk image: programs that have locked it, domains of libvirt, and images that are overlays of it."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import struct
import typing as t

from ansible_collections.winguest.shutdown.plugins.module_utils import _image_format as formats
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import DefinitionError, Document, Element
from ansible_collections.winguest.shutdown.plugins.module_utils._image_refusals import Use

try:
    import libvirt
except ImportError:
    HAVE_LIBVIRT = False
else:
    HAVE_LIBVIRT = True

DEFAULT_URI = "qemu:///system"
DEFINITIONS = "/etc/libvirt/qemu"
"""Where libvirt keeps definitions; a host without it has no domains that could use an image."""

LONGEST_CHAIN = 64

# QEMU's protocol: who uses a permission has a lock on 100 + its number, who does not share it one on 200 + its number.
# Whoever wants to write asks whether anybody holds the latter. libvirt's virtlockd has a lock on the first byte.
WRITE = 1
USED, UNSHARED = 100, 200
NO_LOCKS = (errno.ENOSYS, errno.ENOTSUP, errno.ENOLCK, errno.EINVAL, errno.EBADF)

Identity = tuple[int, int]


class UsersError(Exception):
    """The domains cannot be asked; the text says why."""


class Lock:
    """A file that is opened for its locks: others' are seen, and ours forbids others to write while it is open."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def of_others(self) -> str:
        """written: somebody writes to it; used: somebody has it open; empty: nobody, or there are no locks here."""
        if self._locked(USED + WRITE, 1) or self._locked(0, 1):
            return "written"
        return "used" if self._locked(0, 0) else ""

    def forbid_writing(self) -> None:
        """Until it is closed, QEMU does not open the file for writing."""
        try:
            fcntl.fcntl(self._file, fcntl.F_OFD_SETLK, _flock(fcntl.F_RDLCK, UNSHARED + WRITE, 1))
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise

    def read(self, offset: int, size: int) -> bytes:
        """A piece of the file; empty where its header names a place that no file has."""
        try:
            return os.pread(self._file, size, offset)
        except (OverflowError, OSError):
            return b""

    def close(self) -> None:
        """May be called twice."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _locked(self, start: int, length: int) -> bool:
        try:
            found = fcntl.fcntl(self._file, fcntl.F_OFD_GETLK, _flock(fcntl.F_WRLCK, start, length))
        except OSError as error:
            if error.errno in NO_LOCKS:
                return False
            raise
        return bool(struct.unpack_from("h", found)[0] != fcntl.F_UNLCK)


def _flock(kind: int, start: int, length: int) -> bytes:
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, start, length, 0)


def identity(path: str) -> Identity | None:
    """What two names of one file or device have in common; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (-1, found.st_rdev) if stat.S_ISBLK(found.st_mode) else (found.st_dev, found.st_ino)


def uses(image: str, uri: str) -> list[Use]:
    """The domains with a disk that this image is a part of. Raises UsersError where they cannot be asked."""
    if not HAVE_LIBVIRT:
        raise UsersError("Python's libvirt bindings are missing (the package python3-libvirt of the distribution)")
    libvirt.registerErrorHandler(_swallow, None)
    wanted, found = identity(image), []
    try:
        connection = libvirt.openReadOnly(uri)
        try:
            for domain in connection.listAllDomains():
                state = _state(domain)
                for files in _disks(connection, domain):
                    depth = next((depth for depth, file in enumerate(_whole(files)) if identity(file) == wanted), None)
                    if depth is not None:
                        found.append(Use(domain.name(), state, depth))
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        raise UsersError(f"the domains at {uri} cannot be asked whether they use it: {error}") from error
    return list(dict.fromkeys(found))


def overlays(image: str) -> list[str]:
    """The images in the same folder that this one is the backing file of."""
    wanted, found = identity(image), []
    with os.scandir(os.path.dirname(image)) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and identity(below(entry.path)) == wanted:
                found.append(entry.path)
    return sorted(found)


def below(path: str) -> str:
    """The backing file that an image's header names; empty for an image that has none or cannot be read."""
    try:
        file = Lock(path)
    except OSError:
        return ""
    try:
        backing = formats.header(file.read, formats.guessed(file.read)).backing
        return located(path, backing)
    except (formats.FormatError, OSError):
        return ""
    finally:
        file.close()


def located(path: str, backing: str) -> str:
    """The path of a backing file that the image at a path names; empty for what is no path of this host."""
    if backing.startswith("file:"):
        backing = backing[len("file:") :]
    if not backing or "\0" in backing or ":" in backing.partition("/")[0]:
        return ""
    return os.path.join(os.path.dirname(os.path.realpath(path)), backing)


def _whole(files: t.Sequence[str]) -> list[str]:
    """The files of a disk, and those below the last one that libvirt tells."""
    chain = list(files)
    while chain and len(chain) < LONGEST_CHAIN:
        further = below(chain[-1])
        if not further or further in chain:
            break
        chain.append(further)
    return chain


def _state(domain: t.Any) -> str:
    if domain.isActive():
        return "running"
    return "saved" if domain.isPersistent() and domain.hasManagedSaveImage() else "off"


def _disks(connection: t.Any, domain: t.Any) -> list[list[str]]:
    """The files of each disk, the uppermost first. A domain that has gone meanwhile has none."""
    try:
        texts = [domain.XMLDesc(), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)]
        documents = [Document(text) for text in dict.fromkeys(texts)]
    except DefinitionError as error:
        raise UsersError(f'the definition of the domain "{domain.name()}" cannot be read: {error}') from error
    except libvirt.libvirtError as error:
        if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return []
        raise
    return [
        files
        for document in documents
        for devices in _children(document.root, "devices")
        for disk in _children(devices, "disk")
        for store in (disk, *_children(disk, "mirror"))
        for files in (_files(connection, store),)
        if files
    ]


def _files(connection: t.Any, store: Element) -> list[str]:
    files = []
    stores: list[Element] = [store]
    for current in stores:
        for source in _children(current, "source"):
            files += [path for path in (_path(connection, source),) if path]
        stores += _children(current, "backingStore")
    return files


def _path(connection: t.Any, source: Element) -> str:
    """The file, device or volume of a pool that a source names; empty for what is elsewhere."""
    named = source.attributes
    if "pool" in named and "volume" in named:
        try:
            return str(connection.storagePoolLookupByName(named["pool"]).storageVolLookupByName(named["volume"]).path())
        except libvirt.libvirtError:
            return ""  # such a disk cannot be used by a domain either
    return named.get("file") or named.get("dev") or ""


def _children(element: Element, name: str) -> list[Element]:
    return [child for child in element.children if child.name == name]


def _swallow(context: t.Any, error: t.Any) -> None:
    """libvirt would print every error to stderr; each is handled where it is raised."""
