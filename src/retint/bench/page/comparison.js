"use strict";
/* Two ways of colouring a picture, one over the other, with a line to move between them. */
const comparison = (() => {
  const at = (id) => document.getElementById(id);
  const dialog = at("comparison"), stage = dialog.querySelector(".stage");
  const divider = at("divider"), left = at("left"), right = at("right"), sure = at("confidence");
  const pictures = Object.keys(album).map(Number);
  let picture = null;

  const called = (key) => ({ true: "true colours", grey: "grey" })[key] ?? numbers.rows[key].name;
  const versions = () => Object.keys(album[picture].colours).sort((a, b) => rank(a) - rank(b));
  const rank = (key) => ({ true: -2, grey: -1 })[key] ?? Number(key);

  /* Open a picture, or go to it; the sides stay as they are where it has them. */
  function open(number, onRight) {
    picture = number;
    const keys = versions();
    fill(left, keys, left.value || "true", "true");
    fill(right, keys, onRight ?? right.value, keys.find((key) => rank(key) >= 0) ?? keys.at(-1));
    if (left.value === right.value) left.value = right.value === "true" ? "grey" : "true";
    at("versions").replaceChildren(...keys.map(version));
    at("comparison-file").textContent = numbers.files[number];
    at("comparison-place").textContent = `${pictures.indexOf(number) + 1} of ${pictures.length}`;
    show();
    if (!dialog.open) {
      dialog.showModal();
      divider.focus();
    }
  }

  function fill(select, keys, wanted, otherwise) {
    select.replaceChildren(...keys.map((key) => new Option(called(key), key)));
    select.value = keys.includes(wanted) ? wanted : otherwise;
  }

  function version(key) {
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.key = key;
    const image = Object.assign(new Image(), { src: album[picture].colours[key], alt: "" });
    const name = document.createElement("span");
    name.textContent = called(key);
    button.append(image, name);
    button.addEventListener("click", () => choose(key));
    return button;
  }

  function choose(key) {
    if (key === left.value) left.value = right.value;
    right.value = key;
    show();
  }

  function show() {
    const { colours, confidence } = album[picture];
    for (const [side, select] of [["left", left], ["right", right]]) {
      const image = at(side + "-image");
      image.src = colours[select.value];
      image.alt = `${numbers.files[picture]}, ${called(select.value)}`;
      at(side + "-says").textContent = figures(select.value);
    }
    stage.style.setProperty("--shape", album[picture].shape);
    const side = [right, left].find((one) => one.value in confidence);
    const key = side?.value;
    sure.disabled = !side;
    const seen = side && sure.getAttribute("aria-pressed") === "true";
    at("confidence-image").hidden = !seen;
    at("scale").hidden = !seen;
    if (seen) {
      const [low, high] = numbers.confidence[key];
      at("confidence-image").src = confidence[key];
      at("confidence-image").dataset.side = side.id;
      at("scale-low").textContent = `${called(key)} unsure ${low.toFixed(2)}`;
      at("scale-high").textContent = `${high.toFixed(2)} sure`;
    }
    for (const button of at("versions").children) {
      button.setAttribute("aria-pressed", String(button.dataset.key === right.value));
    }
    move();
  }

  /* What was measured of a colouring of this picture. */
  function figures(key) {
    if (key === "true") return "";
    const row = key === "grey" ? numbers.rows.findIndex((one) => one.kind === "grey") : Number(key);
    const k = numbers.charted.indexOf(row);
    return Object.entries(numbers.measures)
      .filter(([name]) => ["delta_e", "psnr", "colourfulness"].includes(name))
      .map(([name, one]) => [one, numbers.values[name][k]?.[picture] ?? null])
      .filter(([, value]) => value !== null)
      .map(([one, value]) => `${one.label} ${written(value, one)}`)
      .join(" · ");
  }

  function move() {
    stage.style.setProperty("--at", divider.value + "%");
    divider.setAttribute("aria-valuetext", `${divider.value} % ${called(left.value)}`);
  }

  function turn(by) {
    const place = (pictures.indexOf(picture) + by + pictures.length) % pictures.length;
    open(pictures[place]);
  }

  function follow(event) {
    const box = stage.getBoundingClientRect();
    divider.value = 100 * (event.clientX - box.left) / box.width;
    move();
  }

  function toggle() {
    if (sure.disabled) return;
    sure.setAttribute("aria-pressed", String(sure.getAttribute("aria-pressed") !== "true"));
    show();
  }

  function swap() {
    [left.value, right.value] = [right.value, left.value];
    show();
  }

  divider.addEventListener("input", move);
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    divider.focus({ preventScroll: true });
    follow(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) follow(event);
  });
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  sure.addEventListener("click", toggle);
  at("swap").addEventListener("click", swap);
  at("previous").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  at("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const keys = versions().filter((key) => rank(key) >= 0);
    const act = {
      PageUp: () => turn(-1), PageDown: () => turn(1), c: toggle, x: swap,
    }[event.key] ?? (keys[Number(event.key) - 1] && (() => choose(keys[Number(event.key) - 1])));
    if (!act) return;
    event.preventDefault();
    act();
  });
  return { open };
})();

function compare(picture, onRight) {
  comparison.open(picture, onRight);
}
