# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Definitions read and edited: what is meant changes, every other byte stays, and what is no definition is refused."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import PRESENT, DefinitionElement, Step
from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue_rows_host import BY_ID, DEFINITION
from ansible_collections.winguest.shutdown.plugins.module_utils._domain_xml import DefinitionError, Document, lost
from hypothesis import given
from hypothesis import strategies as st

PLACES = {row.id: row.location for row in DEFINITION if isinstance(row.location, DefinitionElement)}
ACPI, POWEROFF = PLACES["domain_acpi"], PLACES["domain_on_poweroff"]
MEM, DISK = PLACES["domain_suspend_to_mem"], PLACES["domain_suspend_to_disk"]
AGENT, DISPLAY = PLACES["domain_agent_channel"], PLACES["domain_display"]

ODD = """<?xml version="1.0"?>
<!-- before --><?before pi?>
<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' xmlns:x="urn:x"  x:note='a > b "/>"'>
  <name>gäst-日本-😀</name>
  <!-- <on_poweroff>restart</on_poweroff> -->
  <metadata xmlns:other="urn:other">
    <other:features><other:acpi/></other:features>
    <features xmlns="urn:mine"><acpi/><on_poweroff>restart</on_poweroff></features>
    <other:data other:tab='&#9;&#10;'
        a='&quot;&lt;'><![CDATA[<on_poweroff>restart</on_poweroff> ]] > &]]>\ttext &#xE9; </other:data>
    <?pi <features/> ?>
  </metadata>
  <os><type arch='x86_64' machine="pc">hvm</type></os>
  <on_poweroff  >\n restart <!-- why? --> </on_poweroff>
  <on_reboot>restart</on_reboot>
  <pm><suspend-to-mem   enabled = "yes"/></pm>
  <devices><channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>
    <video><model type='none'/></video>
  </devices>
  <qemu:commandline><qemu:arg value='-name'/><qemu:arg value="on_poweroff='restart' &gt;"/></qemu:commandline>
</domain>
<!-- after -->
"""


def definition(inner: str) -> str:
    """A definition with this in it."""
    return f"<domain type='kvm'>{inner}</domain>"


# ---- reading


@pytest.mark.parametrize(
    ("place", "inner", "data"),
    [
        (ACPI, "<features><acpi/></features>", PRESENT),
        (ACPI, "<features/>", None),
        (ACPI, "<features><apic/></features>", None),
        (ACPI, "<metadata><features><acpi/></features></metadata>", None),
        (ACPI, "<features xmlns='urn:x'><acpi/></features>", None),
        (ACPI, "<features/><features><acpi/></features>", PRESENT),
        (POWEROFF, "<on_poweroff> restart\n</on_poweroff>", "restart"),
        (POWEROFF, "<on_poweroff>re<!-- x --><![CDATA[start]]></on_poweroff>", "restart"),
        (POWEROFF, "<on_poweroff/>", ""),
        (POWEROFF, "<!-- <on_poweroff>restart</on_poweroff> -->", None),
        (MEM, "<pm><suspend-to-mem enabled='no'/></pm>", "no"),
        (MEM, "<pm><suspend-to-mem x:enabled='no' xmlns:x='urn:x'/></pm>", None),
        (MEM, "<pm><suspend-to-disk enabled='no'/></pm>", None),
        (AGENT, "<devices><channel><target name='org.qemu.guest_agent.0'/></channel></devices>", PRESENT),
        (AGENT, "<devices><channel><target name='com.redhat.spice.0'/></channel></devices>", None),
        (DISPLAY, "<devices><video><model type='qxl'/></video></devices>", "qxl"),
        (DISPLAY, "<devices><video/></devices>", None),
    ],
)
def test_what_is_there(place: DefinitionElement, inner: str, data: str | None) -> None:
    assert Document(definition(inner)).get(place) == data


