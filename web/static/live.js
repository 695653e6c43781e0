// A page whose [data-live] is "yes" tells of work under way: that part is fetched anew until it says "no".
"use strict";

const SECONDS = 1;

async function look() {
  const before = document.querySelector("[data-live]");
  if (!before || before.dataset.live !== "yes") return;
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    if (answer.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const after = page.querySelector("[data-live]");
      if (after && !before.contains(document.activeElement)) before.replaceWith(after);
    }
  } catch {
    // the next look may find it again
  }
  setTimeout(look, SECONDS * 1000);
}

setTimeout(look, SECONDS * 1000);
