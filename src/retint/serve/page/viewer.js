/** The photograph before and after, one over the other, with a line to move between them; close up
 * it is shown from its full size.
 *
 * For other modules: `overlay` is a layer over the picture that moves and grows with it; place its
 * children by percentages. It lets the pointer through, but for children that take it
 * (`pointer-events: auto`). `onPlace` tells where somebody clicked, or pressed Enter at the middle
 * of what is seen. `aim` makes clicks do that alone.
 */

import { createCamera } from "./camera.js";
import { listen, pointOf } from "./gestures.js";
import { createLayers } from "./layers.js";

export const overlay = document.createElement("div");
overlay.className = "overlay";

const GRIP = 22; // pixels to both sides of the line at which it can be gripped
const STILL = 150; // ms without a movement before the full size is asked for
const STEP = 0.15; // of what is seen, for an arrow key

const placed = new Set();
let stage;
let showing = () => {};

/** Call back with {x, y}, 0..1 across and down the upright picture; returns how to stop it. */
export function onPlace(callback) {
  placed.add(callback);
  return () => placed.delete(callback);
}

/** Say whether a click is waited for: the pointer shows it, and the line stays where it is. */
export function aim(on) {
  stage.classList.toggle("aiming", on);
}

/** Show on the picture where the model is unsure. */
export const showUnsure = (on) => showing(on);

