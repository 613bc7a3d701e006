// Lists of tasks: filters, the selection, rows by keys, and a hint when tasks have changed.

const CHORD_MILLISECONDS = 1_500;
const HINT_MILLISECONDS = 2_000;

// An address holds times as UTC; the field shows them in the reader's zone.
function localText(text) {
  const moment = new Date(text);
  if (Number.isNaN(moment.getTime())) {
    return "";
  }
  const shifted = new Date(moment.getTime() - moment.getTimezoneOffset() * 60_000);
  return shifted.toISOString().slice(0, shifted.getUTCSeconds() ? 19 : 16);
}

function offerPicker(sent) {
  if (sent.value && !localText(sent.value)) {
    return; // what was refused stays as it was written
  }
  const shown = document.createElement("input");
  shown.type = "datetime-local";
  shown.step = "any";
  shown.value = localText(sent.value);
  sent.type = "hidden";
  sent.before(shown);
  shown.addEventListener("change", () => {
    sent.value = shown.value ? new Date(shown.value).toISOString() : "";
  });
}

function leaveOutEmpty(event) {
  for (const [name, value] of [...event.formData]) {
    if (value === "") {
      const kept = event.formData.getAll(name).filter((each) => each !== "");
      event.formData.delete(name);
      kept.forEach((each) => event.formData.append(name, each));
    }
  }
}

const form = document.getElementById("selection");
const boxes = form ? [...form.querySelectorAll('input[name="id"]')] : [];
const all = form?.querySelector("[data-select-all]");
let lastBox = null;

function showSelection() {
  const amount = boxes.filter((box) => box.checked).length;
  all.checked = amount === boxes.length;
  all.indeterminate = amount > 0 && amount < boxes.length;
  const group = form.querySelector("[data-selected]");
  group.querySelector("[data-amount]").textContent = `: ${amount}`;
  group.querySelectorAll("button").forEach((button) => { button.disabled = amount === 0; });
}

function selectRange(event) {
  const box = event.target;
  if (event.shiftKey && lastBox && lastBox !== box) {
    const [first, last] = [boxes.indexOf(lastBox), boxes.indexOf(box)].sort((a, b) => a - b);
    boxes.slice(first, last + 1).forEach((each) => { each.checked = box.checked; });
  }
  lastBox = box;
  showSelection();
}

function selectAll() {
  boxes.forEach((box) => { box.checked = all.checked; });
  showSelection();
}

let chordUntil = 0;

function isTyping(target) {
  return target.closest("input:not([type=checkbox]), textarea, select, dialog[open]") !== null;
}

function goThroughRows(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) {
    return;
  }
  if (event.timeStamp < chordUntil || event.key === "g") {
    chordUntil = event.key === "g" ? event.timeStamp + CHORD_MILLISECONDS : 0;
    return;
  }
  const links = [...form.querySelectorAll("tbody th[scope=row] a")];
  const at = links.findIndex((link) => link.closest("tr").contains(document.activeElement));
  if (event.key === "j") {
    links[Math.min(at + 1, links.length - 1)].focus();
  } else if (event.key === "k") {
    links[Math.max(at - 1, 0)].focus();
  } else if (event.key === "x" && at >= 0) {
    links[at].closest("tr").querySelector('input[name="id"]')?.click();
  }
}

// What a list of some queues and statuses is made of; a page and an event tell it alike.
function summary(queues, source) {
  const wanted = { queues: JSON.parse(source.dataset.queues), statuses: JSON.parse(source.dataset.statuses) };
  return queues
    .filter((queue) => !wanted.queues.length || wanted.queues.includes(queue.name))
    .flatMap((queue) => Object.entries(queue.tasks)
      .filter(([status, amount]) => amount && (!wanted.statuses.length || wanted.statuses.includes(status)))
      .map(([status, amount]) => `${queue.name} ${status} ${amount}`))
    .sort().join("\n");
}

let hintTimer = 0;

// The first event may be older than the page by what the server keeps of a read, so it is given time.
function hintAtChanges(event) {
  const source = event.target.closest?.("[data-seen]");
  if (!source) {
    return;
  }
  const hint = document.querySelector(".changes a");
  const now = summary(JSON.parse(event.detail.data).queues, source);
  clearTimeout(hintTimer);
  if (now === summary(JSON.parse(source.dataset.seen), source)) {
    hint.hidden = true;
  } else {
    hintTimer = setTimeout(() => { hint.hidden = false; }, HINT_MILLISECONDS);
  }
}

// A hidden tab asks for nothing; the next beat after it is shown again does.
function pauseHidden(event) {
  if (document.hidden && event.target.closest?.("[data-live]")) {
    event.preventDefault();
  }
}

document.querySelectorAll("input[data-moment]").forEach(offerPicker);
document.getElementById("filters")?.addEventListener("formdata", leaveOutEmpty);
document.addEventListener("stats", hintAtChanges);
document.addEventListener("htmx:before:request", pauseHidden);
if (form) {
  document.addEventListener("keydown", goThroughRows);
}
if (all && boxes.length) {
  all.hidden = false;
  boxes.forEach((box) => box.addEventListener("click", selectRange));
  all.addEventListener("change", selectAll);
  window.addEventListener("pageshow", showSelection); // a browser that goes back keeps the ticks
  showSelection();
}
