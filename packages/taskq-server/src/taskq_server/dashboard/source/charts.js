// Charts: lines over time, in the colours and dashes that the style sheet gives their keys.

const HEIGHT = 170;
const POINTS_FOR_AREA = 1;
const clock = new Intl.DateTimeFormat(document.documentElement.lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = new Intl.NumberFormat("en");
const short = new Intl.NumberFormat("en", { notation: "compact" });
const NOTHING = "\u2013";
const drawn = new Map();

function text(value) {
  return value == null ? NOTHING : whole.format(value);
}

function styleOf(key) {
  const style = getComputedStyle(key);
  const dash = style.strokeDasharray === "none" ? [] : style.strokeDasharray.split(/[ ,]+/).map(parseFloat);
  return { stroke: style.color, dash };
}

function latest(values) {
  return values.findLast((value) => value != null);
}

// Shows the values of one moment, or the latest ones, beside the keys of the lines.
function showValues(figure, times, lines, index) {
  const values = lines.map((line) => index == null ? latest(line) : line[index]);
  figure.querySelectorAll("[data-chart-value]").forEach((element, i) => { element.textContent = text(values[i]); });
  const known = values.filter((value) => value != null);
  figure.querySelector("[data-chart-sum]").textContent = text(known.length ? known.reduce((a, b) => a + b) : null);
  figure.querySelector("[data-chart-time]").textContent = index == null ? "" : clock.format(times[index] * 1_000);
}

function options(plot, figure, times, lines) {
  const page = getComputedStyle(document.documentElement);
  const axis = { stroke: page.getPropertyValue("--pico-muted-color"), font: "11px system-ui, sans-serif", grid: { stroke: page.getPropertyValue("--grid"), width: 1 }, ticks: { show: false } };
  const keys = [...figure.querySelectorAll(".key")].map(styleOf);
  return {
    width: Math.max(plot.clientWidth, 120),
    height: HEIGHT,
    padding: [10, 10, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: "hour" } },
    scales: { y: { range: (u, low, high) => [0, Math.max(high ?? 0, 1) * 1.08] } },
    axes: [
      { ...axis, space: 70, size: 26, values: (u, splits) => splits.map((split) => clock.format(split * 1_000)) },
      { ...axis, size: 42, space: 26, incrs: [1, 2, 5].flatMap((n) => [...Array(10).keys()].map((e) => n * 10 ** e)).sort((a, b) => a - b), values: (u, splits) => splits.map((split) => short.format(split)) },
    ],
    series: [{}, ...keys.map(({ stroke, dash }, i) => ({
      stroke,
      dash,
      width: 2,
      fill: keys.length === POINTS_FOR_AREA ? alpha(stroke) : undefined,
      points: { show: (u) => hasLonelyPoint(lines[i]), size: 4 },
    }))],
    hooks: { setCursor: [(u) => showValues(figure, times, lines, u.cursor.idx)] },
  };
}

// A line needs two values beside one another.
function hasLonelyPoint(values) {
  return values.some((value, i) => value != null && values[i - 1] == null && values[i + 1] == null);
}

function alpha(colour) {
  return colour.replace("rgb(", "rgba(").replace(")", ", 0.12)");
}

function draw(plot) {
  const figure = plot.closest("figure");
  const { times, lines } = JSON.parse(plot.dataset.chart);
  drawn.get(plot)?.destroy();
  drawn.set(plot, new uPlot(options(plot, figure, times, lines), [times, ...lines], plot));
  showValues(figure, times, lines, null);
  sizes.observe(plot);
}

function drawAll() {
  for (const [plot, chart] of drawn) {
    if (!plot.isConnected) {
      chart.destroy();
      drawn.delete(plot);
      sizes.unobserve(plot);
    }
  }
  document.querySelectorAll("[data-chart]").forEach((plot) => {
    if (!drawn.has(plot)) {
      draw(plot);
    }
  });
}

const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const chart = drawn.get(target);
    if (chart && target.clientWidth && chart.width !== target.clientWidth) {
      chart.setSize({ width: target.clientWidth, height: HEIGHT });
    }
  }
});

drawAll();
// The new region is there, and nobody has seen it yet; "htmx:after:swap" comes a frame later.
document.addEventListener("htmx:before:settle", drawAll);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => [...drawn.keys()].forEach(draw));
