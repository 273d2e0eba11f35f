// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

// Elements are made here and nowhere else, and text gets into them as text only.

const SVG = "http://www.w3.org/2000/svg";

// Characters that cannot be seen, that turn the text around them, or that are half of one: shown as what they are.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\p{Surrogate}]/gu;

function readable(text) {
  return String(text).replace(UNSEEN, (found) => "\\u" + found.charCodeAt(0).toString(16).padStart(4, "0"));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, listener);
      }
    } else if (name === "style") {
      for (const [property, text] of Object.entries(value)) {
        element.style.setProperty(property, text);
      }
    } else {
      element.setAttribute(name, value === true ? "" : readable(value));
    }
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      element.append(child instanceof Node ? child : document.createTextNode(readable(child)));
    }
  }
  return element;
}

function make(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function icon(name, kind) {
  const use = fill(document.createElementNS(SVG, "use"), { href: "#" + name }, []);
  return fill(document.createElementNS(SVG, "svg"), { class: "icon " + kind, "aria-hidden": "true" }, [use]);
}

function list(value) {
  return Array.isArray(value) ? value : [];
}
