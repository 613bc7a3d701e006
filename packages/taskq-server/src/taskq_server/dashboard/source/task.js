// The page of a task: it follows the task, and nothing that one reads moves or closes meanwhile.

const AGAIN_MILLISECONDS = 3_000;
const COPIED_MILLISECONDS = 2_000;
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
  if (asking === follow || asking.matches?.("#task, #progress")) {
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

document.addEventListener("click", copy);
if (follow) {
  document.addEventListener("htmx:before:swap", remember);
  document.addEventListener("htmx:after:swap", swapped);
  document.addEventListener("htmx:error", again);
  document.addEventListener("htmx:response:error", again);
  follow.addEventListener("htmx:sse:error", () => show("stale", true));
  follow.addEventListener("htmx:sse:after:connection", () => show("stale", false));
  follow.addEventListener("gone", () => { show("gone", true); show("stale", false); });
}
