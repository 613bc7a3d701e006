// The page of a task: it follows the task, and nothing that one reads moves or closes meanwhile.

const AGAIN_MILLISECONDS = 3_000;
const ASLEEP_MILLISECONDS = 20_000;
const CHECK_MILLISECONDS = 1_000;
const COPIED_MILLISECONDS = 2_000;
const MINUTE_MILLISECONDS = 60_000;
const follow = document.getElementById("follow");

// Parts of the page are exchanged in place; which details are open is the reader's choice.
globalThis.htmx?.config.morphIgnore.push("open");

let read;

// What lies in the middle of the window is what one reads.
function remember() {
  const middle = document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest("#task details, #task section");
  read = middle && { element: middle, top: middle.getBoundingClientRect().top };
}

function keepInPlace() {
  const { element, top } = read ?? {};
  if (element?.isConnected) {
    requestAnimationFrame(() => scrollBy(0, element.getBoundingClientRect().top - top));
  }
}

function show(id, isShown) {
  const element = document.getElementById(id);
  if (element) {
    element.hidden = !isShown;
  }
}

// A part that did not come is asked for again, and so is a stream that did not begin.
function again(event) {
  const asking = event.target;
  if (asking === follow || asking.id === "task") {
    show("stale", true);
    setTimeout(() => asking.isConnected && htmx.trigger(asking, "again"), AGAIN_MILLISECONDS);
  }
}

function swapped(event) {
  if (event.target !== follow) {
    show("stale", false);
  }
  keepInPlace();
}

async function copy(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) {
    return;
  }
  const text = button.textContent;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = text; }, COPIED_MILLISECONDS);
}

let connection;
let checkedAt = Date.now();

function noteConnection(event) {
  connection = event.detail.connection;
  show("stale", false);
}

function check() {
  const now = Date.now();
  if (now - checkedAt > ASLEEP_MILLISECONDS) {
    // The machine has slept, and nobody has told this end that the connection is gone.
    connection?.reader?.cancel();
  }
  checkedAt = now;
}

// The form holds times as UTC; the field shows them in the reader's zone.
function showInZone(sent) {
  const shown = sent.cloneNode();
  const moment = new Date(`${sent.value}Z`);
  shown.removeAttribute("name");
  if (sent.value) {
    const local = new Date(moment - moment.getTimezoneOffset() * MINUTE_MILLISECONDS);
    shown.value = local.toISOString().slice(0, -1);
  }
  sent.type = "hidden";
  sent.before(shown);
  shown.addEventListener("change", () => {
    sent.value = shown.value ? new Date(shown.value).toISOString().slice(0, -1) : "";
  });
}

document.querySelectorAll("[data-utc]").forEach(showInZone);
document.querySelectorAll("[data-zone]").forEach((each) => {
  each.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
});
document.addEventListener("click", copy);
if (follow) {
  setInterval(check, CHECK_MILLISECONDS);
  document.addEventListener("htmx:before:swap", remember);
  document.addEventListener("htmx:after:swap", swapped);
  document.addEventListener("htmx:error", again);
  document.addEventListener("htmx:response:error", again);
  follow.addEventListener("htmx:sse:error", () => show("stale", true));
  follow.addEventListener("htmx:sse:after:connection", noteConnection);
  follow.addEventListener("gone", () => { show("gone", true); show("stale", false); });
}
