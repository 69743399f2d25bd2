"use strict";
/* What all charts are drawn with; places are in pixels of the page. */
/* A new element with attributes, in `parent`; text is set as text. */
function draw(parent, name, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return parent.appendChild(made);
}

/* An axis over values: place(value), ticks, label(tick). `room` widens it by a share of its range. */
function axis(values, start, end, room = 0) {
  let low = Infinity, high = -Infinity;
  for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (!(low < high)) [low, high] = Number.isFinite(low) ? [low - 0.5, low + 0.5] : [0, 1];
  const more = room * (high - low);
  low -= more;
  high += more;
  const most = Math.max(2, Math.min(6, Math.abs(end - start) / 70));
  const rough = (high - low) / most, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((s) => s >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i <= Math.floor(high / step); i++) ticks.push(i * step);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    low, high, start, end, ticks,
    place: (value) => start + (end - start) * (value - low) / (high - low),
    label: (tick) => tick.toFixed(digits).replace("-", "−"),
  };
}

/* Draw now, and again when the width changes. */
function fitted(holder, render) {
  let width = 0;
  new ResizeObserver(() => {
    if (holder.clientWidth === width || !holder.clientWidth) return;
    width = holder.clientWidth;
    render();
  }).observe(holder);
}
