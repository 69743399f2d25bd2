import { USUAL, css, word } from "./colours.js";
import { make } from "./element.js";
import { Marks } from "./marks.js";
import { Picker } from "./picker.js";
import * as reference from "./reference.js";
import { colourAt, lightnessAt } from "./sample.js";

const RADIUS = 0.02; // of a new place, in shares of the longer side
const MIDDLE = 60; // lightness
const PAUSE = 250; // ms after the last movement, before the network is asked

/** Give colours to places of the picture: marks over it, a picker and palettes beside it. */
export function mount(element, store, api, viewer) {
  const page = build(element);
  const marks = new Marks(viewer.overlay, { choose, move, remove, take, cancel });
  const picker = new Picker(page.picker, (ab) => edit(ab));
  const known = new Map(); // lightness of places, as far as they were looked at
  let chosen = null; // number of a mark
  let dropping = false; // whether the next place gives its colour to the chosen mark
  let edited = null; // hints that are being moved, of the photograph that is looked at
  let timer = 0;

  const photograph = () => store.chosen();
  const hints = () => edited ?? photograph()?.look.hints ?? [];
  const takesHints = (one) => Boolean(store.model(one.look.options.model)?.hints);

  function show() {
    const one = photograph();
    element.hidden = one?.state !== "ready";
    const able = !element.hidden && takesHints(one);
    if (!able || !(chosen < hints().length)) chosen = null;
    if (chosen === null) dropping = false;
    if (!dropping) marks.lift();
    viewer.aim(able);
    page.able.hidden = !able;
    page.unable.hidden = able || element.hidden;
    if (!page.unable.hidden) page.unable.textContent = whyNot(store);
    const shown = able ? hints().map((hint, n) => ({ ...hint, L: lightness(one, hint, n) })) : [];
    marks.show(shown.map(coloured), chosen, one?.view);
    showList(shown);
    page.chosen.hidden = chosen === null;
    page.from.setAttribute("aria-pressed", String(dropping));
    if (chosen === null) return;
    picker.show(shown[chosen]);
    page.radius.value = Math.round(1000 * shown[chosen].radius);
    showUsual(shown[chosen].L);
  }

  function showList(shown) {
    page.list.hidden = !shown.length;
    while (page.list.children.length > shown.length) page.list.lastChild.remove();
    while (page.list.children.length < shown.length) {
      const n = page.list.children.length;
      const button = chip("", () => choose(n));
      page.list.append(make("li", {}, button));
    }
    shown.forEach((hint, n) => {
      const button = page.list.children[n].firstChild;
      button.setAttribute("aria-pressed", String(n === chosen));
      button.firstChild.style.background = css(hint);
      button.lastChild.textContent = `${n + 1} ${word(hint)}`;
    });
  }

  function showUsual(L) {
    USUAL.forEach((usual, n) => {
      page.usual.children[n].querySelector(".swatch").style.background = css({ L, ...usual });
    });
  }

  /** Lightness of a hint's place; until it is known, and where it only passes by, that before. */
  function lightness(one, { x, y, radius }, n) {
    const key = `${one.id} ${x} ${y} ${radius}`;
    if (!known.has(key)) {
      const before = known.get(`${one.id} ${n}`) ?? MIDDLE;
      if (edited) return before;
      known.set(key, before);
      lightnessAt(api, one, { x, y }, radius).then(
        (L) => {
          known.set(key, L);
          show();
        },
        () => known.delete(key),
      );
    }
    known.set(`${one.id} ${n}`, known.get(key));
    return known.get(key);
  }

  /** Put other hints into the look, as one step. */
  function settle(next) {
    clearTimeout(timer);
    edited = null;
    store.change(photograph().id, (look) => ({ ...look, hints: next }));
  }

  /** Change the chosen hint at once for the eye, and for the network when it rests. */
  function edit(change) {
    edited = hints().map((hint, n) => (n === chosen ? rounded({ ...hint, ...change }) : hint));
    clearTimeout(timer);
    timer = setTimeout(() => settle(edited), PAUSE);
    show();
  }

  const flush = () => edited && settle(edited);

  async function place(where) {
    const one = photograph();
    if (one?.state !== "ready" || !takesHints(one)) return;
    if (dropping) return take(where);
    flush();
    await add(one, where);
  }

  /** A new hint, which holds the colour that is there until another is picked. */
  async function add(one, where) {
    say("");
    try {
      const { a, b } = await colourAt(api, one, where, RADIUS);
      if (photograph()?.id !== one.id) return;
      dropping = false;
      chosen = hints().length;
      settle([...hints(), rounded({ ...where, a, b, radius: RADIUS })]);
      marks.focus(chosen);
      page.chosen.scrollIntoView({ block: "nearest" });
      say(`Colour ${chosen + 1} placed. Pick its colour.`);
    } catch (error) {
      say(error.message);
    }
  }

  async function take(where) {
    const one = photograph();
    cancel();
    try {
      const { a, b } = await colourAt(api, one, where, hints()[chosen].radius);
      if (photograph()?.id === one.id && chosen !== null) pick({ a, b });
    } catch (error) {
      say(error.message);
    }
  }

  function cancel() {
    dropping = false;
    say("");
    show();
    marks.focus(chosen);
  }

  function choose(n) {
    flush();
    chosen = n;
    show();
  }

  function move(n, where) {
    if (n !== chosen) choose(n);
    edit(where);
  }

  function remove(n) {
    const left = hints().toSpliced(n, 1);
    chosen = left.length ? Math.min(n, left.length - 1) : null;
    settle(left);
    if (left.length) marks.focus(chosen);
    else page.add.focus();
    say(`Colour ${n + 1} removed.`);
  }

  function pick({ a, b }) {
    if (chosen === null) return say("Click an object in the picture first.");
    edit({ a, b });
    flush();
  }

  const say = (text) => (page.said.textContent = text);

  page.add.addEventListener("click", () => {
    flush();
    add(photograph(), { x: 0.5, y: 0.5 });
  });
  page.from.addEventListener("click", () => {
    if (dropping) return cancel();
    dropping = true;
    show();
    marks.drop(hints()[chosen]);
    say("Click where the colour is, or move the mark with the arrow keys and press Enter.");
  });
  page.remove.addEventListener("click", () => remove(chosen));
  page.radius.addEventListener("input", () => edit({ radius: page.radius.value / 1000 }));
  page.usual.append(...USUAL.map((usual) => make("li", {}, chip(usual.name, () => pick(usual)))));
  reference.mount(page.reference, api, pick);
  viewer.onPlace(place);
  store.subscribe(({ what, id }) => {
    if (what === "chosen" || what === "list") chosen = null;
    if (what !== "state" && (what !== "look" || id === photograph()?.id)) {
      clearTimeout(timer); // what was being moved belongs to a look that is gone
      edited = null;
    }
    show();
  });
  show();
}

