import { make } from "./element.js";

const PARTS = [
  ["settings", "Saturation, fading, tone, model and working size"],
  ["hints", "Colours given"],
  ["alternative", "The alternative chosen"],
];

/** Carry the look of one photograph over to others. */
export function mount(element, store) {
  const parts = PARTS.map(([name, label]) => {
    const input = make("input", { type: "checkbox", name, checked: true });
    return make("label", { className: "tick" }, input, label);
  });
  const list = make("ul", { className: "others" });
  const carry = make("button", { type: "button", className: "main" });
  const back = make("button", { type: "button", hidden: true }, "Take it back");
  const [all, none] = ["All", "None"].map((name) => make("button", { type: "button" }, name));
  const said = make("p", { role: "status", className: "quiet" });
  const group = (name, ...children) =>
    make("fieldset", {}, make("legend", {}, name), ...children);
  const allOrNone = make("div", { className: "actions" }, all, none);
  element.append(
    make("h2", {}, "Carry over to a series"),
    make("div", { className: "actions" }, carry, back),
    said,
    make(
      "details",
      {},
      make("summary", {}, "What, and to which"),
      group("What", ...parts),
      group("To which", allOrNone, list),
    ),
  );
  let left = new Set(); // ids of photographs that it is not carried over to
  let before = []; // photographs as they were, to take the last carrying back

  const others = () =>
    store.get().photographs.filter(({ id, state }) => state === "ready" && id !== store.get().chosen);
  const meant = () => others().filter(({ id }) => !left.has(id));

  function show() {
    element.hidden = store.chosen()?.state !== "ready" || !others().length;
    const items = others();
    allOrNone.hidden = items.length < 3;
    if (items.map(({ id }) => id).join() !== list.dataset.ids) {
      list.dataset.ids = items.map(({ id }) => id).join();
      list.replaceChildren(...items.map(item));
    }
    for (const input of list.querySelectorAll("input")) input.checked = !left.has(input.value);
    const count = meant().length;
    carry.textContent = `Carry over to ${count === 1 ? "1 photograph" : `${count} photographs`}`;
    carry.disabled = !count;
  }

  function item({ id, view }) {
    const input = make("input", { type: "checkbox", value: id });
    input.addEventListener("change", () => {
      if (input.checked) left.delete(id);
      else left.add(id);
      show();
    });
    return make("li", {}, make("label", { className: "tick" }, input, make("span", {}, view.name)));
  }

  function carryOver() {
    const { look } = store.chosen();
    const on = parts.map((label) => label.firstChild).filter((input) => input.checked);
    const names = on.map((input) => input.name);
    before = meant();
    for (const { id } of before) store.change(id, (old) => merged(old, look, names));
    back.hidden = false;
    said.textContent = `${before.length === 1 ? before[0].view.name : `${before.length} photographs`} changed.`;
  }

  function takeBack() {
    for (const { id, look } of before) store.change(id, () => look);
    before = [];
    back.hidden = true;
    carry.focus();
    said.textContent = "Taken back.";
  }

  carry.addEventListener("click", carryOver);
  back.addEventListener("click", takeBack);
  all.addEventListener("click", () => {
    left = new Set();
    show();
  });
  none.addEventListener("click", () => {
    left = new Set(others().map(({ id }) => id));
    show();
  });
  store.subscribe(({ what }) => {
    if (what === "chosen") {
      said.textContent = "";
      back.hidden = true;
    }
    if (what !== "look") show();
  });
  show();
}

/** A look with the named parts of another. */
function merged(old, look, names) {
  const { alternative, ...settings } = look.options;
  return {
    options: {
      ...old.options,
      ...(names.includes("settings") ? settings : {}),
      ...(names.includes("alternative") ? { alternative } : {}),
    },
    hints: names.includes("hints") ? look.hints : old.hints,
  };
}
