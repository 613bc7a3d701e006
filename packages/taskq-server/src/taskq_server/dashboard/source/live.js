// A page that follows the work: it says whether it is live, and its regions are fetched again seldom.
//
// A region has `hx-trigger="refresh"` and says when to trigger it:
//   data-changes    JSON list of paths in the counts: when what they lead to has changed;
//   data-every      then not more often than so many seconds;
//   data-at-latest  after so many seconds in any case.
// Nothing is fetched while nobody looks, or while a reader is busy in the region.

const CHECK_MILLISECONDS = 1_000;
const CONNECT_AGAIN_MILLISECONDS = 5_000;
const BUSY_MILLISECONDS = 4_000;
const ASLEEP_MILLISECONDS = 20_000;
// What the server keeps of a read for its viewers may be older than a change, so it is asked twice.
const KEPT_MILLISECONDS = 6_000;

const source = document.getElementById("live");
const regions = new WeakMap();
let counts = null;
let connection = null;
let usedAt = 0;
let checkedAt = Date.now();

function say(state) {
  if (source.dataset.live !== state) {
    source.dataset.live = state;
  }
}

// Lists in the counts have members with names.
function at(path) {
  return path.reduce((value, name) => Array.isArray(value) ? value.find((each) => each.name === name) : value?.[name], counts);
}

function stateOf(region) {
  const known = regions.get(region) ?? { fetchedAt: Date.now(), changedAt: 0, seen: null };
  regions.set(region, known);
  return known;
}

function seconds(text) {
  return text === undefined ? Infinity : Number(text) * 1_000;
}

function noteChange(region) {
  const state = stateOf(region);
  const seen = JSON.stringify(JSON.parse(region.dataset.changes).map(at));
  if (state.seen !== null && seen !== state.seen) {
    state.changedAt = Date.now();
  }
  state.seen = seen;
}

function isDue(region, now) {
  const { fetchedAt, changedAt } = stateOf(region);
  const { every = "0", atLatest } = region.dataset;
  const hasChanged = fetchedAt < changedAt + KEPT_MILLISECONDS && now - fetchedAt >= seconds(every);
  return (changedAt > 0 && hasChanged) || now - fetchedAt >= seconds(atLatest);
}

function isBusyIn(region) {
  return Date.now() - usedAt < BUSY_MILLISECONDS && region.matches(":hover, :focus-within");
}

function fetchAgain(region) {
  stateOf(region).fetchedAt = Date.now();
  htmx.trigger(region, "refresh");
}

function allRegions() {
  return document.querySelectorAll("[data-changes], [data-at-latest]");
}

function check() {
  const now = Date.now();
  if (now - checkedAt > ASLEEP_MILLISECONDS) {
    // The machine has slept, and nobody has told this end that the connection is gone.
    connection?.reader?.cancel();
  }
  checkedAt = now;
  if (document.hidden) {
    return;
  }
  for (const region of allRegions()) {
    if (isDue(region, now) && !isBusyIn(region)) {
      fetchAgain(region);
    }
  }
}

let read;

// What lies in the middle of the window is what one reads: it stays there when the page grows above.
function remember() {
  const element = document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest("main section");
  read = element && { element, top: element.getBoundingClientRect().top };
}

function keepInPlace() {
  const { element, top } = read ?? {};
  if (element?.isConnected) {
    requestAnimationFrame(() => scrollBy(0, element.getBoundingClientRect().top - top));
  }
}

function catchUp() {
  if (!document.hidden) {
    setTimeout(() => connection?.delayCanceller?.());
    check();
  }
}

// What a reader has unfolded stays so when the region around it is new.
let unfolded = [];

function rememberUnfolded() {
  unfolded = [...document.querySelectorAll("main details[id][open]")].map((each) => each.id);
}

function unfold() {
  for (const id of unfolded) {
    document.getElementById(id)?.setAttribute("open", "");
  }
}

if (source) {
  document.addEventListener("stats", (event) => {
    counts = JSON.parse(event.detail.data);
    say("live");
    document.querySelectorAll("[data-changes]").forEach(noteChange);
    check();
  });
  document.addEventListener("unavailable", () => say("lost"));
  source.addEventListener("htmx:sse:before:connection", (event) => {
    // At first there is an answer already; later, this says that the next try comes.
    if (connection === event.detail.connection && !document.hidden) {
      say("lost");
    }
    connection = event.detail.connection;
  });
  source.addEventListener("htmx:sse:error", () => say("lost"));
  source.addEventListener("htmx:sse:close", () => say("lost"));
  for (const name of ["htmx:error", "htmx:response:error"]) {
    source.addEventListener(name, () => {
      say("lost");
      setTimeout(() => htmx.trigger(source, "connect"), CONNECT_AGAIN_MILLISECONDS);
    });
  }
}
for (const name of ["pointermove", "keydown"]) {
  document.addEventListener(name, () => { usedAt = Date.now(); }, { passive: true });
}
document.addEventListener("htmx:before:swap", rememberUnfolded);
// Both come before anybody sees the new region, or what htmx then sets back in it.
document.addEventListener("htmx:before:settle", unfold);
document.addEventListener("htmx:after:settle", unfold);
allRegions().forEach(stateOf);
document.addEventListener("htmx:before:swap", remember);
document.addEventListener("htmx:after:swap", keepInPlace);
document.addEventListener("visibilitychange", catchUp);
setInterval(check, CHECK_MILLISECONDS);