def test_the_architecture() -> None:
    assert Document(ODD).architecture == "x86_64"
    assert Document(definition("<os/>")).architecture == ""


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not well-formed XML"),
        ("<domain>", "not well-formed XML"),
        ("<domain></domain><domain/>", "not well-formed XML"),
        ("<domain><a></domain>", "not well-formed XML"),
        ("<domain a='1' a='2'/>", "not well-formed XML"),
        ("<domain><x:a/></domain>", "not well-formed XML"),
        ("<domain>&e;</domain>", "not well-formed XML"),
        ("<domain>\x00</domain>", "not well-formed XML"),
        ("<domain>\ud800</domain>", "cannot be read"),
        ("<!DOCTYPE domain><domain/>", "document type declaration"),
        ("<!DOCTYPE domain [<!ENTITY e 'x'>]><domain>&e;</domain>", "document type declaration"),
        ("<!DOCTYPE d SYSTEM 'file:///etc/passwd'><domain/>", "document type declaration"),
        ("<network/>", "is a <network>, and must be a <domain>"),
        ("<domain xmlns='urn:x'/>", "must be a <domain>"),
        (definition("<a>" * 300 + "</a>" * 300), "more than 200 elements within each other"),
    ],
)
def test_what_is_no_definition_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(DefinitionError) as raised:
        Document(text)
    assert complaint in str(raised.value)


# ---- editing


def test_an_odd_definition_stays_as_it_is_elsewhere() -> None:
    document = Document(ODD)
    for place, data in (
        (POWEROFF, "destroy"),
        (MEM, "no"),
        (DISK, "no"),
        (ACPI, PRESENT),
        (AGENT, PRESENT),
        (DISPLAY, "vga"),
    ):
        document = document.with_data(place, data)
        assert document.get(place) == data
    expected = (
        ODD.replace("<on_poweroff  >\n restart <!-- why? --> </on_poweroff>", "<on_poweroff  >destroy</on_poweroff>")
        .replace('enabled = "yes"/></pm>', "enabled = 'no'/>\n    <suspend-to-disk enabled='no'/>\n  </pm>")
        .replace("<model type='none'/>", "<model type='vga'/>")
        .replace(
            "</video>\n  </devices>",
            "</video>\n    <channel type='unix'>\n      <target type='virtio' name='org.qemu.guest_agent.0'/>\n"
            "    </channel>\n  </devices>",
        )
        .replace(
            "</qemu:commandline>\n</domain>",
            "</qemu:commandline>\n  <features>\n    <acpi/>\n  </features>\n</domain>",
        )
    )
    assert document.text == expected


@pytest.mark.parametrize(
    ("place", "data", "before", "after"),
    [
        (POWEROFF, "destroy", "<on_poweroff/>", "<on_poweroff>destroy</on_poweroff>"),
        (POWEROFF, "destroy", "<on_poweroff />x", "<on_poweroff>destroy</on_poweroff>x"),
        (ACPI, PRESENT, "<features/>", "<features>\n    <acpi/>\n  </features>"),
        (ACPI, PRESENT, "<features></features>", "<features>\n    <acpi/>\n  </features>"),
        (ACPI, PRESENT, "<features>\n</features>", "<features>\n    <acpi/>\n</features>"),
        (ACPI, PRESENT, "<features><pae/></features>", "<features><pae/>\n    <acpi/>\n  </features>"),
        (ACPI, PRESENT, "<features><!-- x --> </features>", "<features><!-- x -->\n    <acpi/> </features>"),
        (ACPI, PRESENT, "<features><acpi/></features>", "<features><acpi/></features>"),
        (MEM, "no", "<pm><suspend-to-mem/></pm>", "<pm><suspend-to-mem enabled='no'/></pm>"),
        (MEM, "no", "<pm><suspend-to-mem b='1'></suspend-to-mem></pm>",
         "<pm><suspend-to-mem enabled='no' b='1'></suspend-to-mem></pm>"),
        (MEM, "no", """<pm><suspend-to-mem b="enabled='yes'" enabled='yes'/></pm>""",
         """<pm><suspend-to-mem b="enabled='yes'" enabled='no'/></pm>"""),
        (MEM, "no", "<pm><suspend-to-mem x:enabled='yes' xmlns:x='u'/></pm>",
         "<pm><suspend-to-mem enabled='no' x:enabled='yes' xmlns:x='u'/></pm>"),
        (DISPLAY, "vga", "<devices><video/></devices>",
         "<devices><video/>\n    <video>\n      <model type='vga'/>\n    </video>\n  </devices>"),
    ],
)  # fmt: skip
def test_edits(place: DefinitionElement, data: str, before: str, after: str) -> None:
    assert Document(definition(before)).with_data(place, data).text == definition(after)


@given(st.text(st.characters(blacklist_categories=("Cs", "Cc"))))
def test_data_is_never_taken_for_markup(text: str) -> None:
    """Only libvirt's words get here; the editor does not rely on it."""
    note = DefinitionElement((Step("note"),), "text")
    mark = DefinitionElement((Step("note"), Step("mark", new=(("by", text),))), "of")
    document = Document(definition("<note>old</note><a/>")).with_data(note, text).with_data(mark, text)
    root = ET.fromstring(document.text)
    assert [child.tag for child in root] == ["note", "a"]
    assert (root[0].text or "").strip() == text.strip()
    assert dict(root[0][0].attrib) == {"by": text, "of": text}
    assert Document(document.text).get(mark) == text