const coloured = (hint) => ({ ...hint, colour: css(hint), name: word(hint) });

const digits = (value, n) => Math.round(value * 10 ** n) / 10 ** n;
const rounded = ({ x, y, a, b, radius }) => ({
  x: digits(x, 4), y: digits(y, 4), a: digits(a, 2), b: digits(b, 2), radius: digits(radius, 4),
});

/** A button of a colour and a word for it. */
function chip(name, pressed) {
  const swatch = make("span", { className: "swatch", "aria-hidden": "true" });
  const button = make("button", { type: "button", className: "chip" }, swatch, make("span", {}, name));
  button.addEventListener("click", pressed);
  return button;
}

/** Why colours cannot be given, in a sentence. */
function whyNot(store) {
  const able = store.models.filter((model) => model.hints).map((model) => model.name);
  if (!able.length) return "No model of this service takes colours from you.";
  return `This model takes no colours from you: choose ${able.join(" or ")} in the settings.`;
}

/** The section's parts by their names. */
function build(element) {
  const page = {
    able: make("div"),
    unable: make("p", { className: "quiet", hidden: true }),
    add: make("button", { type: "button" }, "Add a colour in the middle"),
    said: make("p", { role: "status", className: "quiet" }),
    list: make("ul", { className: "chips", "aria-label": "Colours given" }),
    chosen: make("div", { className: "chosen", hidden: true }),
    picker: make("div", { className: "picker" }),
    from: make("button", { type: "button" }, "From the picture"),
    remove: make("button", { type: "button" }, "Remove"),
    radius: make("input", { type: "range", min: 5, max: 200, step: 1, title: "How far around the mark the colour is given" }),
    usual: make("ul", { className: "chips", "aria-label": "Usual colours" }),
    reference: make("div", { className: "reference" }),
  };
  const how = "Click an object in the picture, then pick its colour. Marks can be moved.";
  page.chosen.append(
    page.picker,
    make("label", {}, "Size ", page.radius),
    make("div", { className: "actions" }, page.from, page.remove),
    make("h3", {}, "Usual colours"),
    page.usual,
  );
  page.able.append(
    make("p", { className: "quiet" }, how),
    make("div", { className: "actions" }, page.add),
    page.list,
    page.said,
    page.chosen,
    page.reference,
  );
  element.append(make("h2", {}, "Correct a colour"), page.able, page.unable);
  return page;
}