export function mount(element, store, api) {
  stage = element.querySelector(".stage");
  const world = stage.querySelector(".world");
  const split = stage.querySelector(".split");
  const trouble = stage.querySelector(".trouble");
  const pages = element.querySelector(".pages");
  const camera = createCamera();
  const layers = createLayers(world, api);
  world.append(overlay);

  let photograph = null; // what is shown
  let page = 0;
  let shape = 1; // of the page that is drawn
  let unsure = false;
  let at = 0.5; // of what is seen of the picture, the line
  let leaving = new AbortController(); // of requests about the photograph shown before
  let loading = false;
  let again = false;
  let resting;

  store.subscribe(({ what }) => (what === "look" ? load() : open()));
  new ResizeObserver(draw).observe(stage);
  listenToPointers();
  stage.addEventListener("keydown", press);
  stage.addEventListener("wheel", wheel, { passive: false });
  split.addEventListener("input", () => pull(split.value / 100));
  element.querySelector(".zoom").addEventListener("click", ({ target }) => zoom(target.dataset.zoom));
  pages.addEventListener("click", ({ target }) => turn(Number(target.dataset.turn ?? 0)));
  showing = (on) => {
    unsure = on;
    load();
  };
  open();

  /** Show the chosen photograph, if it is another, or has become ready. */
  function open() {
    const chosen = store.chosen();
    if (chosen?.id === photograph?.id && chosen?.state === photograph?.state) return;
    photograph = chosen;
    page = 0;
    leave();
    camera.fit();
    describe();
    draw();
    load();
  }

  function leave() {
    leaving.abort();
    leaving = new AbortController();
    layers.clear();
  }

  function describe() {
    const { view, file, state, problem } = photograph ?? {};
    stage.dataset.state = state ?? "";
    complain(problem);
    element.querySelector(".name").textContent = view?.name ?? file?.name ?? "";
    element.querySelector(".facts").textContent = view ? `${view.width} × ${view.height}` : "";
    element.querySelector(".zoom").hidden = !view;
    overlay.hidden = page > 0; // places are those of the first
    pages.hidden = !(view?.pages > 1);
    pages.querySelector("output").textContent = `Page ${page + 1} of ${view?.pages}`;
  }

  function complain(problem) {
    trouble.textContent = problem ?? "";
    trouble.hidden = !problem;
  }

  function turn(by) {
    const next = page + by;
    if (!by || next < 0 || next >= photograph.view.pages) return;
    page = next;
    leave();
    describe();
    load();
  }

  /** Load what is to be seen; what changes meanwhile is loaded when that is there. */
  async function load() {
    again = true;
    if (loading) return;
    loading = true;
    while (again) {
      again = false;
      if (photograph?.state === "ready") await loadOnce(leaving.signal);
    }
    loading = false;
    stage.removeAttribute("aria-busy");
  }

  async function loadOnce(signal) {
    stage.setAttribute("aria-busy", "true");
    try {
      const current = store.find(photograph.id);
      await layers.load(current, { page, unsure, seen: camera.seen(), needed: needed() }, signal);
      if (signal.aborted) return;
      complain("");
      if (shapeOf(current.view) !== shape) draw();
    } catch (error) {
      if (error.name === "AbortError" || signal.aborted) return;
      complain(error.message);
    }
  }

  function needed() {
    return camera.longest() * devicePixelRatio;
  }

  /** Width over height of the page, upright; of further pages it is known from their picture. */
  function shapeOf({ width, height }) {
    return page ? layers.shape() : width / height;
  }

  /** Put everything where the camera says. */
  function draw() {
    const { view } = photograph ?? {};
    stage.classList.toggle("empty", !view);
    if (!view) return;
    shape = shapeOf(view);
    const longest = Math.max(view.width, view.height);
    const [wide, high] = [longest * Math.min(1, shape), longest / Math.max(1, shape)];
    camera.look(stage.clientWidth, stage.clientHeight, wide, high);
    const { left, top, width, height } = camera.place();
    Object.assign(world.style, { left: px(left), top: px(top), width: px(width), height: px(height) });
    element.style.setProperty("--shape", shape);
    stage.classList.toggle("close", camera.isClose());
    stage.classList.toggle("sharp", camera.scale() * devicePixelRatio > 3);
    const percent = Math.round(100 * camera.scale() * devicePixelRatio);
    element.querySelector(".zoom output").textContent = `${percent} %`;
    pull(at);
    clearTimeout(resting);
    resting = setTimeout(load, STILL);
  }

  /** Move the line to a share of what is seen of the picture. */
  function pull(share) {
    at = Math.min(1, Math.max(0, share));
    const { left, width } = camera.shown();
    const x = left + at * width;
    const place = camera.place();
    stage.style.setProperty("--line", px(x));
    world.style.setProperty("--line", `${(100 * (x - place.left)) / place.width}%`);
    if (document.activeElement !== split || Math.round(at * 100) !== Number(split.value)) {
      split.value = 100 * at;
    }
    const before = Math.round(100 * at);
    split.setAttribute("aria-valuetext", `${before} % before, ${100 - before} % after`);
    stage.dataset.ends = at < 0.12 ? "before" : at > 0.88 ? "after" : "";
  }

  function zoom(how, point) {
    const act = {
      in: () => camera.zoom(1.5, point),
      out: () => camera.zoom(1 / 1.5, point),
      fit: () => camera.fit(),
      full: () => camera.zoomTo(1 / devicePixelRatio, point),
    }[how];
    if (!act || !photograph?.view) return false;
    act();
    draw();
    return true;
  }

  function press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !photograph?.view) return;
    const { key } = event;
    const how = { "+": "in", "=": "in", "-": "out", 0: "fit", 1: "full" }[key];
    const step = {
      ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP],
    }[key];
    if (how) zoom(how);
    else if (event.target !== stage) return; // the line has arrows of its own, and marks too
    else if (step) {
      camera.moveBy(-step[0] * stage.clientWidth, -step[1] * stage.clientHeight);
      draw();
    } else if (key === "Enter") tellPlace(camera.at(stage.clientWidth / 2, stage.clientHeight / 2));
    else return;
    event.preventDefault();
  }

  function wheel(event) {
    const pageScrolls = document.documentElement.scrollHeight > innerHeight;
    if (!photograph?.view || (pageScrolls && !event.ctrlKey)) return;
    event.preventDefault();
    camera.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), pointOf(event, stage));
    draw();
  }

  function tellPlace(place) {
    if (overlay.hidden || place.x < 0 || place.x > 1 || place.y < 0 || place.y > 1) return;
    for (const callback of placed) callback(place);
  }

  /** One pointer pulls the line, or a picture that is larger than the stage; two zoom. */
  function listenToPointers() {
    let pulls = false;
    listen(stage, {
      begin(point, target) {
        if (!photograph?.view || target.closest(".overlay > *")) return false;
        const onLine = Math.abs(point.x - parseFloat(stage.style.getPropertyValue("--line"))) < GRIP;
        pulls = onLine || !camera.isClose();
        (pulls ? split : stage).focus({ preventScroll: true });
      },
      click(point) {
        tellPlace(camera.at(point.x, point.y));
        if (pulls && !stage.classList.contains("aiming")) pullTo(point);
      },
      drag(from, to) {
        if (pulls) return pullTo(to);
        camera.moveBy(to.x - from.x, to.y - from.y);
        draw();
      },
      pinch(from, to, factor) {
        camera.moveBy(to.x - from.x, to.y - from.y);
        camera.zoom(factor, to);
        draw();
      },
    });
  }

  function pullTo({ x }) {
    const { left, width } = camera.shown();
    pull((x - left) / width);
  }
}

const px = (value) => `${value}px`;
