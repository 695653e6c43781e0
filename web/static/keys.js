// Keys for the list and the page of a message: what they do is what the buttons and links with data-key do.
"use strict";

const rows = [...document.querySelectorAll("ol [data-row]")];

function current() {
  return document.activeElement.closest("[data-row]") || (rows.length ? null : document.querySelector("[data-row]"));
}

function go(step) {
  const at = rows.indexOf(current());
  const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  next.querySelector("[data-open]").focus();
}

// What a key stands for: in the row where one is, else on the page, never in another row.
function meant(key) {
  const select = `[data-key="${CSS.escape(key)}"]`;
  const elsewhere = [...document.querySelectorAll(select)].find((one) => !one.closest("ol [data-row]"));
  return current()?.querySelector(select) || elsewhere;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  if (event.target.matches("input:not([type=radio], [type=checkbox]), select, textarea")) return;
  if (rows.length && (event.key === "j" || event.key === "k")) {
    event.preventDefault();
    go(event.key === "j" ? 1 : -1);
    return;
  }
  if (event.key === "t" && current()?.querySelector("[data-one]")) {
    current().querySelector("[data-one]").click();
    return;
  }
  const found = meant(event.key);
  if (!found) return;
  event.preventDefault();
  if (found.matches("input")) {
    found.focus();
  } else {
    found.click();
  }
});

for (const help of document.querySelectorAll("[data-keys]")) help.hidden = false;
