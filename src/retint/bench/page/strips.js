"use strict";
/* Every picture a dot on its contestant's line: values, and differences from one contestant. */
{
  const ROW = 62, LABEL = 17;
  const measures = document.getElementById("measure");
  const against = document.getElementById("against");
  const probe = document.getElementById("probe");
  const charts = [document.getElementById("spread-strips"), document.getElementById("difference-strips")];
  let picture = null;

  const measure = () => numbers.measures[measures.value];
  const lines = () => numbers.charted
    .map((row, k) => ({ row, k, values: numbers.values[measures.value][k] }))
    .filter((line) => line.values);

  /* How another lies above the one it is compared with, picture by picture. */
  function differences() {
    const from = numbers.charted.indexOf(Number(against.value));
    const base = numbers.values[measures.value][from];
    if (!base) return [];
    return lines().filter((line) => line.k !== from).map((line) => ({
      ...line,
      values: line.values.map((value, i) => value === null || base[i] === null ? null : value - base[i]),
      mean: numbers.differences[measures.value][line.k][from],
    }));
  }

  function render(holder, rows, reference) {
    const width = holder.clientWidth;
    if (!width) return;
    const tall = rows.length * ROW + 26;
    const all = rows.flatMap((line) => line.values);
    const x = axis(reference ? [...all, 0] : all, 8, width - 8, 0.02);
    const svg = draw(document.createDocumentFragment(), "svg", {
      viewBox: `0 0 ${width} ${tall}`, width, height: tall, role: "img", "aria-label": said(rows, reference),
    });
    for (const tick of x.ticks) {
      draw(svg, "path", { class: "grid", d: `M${x.place(tick).toFixed(1)} 4V${tall - 22}` });
      draw(svg, "text", { class: "x", x: x.place(tick), y: tall - 6 }, x.label(tick));
    }
    if (reference) draw(svg, "path", { class: "nought", d: `M${x.place(0).toFixed(1)} 4V${tall - 22}` });
    rows.forEach((line, i) => strip(draw(svg, "g", { class: tint(line.row) }), line, x, i * ROW, width, reference));
    draw(svg, "g", { class: "marked" });
    holder.replaceChildren(svg);
    holder.view = { x, rows };
    mark(holder);
  }

  function strip(group, line, x, top, width, reference) {
    draw(group, "text", { class: "name", x: 8, y: top + 13 }, numbers.rows[line.row].name);
    draw(group, "text", { class: "sum", x: width - 8, y: top + 13 }, reference ? compared(line) : median(line));
    const dots = { dots: "", "dots open": "" };
    line.values.forEach((value, i) => {
      if (value !== null) dots[i in album ? "dots open" : "dots"] += `M${x.place(value).toFixed(1)} ${height(top, i).toFixed(1)}h.01`;
    });
    const size = Math.max(3, Math.min(7, 60 / Math.sqrt(line.values.length)));
    for (const [name, d] of Object.entries(dots)) draw(group, "path", { class: name, d, "stroke-width": size });
    const under = top + ROW - 8;
    if (reference && line.mean && line.mean[1] !== null) {
      draw(group, "path", { class: "mean", d: `M${x.place(line.mean[1])} ${under}H${x.place(line.mean[2])}` });
      draw(group, "circle", { class: "centre", cx: x.place(line.mean[0]), cy: under, r: 4.5 });
    } else if (!reference) {
      const [low, middle, high] = quartiles(line.values).map(x.place);
      draw(group, "path", { class: "half", d: `M${low} ${under}H${Math.max(low, middle - 1.5)}M${Math.min(high, middle + 1.5)} ${under}H${high}` });
    }
  }

  /* Where on its line a picture's dot is: equally high on every one. */
  const height = (top, i) => top + LABEL + 5 + ((i * 0.618034) % 1) * 25;

  function quartiles(values) {
    const sorted = values.filter((value) => value !== null).sort((a, b) => a - b);
    return [0.25, 0.5, 0.75].map((share) => {
      const at = share * (sorted.length - 1), below = Math.floor(at);
      return sorted[below] + (at - below) * ((sorted[below + 1] ?? sorted[below]) - sorted[below]);
    });
  }

  const median = (line) => "median " + written(quartiles(line.values)[1], measure());

  /* A difference in words: the mean, its range, and how often it is the better one. */
  function compared(line) {
    if (!line.mean) return "";
    const [value, low, high] = line.mean;
    const there = line.values.filter((one) => one !== null);
    const lower = there.filter((one) => one < 0).length / there.length;
    const better = measure().better === "low" ? lower : measure().better === "high" ? 1 - lower : null;
    const often = better === null ? "" : `, better on ${Math.round(100 * better)} %`;
    return `${written(value, measure(), true)} (${written(low, measure(), true)} … ${written(high, measure(), true)})${often}`;
  }

  function said(rows, reference) {
    const of = (line) => `${numbers.rows[line.row].name}: ${reference ? compared(line) : median(line)}`;
    const what = reference ? `${measure().label} less that of ${numbers.rows[against.value].name}` : measure().label;
    return `${what} of every picture. ${rows.map(of).join("; ")}.`;
  }

  /* The pictures in the order of the first line; the probe walks through it. */
  function order() {
    const values = lines()[0]?.values ?? [];
    return values.map((_, i) => i).filter((i) => values[i] !== null).sort((a, b) => values[a] - values[b]);
  }

  function mark(holder) {
    const layer = holder.querySelector(".marked");
    if (!layer) return;
    layer.replaceChildren();
    if (picture === null) return;
    holder.view.rows.forEach((line, i) => {
      if (line.values[picture] === null) return;
      draw(layer, "circle", { cx: holder.view.x.place(line.values[picture]), cy: height(i * ROW, picture), r: 6 });
    });
  }

  function look(at) {
    picture = at;
    probe.value = order().indexOf(at);
    const found = lines().map((line) => `${numbers.rows[line.row].name} ${written(line.values[at], measure())}`);
    const text = `${numbers.files[at]}: ${found.slice(0, 8).join(", ")}${found.length > 8 ? ", …" : ""}`;
    document.getElementById("probe-says").textContent = text;
    probe.setAttribute("aria-valuetext", text);
    document.getElementById("probe-open").disabled = !(at in album);
    charts.forEach(mark);
  }

  /* The picture whose dot is nearest to a pointer; one that can be opened wins over others. */
  function nearest(holder, event) {
    const box = holder.getBoundingClientRect();
    const { x, rows } = holder.view;
    const [h, v] = [event.clientX - box.left, event.clientY - box.top];
    const i = Math.floor(v / ROW);
    let found = null, least = 14;
    rows[i]?.values.forEach((value, k) => {
      if (value === null) return;
      const far = Math.hypot(h - x.place(value), v - height(i * ROW, k)) - (k in album ? 4 : 0);
      if (far < least) [found, least] = [k, far];
    });
    return found;
  }

  function all() {
    const reference = numbers.rows[against.value];
    document.getElementById("differences-hint").textContent =
      `${measure().label} of each less that of ${reference.name}, on the same picture: left of nought is lower. ` +
      "The bar is the 95 % range of the mean; one that holds nought says that the two cannot be told apart.";
    probe.max = Math.max(0, order().length - 1);
    render(charts[0], lines(), false);
    render(charts[1], differences(), true);
    if (picture !== null) look(picture);
  }

  if (measures && numbers.charted.length) {
    for (const [name, one] of Object.entries(numbers.measures)) measures.add(new Option(one.label, name));
    for (const row of numbers.charted) against.add(new Option(numbers.rows[row].name, row));
    against.value = numbers.charted.find((row) => numbers.rows[row].kind === "grey") ?? numbers.charted[0];
    measures.addEventListener("change", all);
    against.addEventListener("change", all);
    for (const event of ["input", "focus"]) probe.addEventListener(event, () => look(order()[probe.value]));
    document.getElementById("probe-open").addEventListener("click", () => compare(picture));
    for (const holder of charts) {
      holder.addEventListener("pointermove", (event) => {
        const found = nearest(holder, event);
        holder.style.cursor = found !== null && found in album ? "pointer" : "";
        if (found !== null) look(found);
      });
      holder.addEventListener("click", (event) => {
        const found = nearest(holder, event);
        if (found === null) return;
        look(found);
        if (found in album) compare(found);
      });
      fitted(holder, all);
    }
    document.getElementById("probe-open").disabled = true;
  }
}
