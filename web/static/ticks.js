// The tick boxes of the list: a box for many ticks each of them, and the page says how many are ticked. Without this
// script the boxes for many work all the same: the form names what was shown.
"use strict";

const all = document.querySelector("[data-all]");
const groups = [...document.querySelectorAll("[data-group]")];
const ones = [...document.querySelectorAll("[data-one]")];
const told = document.querySelector("[data-ticked]");

function of(group) {
  return ones.filter((one) => one.dataset.one === group.dataset.group);
}

function show() {
  for (const group of groups) group.checked = of(group).every((one) => one.checked);
  const ticked = ones.filter((one) => one.checked).length;
  all.checked = ticked === ones.length;
  all.indeterminate = ticked > 0 && !all.checked;
  told.textContent = ticked ? told.dataset.ticked.replace("%", String(ticked)) : "";
}

if (all) {
  all.addEventListener("change", () => {
    for (const one of ones) one.checked = all.checked;
    show();
  });
  for (const group of groups) {
    group.addEventListener("change", () => {
      for (const one of of(group)) one.checked = group.checked;
      show();
    });
  }
  for (const one of ones) one.addEventListener("change", show);
  show(); // a browser may have kept the boxes of a reload
}