def test_a_long_definition_is_quick() -> None:
    """Some seconds, though it is parsed anew for every edit; anything quadratic would outlast every test's limit."""
    disks = "".join(
        f"<disk><target dev='sd{number}'/><serial>é&amp;{number}</serial></disk>\n" for number in range(20_000)
    )
    description = f"<description>{'ü&lt;&#10;' * 100_000}</description>"
    text = definition(f"{description}<on_poweroff>restart</on_poweroff><devices>{disks}</devices>")
    assert len(text.encode()) > 1_000_000
    document = Document(text)
    edited = document.with_data(POWEROFF, "destroy").with_data(MEM, "no").with_data(AGENT, PRESENT)
    assert lost(document, edited.text, [POWEROFF, MEM, AGENT]) == []
    assert "<on_poweroff>destroy<" in edited.text
    assert disks in edited.text and description in edited.text


parts = st.sampled_from(
    [
        *("<features/>", "<features><apic/></features>", "<features><acpi/></features>", "<pm/>"),
        *(
            "<pm><suspend-to-mem enabled='yes'/></pm>",
            "<on_poweroff>restart</on_poweroff>",
            "<on_poweroff/>",
            "<devices/>",
        ),
        *("<devices><video><model type='none'/></video></devices>", "<!-- c -->", "<?p i?>", "\n  ", " ü "),
        *("<![CDATA[</domain>]]>", "<x:features xmlns:x='urn:x'><x:acpi/></x:features>", "<a b='>'>&lt;</a>"),
    ]
)


@given(st.lists(parts, max_size=8), st.permutations(sorted(PLACES)))
def test_any_definition_can_be_mended_and_loses_nothing(inner: list[str], order: list[str]) -> None:
    """Elements in any order and number, with anything between them: each edit is seen, and is in nobody else's way."""
    before = document = Document(definition("".join(inner)))
    for name in order:
        document = document.with_data(PLACES[name], str(BY_ID[name].desired.data))
    for name in order:
        assert document.get(PLACES[name]) == BY_ID[name].desired.data
        assert document.with_data(PLACES[name], str(BY_ID[name].desired.data)).text == document.text, "it changed twice"
    own = list(PLACES.values())
    # Of several, the first counts to us and to libvirt; the others stay.
    assert lost(before, document.text, own) == []
    for kept in ("<!-- c -->", "<?p i?>", "<![CDATA[</domain>]]>", "<x:acpi/>", "<a b='>'>&lt;</a>", "<apic/>"):
        assert document.text.count(kept) == before.text.count(kept)


# ---- what is lost


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("", "", []),
        ("<pae/>", "", ["features/pae"]),
        ("<pae/>", "<pae/><apic/>", []),
        ("<vcpu>1</vcpu>", "<vcpu>2</vcpu>", ["vcpu"]),
        ("<vcpu>1</vcpu>", "", ["vcpu"]),
        ("<disk><target dev='b'/></disk>", "", ["devices/disk"]),
        ("<disk><target dev='b'/></disk>", '<disk> <target   dev="b"></target></disk>', []),
        ("<on_poweroff>restart</on_poweroff>", "<on_poweroff>destroy</on_poweroff>", []),
        ("type='kvm'", "type='qemu'", ["domain"]),
        ("<n:m n:a='1'>x</n:m>", "<n:m n:a='2'>x</n:m>", ["metadata"]),
        ("<channel><target name='spice'/></channel>", "", ["devices/channel"]),
    ],
)
def test_what_is_lost(old: str, new: str, missing: list[str]) -> None:
    text = (
        "<domain type='kvm'><metadata xmlns:n='urn:n'><n:m n:a='1'>x</n:m></metadata><vcpu>1</vcpu>"
        "<features><pae/></features><on_poweroff>restart</on_poweroff>"
        "<devices><disk><target dev='a'/></disk><disk><target dev='b'/></disk>"
        "<channel><target name='spice'/></channel></devices></domain>"
    )
    assert old in text
    changed = text.replace(old, new) if old else text
    found = lost(Document(text), changed, [POWEROFF, ACPI, AGENT])
    assert [re.sub(r"\{.*\}", "", name) for name in found] == missing
