/** The photograph before and after, one over the other, with a line to move between them.
 *
 * For other modules: `overlay` is a layer over the picture that moves and grows with it; place its
 * children by percentages. It lets the pointer through, but for children that take it
 * (`pointer-events: auto`). `onPlace` tells where somebody clicked, or pressed Enter at the middle
 * of what is seen. `aim` shows by the pointer that a click will do something. `sample` is the colour
 * that is seen somewhere.
 */

export const overlay = document.createElement("div");
overlay.className = "overlay";

const placed = new Set();

/** Call back with {x, y}, 0..1 across and down the upright picture; returns how to stop it. */
export function onPlace(callback) {
  placed.add(callback);
  return () => placed.delete(callback);
}

/** Show by the pointer whether a click is waited for. */
export function aim(on) {
  overlay.parentElement?.closest(".stage")?.classList.toggle("aiming", on);
}

/** [red, green, blue] of the coloured picture at {x, y}, 0..255; null before there is one. */
export function sample({ x, y }) {
  return null;
}

export function mount(element, store, api) {}
