import { cartesian, css, has, polar, toCodes, within, word } from "./colours.js";
import { make } from "./element.js";
import { unflung } from "./gestures.js";

const REACH = 100; // of a* and b* either way
const SIDE = 181; // pixels of the plane

/** A colour picker in Lab: the colours that there are at one lightness, as a plane, and as hue and
 * strength for the keyboard. Calls changed({a, b}) while it is moved. */
export class Picker {
  #lab = { L: NaN, a: 0, b: 0 };

  constructor(element, changed) {
    this.changed = changed;
    this.canvas = make("canvas", { width: SIDE, height: SIDE });
    this.point = make("span", { className: "point" });
    this.plane = make("div", { className: "plane", "aria-hidden": "true" }, this.canvas, this.point);
    this.hue = make("input", { type: "range", className: "hue", min: 0, max: 359, step: 1 });
    this.chroma = make("input", { type: "range", className: "chroma", min: 0, max: REACH, step: 1 });
    this.swatch = make("span", { className: "swatch large", "aria-hidden": "true" });
    this.name = make("span", { className: "name" });
    element.append(
      this.plane,
      make("p", { className: "picked" }, this.swatch, this.name),
      make("label", {}, "Hue ", this.hue),
      make("label", {}, "Strength ", this.chroma),
    );
    for (const range of [this.hue, this.chroma]) range.addEventListener("input", () => this.#slid());
    unflung(this.plane);
    this.plane.addEventListener("pointerdown", (event) => {
      this.plane.setPointerCapture(event.pointerId);
      this.#pointed(event);
    });
    this.plane.addEventListener("pointermove", (event) => {
      if (this.plane.hasPointerCapture(event.pointerId)) this.#pointed(event);
    });
  }

  /** Show a Lab colour. */
  show(lab) {
    if (lab.L !== this.#lab.L) draw(this.canvas, lab.L);
    const { hue, chroma } = polar(lab);
    const moved = Math.hypot(lab.a - this.#lab.a, lab.b - this.#lab.b) > 0.05;
    if (moved && chroma > 0.5) this.hue.value = hue; // a grey keeps the hue that it came from
    if (moved) this.chroma.value = chroma;
    this.#lab = lab;
    this.#tell();
  }

  #pointed({ clientX, clientY }) {
    const box = this.plane.getBoundingClientRect();
    const a = REACH * ((2 * (clientX - box.x)) / box.width - 1);
    const b = -REACH * ((2 * (clientY - box.y)) / box.height - 1);
    const ab = within({ L: this.#lab.L, a, b });
    this.show({ ...this.#lab, ...ab });
    this.changed(ab);
  }

  #slid() {
    const ab = cartesian({ hue: Number(this.hue.value), chroma: Number(this.chroma.value) });
    this.#lab = { ...this.#lab, ...ab };
    this.#tell();
    this.changed(ab);
  }

  #tell() {
    const { L, a, b } = this.#lab;
    const name = word(this.#lab);
    const hue = Number(this.hue.value);
    this.swatch.style.background = css(this.#lab);
    this.name.textContent = `${name} (L* ${L.toFixed(0)}, a* ${a.toFixed(0)}, b* ${b.toFixed(0)})`;
    this.hue.setAttribute("aria-valuetext", name);
    this.point.style.left = `${50 + (50 * a) / REACH}%`;
    this.point.style.top = `${50 - (50 * b) / REACH}%`;
    const hues = [0, 45, 90, 135, 180, 225, 270, 315, 360];
    this.hue.style.setProperty("--track", gradient(hues.map((at) => ({ hue: at, chroma: 40 })), L));
    const chromas = [0, 25, 50, 75, REACH];
    this.chroma.style.setProperty("--track", gradient(chromas.map((at) => ({ hue, chroma: at })), L));
  }
}

const gradient = (stops, L) =>
  `linear-gradient(to right, ${stops.map((stop) => css({ L, ...cartesian(stop) })).join(", ")})`;

/** The plane of a* to the right and b* up at a lightness; clear where sRGB has no colour. */
function draw(canvas, L) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(SIDE, SIDE);
  for (let at = 0; at < SIDE * SIDE; at++) {
    const a = REACH * ((2 * (at % SIDE)) / (SIDE - 1) - 1);
    const b = REACH * (1 - (2 * Math.floor(at / SIDE)) / (SIDE - 1));
    if (has({ L, a, b })) image.data.set([...toCodes({ L, a, b }), 255], 4 * at);
  }
  context.putImageData(image, 0, 0);
}
