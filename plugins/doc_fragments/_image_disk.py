# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to the collection: another collection that extends this fragment breaks without notice.

from __future__ import annotations


class ModuleDocFragment:
    """How a disk image is reached."""

    DOCUMENTATION = r"""
requirements:
  - "For disk images: libguestfs with its Python bindings and ntfs-3g in its appliance (the packages C(python3-guestfs)
    of Debian and Ubuntu, or C(python3-libguestfs) and C(libguestfs-winsupport) of Fedora and RHEL), C(qemu-img), and,
    where libvirt is used, libvirt-python (C(python3-libvirt)). They are the distribution's, and so must be the Python
    (C(ansible_python_interpreter))."
notes:
  - "A disk image is not read when it is encrypted (BitLocker, LUKS, qcow2's own), when it has no Windows or more than
    one, when its format names other files that it should not, or while a guest runs with it. It is not written to,
    either, when the volume of Windows is dirty or hibernated, when a domain was saved with its memory (managed save),
    when it is a backing file of a domain's disk or of an image in the same folder, or when it is read-only. The message
    says why, and what to do."
  - "A disk image itself is never opened for writing. What is mended comes to hold at once: a copy of the image, joined
    with what was written, takes its name. So a run that is cut off leaves the image as it was; and it takes as much
    space in the image's folder as the image, except on file systems that share the blocks of copies (XFS, btrfs)."
  - "A run that was killed may leave a folder beside the image, whose name begins with a dot and ends in
    C(.winguest-work), and a file that ends in C(.winguest-new). The next run for that image removes them."
options:
  format:
    description:
      - The format of a disk image.
      - Without it, it is told from how the image begins, and returned. A guest can write what it likes to a raw disk,
        even what looks like another format with files of the host in it; so an image that has a backing file is an
        error where this option does not name its format.
    type: str
    choices: [qcow2, raw, vhdx, vmdk]
  uri:
    description:
      - The libvirt connection URI, as seen from the host on which the module runs, of the hypervisor whose domains may
        use a disk image. They are asked whether they do.
      - Without it, C(qemu:///system) is asked. Where that does not answer although domains are defined there, the
        module warns and goes on. Where this option is given, it is an error.
      - Domains of other hypervisors are not seen. As long as they run, QEMU's locks are.
    type: str
"""

    TARGET = r"""
options:
  copy:
    description:
      - Leave a disk image as it is, and make a copy of it in this file, in the same format, which is mended.
      - Where the file exists, from an earlier run, it is audited and mended itself. Remove it to begin with the image
        anew.
      - It is an error if it is the image itself, or if its folder does not exist.
    type: path
  overlay:
    description:
      - Leave a disk image as it is, and make an overlay of it in this file, in the format qcow2, which has only what
        was mended. The image becomes its backing file, and must not be changed any more.
      - Where the file exists, from an earlier run, it must be an overlay of the image, and is audited and mended
        itself.
      - It is an error if it is the image itself, or if its folder does not exist.
    type: path
"""
