// The proof of work of the sender's page: runs by itself while the page is read. Whatever goes wrong, the button works
// without it: then a code is asked for.
"use strict";

const form = document.querySelector("[data-work]");
const button = form.querySelector("[data-ready]");
const status = form.querySelector("[data-status]");

let pressed = false;

function ready(payload, word) {
  form.elements.altcha.value = payload;
  button.removeAttribute("aria-disabled");
  status.textContent = status.dataset[word];
  if (pressed) form.requestSubmit(button);
}

function solve(asked) {
  const parts = Math.max(1, Math.min(4, navigator.hardwareConcurrency || 1));
  return new Promise((resolve, reject) => {
    const workers = Array.from({ length: parts }, () => new Worker(form.dataset.worker));
    const end = (settle, value) => {
      workers.forEach((worker) => worker.terminate());
      settle(value);
    };
    workers.forEach((worker, first) => {
      worker.onmessage = ({ data }) => end(resolve, data);
      worker.onerror = () => end(reject, new Error("the worker failed"));
      worker.postMessage({ parameters: asked.parameters, first, step: parts });
    });
  });
}

async function work() {
  const answer = await fetch(form.dataset.work, { method: "POST", credentials: "omit" });
  if (!answer.ok) throw new Error(`the page answered ${answer.status}`);
  const challenge = await answer.json();
  const solution = await solve(challenge);
  return btoa(JSON.stringify({ challenge, solution }));
}

if (window.isSecureContext && window.Worker) {
  // not `disabled`: a button that can't be reached is not read out
  button.setAttribute("aria-disabled", "true");
  status.textContent = status.dataset.busy;
  form.addEventListener("submit", (event) => {
    if (button.getAttribute("aria-disabled") !== "true") return;
    event.preventDefault();
    pressed = true; // it goes by itself as soon as the work is done
  });
  form.hidden = false;
  work().then((payload) => ready(payload, "done"), () => ready("", "failed"));
}
