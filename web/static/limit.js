// A form [data-limit] beside a histogram: its range moves the limit's line, and adds up what lies between the two limits.
"use strict";

for (const form of document.querySelectorAll("[data-limit]")) {
  const inForce = Number(form.dataset.limit);
  const bins = JSON.parse(form.dataset.bins);
  const range = form.querySelector("input[type=range]");
  const number = form.querySelector("input[type=number]");
  const said = form.querySelector("output");
  const line = form.closest("section").querySelector("line.limit");
  const shown = new Intl.NumberFormat(document.documentElement.lang);
  range.hidden = false;

  const move = (from) => {
    const value = Number(from.value);
    if (from.value === "" || !Number.isFinite(value)) return;
    for (const one of [range, number]) if (one !== from) one.value = from.value;
    const low = Number(range.min), high = Number(range.max);
    const place = (1000 * (Math.min(Math.max(value, low), high) - low)) / (high - low);
    for (const end of ["x1", "x2"]) line?.setAttribute(end, place.toFixed(1));
    const [first, last] = value < inForce ? [value, inForce] : [inForce, value];
    const counts = { "": 0, wanted: 0, unwanted: 0 };
    for (const [start, label, copies] of bins) if (start < last && start + 0.5 > first) counts[label] += copies;
    const text = value < inForce ? form.dataset.lower : form.dataset.higher;
    said.textContent = text
      .replace("{copies}", shown.format(counts[""] + counts.wanted + counts.unwanted))
      .replace("{wanted}", shown.format(counts.wanted))
      .replace("{unwanted}", shown.format(counts.unwanted));
  };
  range.addEventListener("input", () => move(range));
  number.addEventListener("input", () => move(number));
}
