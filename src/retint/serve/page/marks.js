import { make } from "./element.js";
import { unflung } from "./gestures.js";

const STEP = 0.01; // of a key, in shares of the picture; with Shift a fifth of it
const STILL = 4; // pixels within which a pointer was not moved

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const share = (value) => Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;

/** Marks over the picture where colours are given: buttons that are moved by pointer and arrows.
 *
 * Calls choose(n), move(n, {x, y}), remove(n), and take({x, y}) or cancel() of the dropper.
 */
export class Marks {
  #buttons = [];
  #reach = make("span", { className: "reach", hidden: true });
  #dropper = null;

  constructor(overlay, calls) {
    this.overlay = overlay;
    this.calls = calls;
    overlay.append(this.#reach);
  }

  /** Show hints, each {x, y, radius, colour, name}; `chosen` is the number of one, or null. */
  show(hints, chosen, view) {
    while (this.#buttons.length > hints.length) this.#buttons.pop().remove();
    while (this.#buttons.length < hints.length) this.#add(this.#buttons.length);
    hints.forEach((hint, n) => {
      const button = this.#buttons[n];
      if (!button.matches(".moving")) put(button, hint);
      button.style.setProperty("--colour", hint.colour);
      button.setAttribute("aria-pressed", String(n === chosen));
      button.setAttribute("aria-label", `Colour ${n + 1}: ${hint.name}, ${where(hint)}`);
    });
    const reached = hints[chosen];
    this.#reach.hidden = !reached;
    if (!reached) return;
    put(this.#reach, reached);
    const longer = Math.max(view.width, view.height);
    this.#reach.style.width = `${(200 * reached.radius * longer) / view.width}%`;
    this.#reach.style.height = `${(200 * reached.radius * longer) / view.height}%`;
  }

  focus(n) {
    this.#buttons[Math.min(n, this.#buttons.length - 1)]?.focus({ preventScroll: true });
  }

  /** A mark that is moved to where a colour shall be taken from. */
  drop(place) {
    this.lift();
    this.#dropper = make("button", { type: "button", className: "mark dropper" });
    const name = () => `Take the colour ${where(this.#dropper.place)}`;
    const move = () => this.#dropper.setAttribute("aria-label", name());
    put(this.#dropper, place);
    move();
    this.#dropper.title = "Arrow keys move it, Enter takes the colour, Escape leaves it";
    movable(this.#dropper, this.overlay, move);
    this.#dropper.addEventListener("click", () => this.calls.take(this.#dropper.place));
    this.#dropper.addEventListener("keydown", ({ key }) => key === "Escape" && this.calls.cancel());
    this.overlay.append(this.#dropper);
    this.#dropper.focus({ preventScroll: true });
  }

  /** Take that mark away again. */
  lift() {
    this.#dropper?.remove();
    this.#dropper = null;
  }

  #add(n) {
    const button = make("button", { type: "button", className: "mark" }, String(n + 1));
    button.title = "Drag it or use the arrow keys to move it, Delete to remove it";
    movable(button, this.overlay, () => {
      put(this.#reach, button.place);
      this.calls.move(n, button.place);
    });
    button.addEventListener("click", () => this.calls.choose(n));
    button.addEventListener("keydown", (event) => {
      if (event.key !== "Delete" && event.key !== "Backspace") return;
      event.preventDefault();
      this.calls.remove(n);
    });
    this.#buttons.push(button);
    this.overlay.append(button);
  }
}

const where = ({ x, y }) => `${Math.round(100 * x)} % across, ${Math.round(100 * y)} % down`;

function put(element, { x, y }) {
  element.place = { x, y };
  element.style.left = `${100 * x}%`;
  element.style.top = `${100 * y}%`;
}

/** Let an element of a layer be dragged and moved by arrow keys; `moved` is called at the end of a
 * drag and at each key. The layer's own gestures see nothing of it. */
function movable(element, layer, moved) {
  let start = null;
  let dragged = false;
  unflung(element);
  element.addEventListener("pointerdown", (event) => {
    event.stopPropagation();
    dragged = false;
    if (event.button) return;
    start = event;
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => {
    event.stopPropagation();
    if (!start) return;
    dragged ||= Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > STILL;
    if (!dragged) return;
    element.classList.add("moving");
    const box = layer.getBoundingClientRect();
    put(element, {
      x: share((event.clientX - box.x) / box.width),
      y: share((event.clientY - box.y) / box.height),
    });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    element.addEventListener(end, (event) => {
      event.stopPropagation();
      start = null;
      element.classList.remove("moving");
      if (dragged) moved();
    });
  }
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    if (dragged) event.stopImmediatePropagation(); // a mouse's drag ends in a click, which is none
    dragged = false;
  });
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    event.stopPropagation();
    const arrow = ARROWS[event.key];
    if (!arrow) return;
    event.preventDefault();
    const step = event.shiftKey ? STEP / 5 : STEP;
    const { x, y } = element.place;
    put(element, { x: share(x + step * arrow[0]), y: share(y + step * arrow[1]) });
    moved();
  });
}
