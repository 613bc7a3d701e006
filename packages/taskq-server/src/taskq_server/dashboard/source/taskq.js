// What all pages do: times in the reader's zone, live counts, confirmations, keys, and the way to the sign-in.

const absolute = new Intl.DateTimeFormat(document.documentElement.lang, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always", style: "short" });
const number = new Intl.NumberFormat("en");
const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];
const TICK_MILLISECONDS = 1_000;
const CHORD_MILLISECONDS = 1_500;
const SETTLED_MILLISECONDS = 5_000;
const UNAUTHENTICATED = 401;

function age(moment) {
  const seconds = (moment - Date.now()) / 1_000;
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? UNITS.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

function showTime(element) {
  const moment = new Date(element.dateTime);
  const text = element.dataset.time === "age" ? age(moment) : absolute.format(moment);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function showTimes(root) {
  root.querySelectorAll("time[data-time]").forEach(showTime);
}

function tick() {
  if (!document.hidden) {
    document.querySelectorAll('time[data-time="age"]').forEach(showTime);
  }
}

let latest = null;

// A path like ["queues", "default", "depth"] leads through the event's JSON; lists have named members.
function showCounts(counts) {
  for (const element of document.querySelectorAll("[data-count]")) {
    const value = JSON.parse(element.dataset.count)
      .reduce((at, name) => Array.isArray(at) ? at.find((each) => each.name === name) : at?.[name], counts);
    element.textContent = number.format(value ?? 0);
  }
}

const confirmation = document.getElementById("confirm");

function askFirst(event) {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!question || form.dataset.confirmed) {
    return;
  }
  event.preventDefault();
  document.getElementById("confirm-text").textContent = question;
  confirmation.returnValue = "no";
  confirmation.addEventListener("close", () => {
    if (confirmation.returnValue === "yes") {
      form.dataset.confirmed = "yes";
      form.requestSubmit(event.submitter);
      delete form.dataset.confirmed; // a browser that goes back may show this very page
    }
  }, { once: true });
  confirmation.showModal();
}

let chordUntil = 0;

function isTyping(target) {
  return target.closest("input, textarea, select, [contenteditable], dialog[open]") !== null;
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) {
    return;
  }
  if (event.timeStamp < chordUntil) {
    chordUntil = 0;
    document.querySelector(`header nav a[data-key="${CSS.escape(event.key)}"]`)?.click();
  } else if (event.key === "g") {
    chordUntil = event.timeStamp + CHORD_MILLISECONDS;
  } else if (event.key === "?") {
    document.getElementById("shortcuts").showModal();
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("main :is(input:not([type=hidden]), select, textarea)")?.focus();
  }
}

// Who has signed out elsewhere, or whose key has ended, sees nothing more; never in a loop of reloads.
function signInAgain({ detail }) {
  const status = detail.status ?? detail.ctx?.response?.status;
  if (status === UNAUTHENTICATED && performance.now() > SETTLED_MILLISECONDS) {
    location.reload();
  }
}

showTimes(document);
setInterval(tick, TICK_MILLISECONDS);
document.addEventListener("htmx:after:swap", () => {
  showTimes(document);
  if (latest) {
    showCounts(latest); // a part of a page may have been read a moment before
  }
});
document.addEventListener("visibilitychange", tick);
document.addEventListener("stats", (event) => {
  latest = JSON.parse(event.detail.data);
  showCounts(latest);
});
for (const name of ["unavailable", "htmx:sse:error"]) {
  document.addEventListener(name, () => { latest = null; });
}
document.addEventListener("submit", askFirst);
document.addEventListener("keydown", press);
for (const name of ["htmx:sse:error", "htmx:error", "htmx:response:error"]) {
  document.addEventListener(name, signInAgain);
}
