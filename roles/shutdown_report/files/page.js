// SPDX-FileCopyrightText: 2026 The winguest.shutdown contributors
// SPDX-License-Identifier: GPL-3.0-or-later

"use strict";

{
  const report = JSON.parse(document.getElementById("document").textContent);
  const table = new Guests(report);
  document.getElementById("head").append(...heading(report));
  document.getElementById("summary").append(...summary(report, table));
  document.getElementById("guests").append(table.element);
}
