/** What pointers do over an element: click, drag, pinch. Points are {x, y} in pixels of it. */

const NEAR = 5; // pixels: a pointer that moved less was a click

/** Where an event is, seen from the element. */
export function pointOf({ clientX, clientY }, element) {
  const box = element.getBoundingClientRect();
  return { x: clientX - box.left, y: clientY - box.top };
}

/** Let no finger's drag over an element end in a fling where `touch-action` is none: Chromium makes
 * one of a quick drag all the same, and takes the next tap, wherever it is, for what stops it.
 */
export function unflung(element) {
  const prevent = (event) => {
    if (getComputedStyle(element).touchAction === "none") event.preventDefault();
  };
  element.addEventListener("touchmove", prevent, { passive: false });
}

/** Call `begin(point, target)` for a pointer that comes down, which may refuse it by false; then
 * `click(point)`, or for each movement `drag(from, to)` or, of two pointers, `pinch(from, to,
 * factor)`: their middle moved, their distance grew.
 */
export function listen(element, { begin, click, drag, pinch }) {
  const pointers = new Map();
  let start = null; // where the only pointer came down, until it has moved
  unflung(element);

  element.addEventListener("pointerdown", (event) => {
    const point = pointOf(event, element);
    if (event.button > 0 || begin(point, event.target) === false) return;
    element.setPointerCapture(event.pointerId);
    pointers.set(event.pointerId, point);
    start = pointers.size === 1 ? point : null;
    event.preventDefault();
  });

  element.addEventListener("pointermove", (event) => {
    const before = pointers.get(event.pointerId);
    if (!before) return;
    const now = pointOf(event, element);
    if (start && apart(now, start) < NEAR) return;
    start = null;
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, now);
    if (!other) return drag(before, now);
    const factor = apart(now, other) / Math.max(1, apart(before, other));
    pinch(middle(before, other), middle(now, other), factor);
  });

  const end = (event) => {
    if (!pointers.delete(event.pointerId)) return;
    if (start && event.type === "pointerup") click(pointOf(event, element));
    start = null;
  };
  element.addEventListener("pointerup", end);
  element.addEventListener("pointercancel", end);
}

const apart = (one, other) => Math.hypot(one.x - other.x, one.y - other.y);
const middle = (one, other) => ({ x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 });
