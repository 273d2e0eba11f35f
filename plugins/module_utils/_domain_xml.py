# SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
# SPDX-License-Identifier: GPL-3.0-or-later

# PRIVATE to the collection winguest.shutdown: it may change at any time.

"""A domain's definition, read, and edited without touching anything but the elements that are meant. Pure.

Nothing is written out anew: an edit replaces, or puts in, the bytes of its own element, and all other bytes stay as
they were, whatever is in them (comments, CDATA, foreign namespaces). Elements of foreign namespaces are never taken for
libvirt's. Data gets into the text only as escaped text or attribute values.
"""

from __future__ import annotations

import collections
import re
import typing as t
import xml.etree.ElementTree as ET
from xml.parsers import expat

from ansible_collections.winguest.shutdown.plugins.module_utils._catalogue import (
    PRESENT,
    DefinitionElement,
    Step,
)

TEXT = "text"
DEEPEST = 200
"""Elements within elements; libvirt's own are fewer than ten deep."""

CONTAINERS = ("features", "devices", "pm")
"""Elements that hold parts of a definition which are compared one by one."""

# Not by xml.sax.saxutils, which imports all of http and ssl.
_IN_TEXT = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_IN_VALUE = {**_IN_TEXT, **str.maketrans({"'": "&apos;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})}

# Of a well-formed document only; "/" and ">" may be in an attribute's value.
_VALUE = r"""(?:"[^"]*"|'[^']*')"""
_OPENING = re.compile(rf"<[^\s/>]+(?:\s+[^\s=/>]+\s*=\s*{_VALUE})*\s*/?>".encode())
_ATTRIBUTE = re.compile(rf"(?P<name>[^\s=/>]+)\s*=\s*(?P<value>{_VALUE})".encode())


class DefinitionError(ValueError):
    """The text is no definition that could be read or edited; it says why."""


class Element:
    """An element and where it is in the bytes: its opening and, unless it is empty, its closing tag."""

    __slots__ = ("attributes", "children", "closes", "ends", "name", "opened", "opens", "parent", "texts")

    def __init__(self, name: str, attributes: dict[str, str], parent: Element | None, opens: int, opened: int) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.children: list[Element] = []
        self.texts: list[str] = []
        self.opens, self.opened = opens, opened
        self.closes = self.ends = opened

    @property
    def text(self) -> str:
        """Its own text, without that of its children."""
        return "".join(self.texts)

    @property
    def empty(self) -> bool:
        """Whether it is one tag."""
        return self.closes == self.ends

    def is_step(self, step: Step) -> bool:
        """Whether it is what the step means."""
        return self.name == step.name and all(self.attributes.get(name) == text for name, text in step.where)


class Document:
    """A definition. Raises DefinitionError for what is not well-formed, has a document type, or is no <domain>."""

    def __init__(self, text: str) -> None:
        try:
            self._bytes = text.encode()
        except UnicodeEncodeError as error:
            raise DefinitionError(f"the definition cannot be read: {error}") from error
        self._open: list[Element] = []
        self._roots: list[Element] = []
        # Names in a namespace become "URI name"; those of libvirt's own elements, which are in none, stay as they are.
        self._parser = expat.ParserCreate("utf-8", " ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse_document_type
        try:
            self._parser.Parse(self._bytes, True)
        except expat.ExpatError as error:
            raise DefinitionError(f"the definition is not well-formed XML: {error}") from error
        finally:
            del self._parser  # it and this object hold on to each other
        (self.root,) = self._roots
        if self.root.name != "domain":
            raise DefinitionError(f"the definition is a <{self.root.name}>, and must be a <domain>")

    @property
    def text(self) -> str:
        """The whole definition."""
        return self._bytes.decode()

    # ---- parsing

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= DEEPEST:
            raise DefinitionError(f"the definition has more than {DEEPEST} elements within each other")
        opens = self._parser.CurrentByteIndex
        match = _OPENING.match(self._bytes, opens)
        if match is None:
            raise DefinitionError(f"the tag at byte {opens} of the definition cannot be made out")
        parent = self._open[-1] if self._open else None
        element = Element(name, attributes, parent, opens, match.end())
        (parent.children if parent else self._roots).append(element)
        self._open.append(element)

    def _end(self, name: str) -> None:
        element = self._open.pop()
        if not self._bytes.endswith(b"/>", element.opens, element.opened):
            element.closes = self._parser.CurrentByteIndex
            element.ends = self._bytes.index(b">", element.closes) + 1

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].texts.append(text)

    def _refuse_document_type(self, *dummy: t.Any) -> None:
        raise DefinitionError("the definition has a document type declaration, which no definition needs")

    # ---- reading

    def find(self, steps: t.Sequence[Step]) -> Element | None:
        """The first element to which these steps lead from the root."""
        found = [self.root]
        for step in steps:
            named = (child for element in found for child in element.children if child.name == step.name)
            found = [child for child in named if child.is_step(step)]
        return found[0] if found else None

    def get(self, place: DefinitionElement) -> str | None:
        """What is there; None where nothing is."""
        element = self.find(place.steps)
        if element is None:
            return None
        if not place.content:
            return PRESENT
        return element.text.strip() if place.content == TEXT else element.attributes.get(place.content)

    @property
    def architecture(self) -> str:
        """The guest's processor, as libvirt calls it; empty where it is not told."""
        element = self.find((Step("os"), Step("type")))
        return element.attributes.get("arch", "") if element else ""

    # ---- editing

    def with_data(self, place: DefinitionElement, data: str) -> Document:
        """The definition with this data at the place."""
        element = self.find(place.steps)
        if element is None:
            return self._with_new(place, data)
        if place.content == TEXT:
            return self._with_content(element, data.translate(_IN_TEXT))
        return self._with_attribute(element, place.content, data) if place.content else self

    def _replaced(self, begin: int, end: int, text: str) -> Document:
        return Document((self._bytes[:begin] + text.encode() + self._bytes[end:]).decode())

    def _with_content(self, element: Element, content: str) -> Document:
        """All that is between its tags, comments too, is replaced."""
        if not element.empty:
            return self._replaced(element.opened, element.closes, content)
        return self._opened(element, content)

    def _opened(self, element: Element, content: str) -> Document:
        """An element that was one tag, with content."""
        tag = self._bytes[element.opens : element.opened].decode()
        written = re.match(r"<([^\s/>]+)", tag)
        name = written[1] if written else element.name
        return self._replaced(element.opens, element.opened, f"{tag[:-2].rstrip()}>{content}</{name}>")

    def _with_attribute(self, element: Element, name: str, text: str) -> Document:
        after_name = re.compile(rb"<[^\s/>]+").match(self._bytes, element.opens)
        at = after_name.end() if after_name else element.opened
        for match in _ATTRIBUTE.finditer(self._bytes, at, element.opened):
            if match["name"] == name.encode():
                return self._replaced(*match.span("value"), _quoted(text))
        return self._replaced(at, at, f" {name}={_quoted(text)}")

    def _with_new(self, place: DefinitionElement, data: str) -> Document:
        """The element that is missing, in an element of the root that may be missing, too.

        What is deeper is always new: another device of the same name is another device.
        """
        first, *others = place.steps
        outer = self.find((first,)) if others else None
        steps = others if outer else list(place.steps)
        parent = outer or self.root
        depth = 1 if parent is self.root else 2
        indent = "\n" + "  " * depth
        content = _new(steps, place.content, data, depth)
        if parent.empty:
            return self._opened(parent, f"{indent}{content}{indent[:-2]}")
        # Before the line end and the blanks that are before the closing tag.
        at = parent.opened + len(self._bytes[parent.opened : parent.closes].rstrip(b" \t\r\n"))
        rest = "" if at < parent.closes else indent[:-2]
        return self._replaced(at, at, f"{indent}{content}{rest}")


def _quoted(text: str) -> str:
    """An attribute's value, in libvirt's quotes."""
    return f"'{text.translate(_IN_VALUE)}'"


def _new(steps: t.Sequence[Step], content: str, data: str, depth: int) -> str:
    """New elements, one in the other, the last of which has the data."""
    step, *others = steps
    attributes = [*step.new, *step.where]
    if not others and content not in ("", TEXT):
        attributes.append((content, data))
    tag = f"{step.name}{''.join(f' {name}={_quoted(text)}' for name, text in attributes)}"
    if others:
        indent = "\n" + "  " * (depth + 1)
        return f"<{tag}>{indent}{_new(others, content, data, depth + 1)}{indent[:-2]}</{step.name}>"
    return f"<{tag}>{data.translate(_IN_TEXT)}</{step.name}>" if content == TEXT else f"<{tag}/>"


def lost(before: Document, after: str, edited: t.Sequence[DefinitionElement]) -> list[str]:
    """What of a definition is not there any more afterwards, other than the places that were to be edited.

    What came along with an edit (libvirt adds the controller that a new device needs, and addresses) is not looked at.
    """
    own = {place.steps[0].name for place in edited}
    own |= {"/".join(step.name for step in place.steps[:2]) for place in edited if before.find(place.steps)}
    missing = _parts(before.text) - _parts(after)
    return sorted({name for name, dummy in missing if name not in own})


def _parts(text: str) -> collections.Counter[tuple[str, str]]:
    """The parts of a definition, each with its path and in canonical form."""
    parser = ET.XMLParser(target=ET.TreeBuilder(insert_comments=True, insert_pis=True))
    parser.feed(text)
    root = parser.close()
    parts = collections.Counter([("domain", str(sorted(root.attrib.items())))])
    for child in root:
        inner = list(child) if child.tag in CONTAINERS else []
        parts.update((f"{child.tag}/{element.tag}", _canonical(element)) for element in inner)
        if not inner:
            parts[str(child.tag), _canonical(child)] += 1
    return parts


def _canonical(element: ET.Element) -> str:
    element.tail = None
    tag: t.Any = element.tag
    if not isinstance(tag, str):  # a comment or a processing instruction
        return str(element.text)
    return ET.canonicalize(ET.tostring(element, encoding="unicode"), with_comments=True, strip_text=True)
