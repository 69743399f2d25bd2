"use strict";
/* Vividness against error: each row a dot with its ranges, grey and the truth beside them. */
{
  const holder = document.getElementById("tradeoff");
  const dots = numbers.charted
    .map((row) => ({ row, ...numbers.rows[row] }))
    .filter((one) => one.vivid && one.delta_e);

  function render() {
    const width = holder.clientWidth, height = Math.round(Math.min(520, Math.max(340, width * 0.62)));
    const left = 46, right = width - 14, top = 14, bottom = height - 44;
    const x = axis([0, 1.15, numbers.vivid[1], ...dots.flatMap((one) => one.vivid)], left, right, 0.04);
    const y = axis(dots.flatMap((one) => one.delta_e), bottom, top, 0.12);
    const svg = draw(document.createDocumentFragment(), "svg", {
      viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": said(),
    });
    const [from, to] = numbers.vivid.map(x.place);
    draw(svg, "rect", { class: "band", x: from, y: top, width: to - from, height: bottom - top });
    for (const tick of y.ticks) {
      draw(svg, "path", { class: "grid", d: `M${left} ${y.place(tick)}H${right}` });
      draw(svg, "text", { class: "y", x: left - 7, y: y.place(tick) + 4 }, y.label(tick));
    }
    for (const tick of x.ticks) draw(svg, "text", { class: "x", x: x.place(tick), y: bottom + 17 }, x.label(tick));
    draw(svg, "text", { class: "x", x: (left + right) / 2, y: height - 8 }, "colourfulness, times the truth’s");
    draw(svg, "text", { class: "x", x: 12, y: (top + bottom) / 2, transform: `rotate(-90 12 ${(top + bottom) / 2})` }, "mean dE");
    draw(svg, "path", { class: "true", d: `M${x.place(1)} ${top}V${bottom}` });
    draw(svg, "text", { class: "x true", x: x.place(1), y: bottom - 18 }, "truth");
    draw(svg, "text", { class: "x true", x: x.place(1), y: bottom - 5 }, y.low > 0 ? "↓ dE 0" : "");
    const grey = dots.find((one) => one.kind === "grey");
    if (grey) draw(svg, "path", { class: "reference", d: `M${left} ${y.place(grey.delta_e[0])}H${right}` });

    const taken = dots.map((one) => box(x.place(one.vivid[0]) - 6, y.place(one.delta_e[0]) - 6, 12, 12));
    taken.push(box(x.place(1) - 24, bottom - 32, 48, 32));
    for (const one of dots) {
      const [h, v] = [x.place(one.vivid[0]), y.place(one.delta_e[0])];
      const group = draw(svg, "g", { class: tint(one.row) });
      draw(group, "title", {}, `${one.name}: ${one.vivid[0].toFixed(2)} times as colourful, dE ${one.delta_e[0].toFixed(2)}`);
      if (one.vivid[1] !== null) draw(group, "path", { class: "whisker", d: `M${x.place(one.vivid[1])} ${v}H${x.place(one.vivid[2])}` });
      if (one.delta_e[1] !== null) draw(group, "path", { class: "whisker", d: `M${h} ${y.place(one.delta_e[1])}V${y.place(one.delta_e[2])}` });
      draw(group, one.kind === "folder" ? "rect" : "circle",
        one.kind === "folder" ? { x: h - 4.5, y: v - 4.5, width: 9, height: 9 } : { cx: h, cy: v, r: 5 });
    }
    holder.replaceChildren(svg);
    for (const one of dots) name(svg, one, x.place(one.vivid[0]), y.place(one.delta_e[0]), taken, { left, right, top, bottom });
  }

  const box = (x, y, width, height) => ({ x, y, width, height });
  const meet = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

  /* A name beside its dot, at the first place that is free; without one the dot keeps its title. */
  function name(svg, one, h, v, taken, within) {
    const label = draw(svg, "text", { class: "name" }, one.name.length > 26 ? one.name.slice(0, 25) + "…" : one.name);
    const { width } = label.getBBox();
    for (const [dx, dy] of [[10, -9], [-10 - width, -9], [10, 17], [-10 - width, 17], [10, 4], [-10 - width, 4], [-width / 2, -14], [-width / 2, 22]]) {
      const place = box(h + dx, v + dy - 12, width, 15);
      const inside = place.x > within.left - 4 && place.x + width < within.right + 8 && place.y > within.top - 10 && place.y + 15 < within.bottom;
      if (!inside || taken.some((other) => meet(place, other))) continue;
      label.setAttribute("x", place.x);
      label.setAttribute("y", place.y + 12);
      taken.push(place);
      return;
    }
    label.remove();
  }

  function said() {
    const points = dots.map((one) => `${one.name}: ${one.vivid[0].toFixed(2)} times as colourful as the truth, dE ${one.delta_e[0].toFixed(2)}`);
    return "Colourfulness against error. " + points.join("; ") + ".";
  }

  if (holder) fitted(holder, render);
}
