const LONGEST = 200; // steps
const PAUSE = 800; // ms

/** What can be undone and redone in the look of each photograph. */
export class History {
  #steps = new Map(); // photograph -> { past, future: looks, the latest last; start, part, time }

  #of(id) {
    if (!this.#steps.has(id)) this.#steps.set(id, { past: [], future: [], part: "", time: -PAUSE });
    return this.#steps.get(id);
  }

  /** Take note of a change. One that is under way begins a step, and one that is settled ends it;
   * changes of one part without a pause between them are one step. */
  take(id, before, after, settled, time = performance.now()) {
    const steps = this.#of(id);
    steps.start ??= before;
    if (!settled) return;
    const part = changed(steps.start, after);
    const goesOn = part === steps.part && time - steps.time < PAUSE;
    if (part && !goesOn) steps.past.push(steps.start);
    if (steps.past.length > LONGEST) steps.past.shift();
    if (part) Object.assign(steps, { future: [], part, time });
    steps.start = null;
  }

  canUndo(id) {
    return this.#of(id).past.length > 0;
  }

  canRedo(id) {
    return this.#of(id).future.length > 0;
  }

  /** The look before this one. */
  undo(id, now) {
    const steps = this.#of(id);
    Object.assign(steps, { start: null, part: "" });
    steps.future.push(now);
    return steps.past.pop();
  }

  /** The look that was undone last. */
  redo(id, now) {
    const steps = this.#of(id);
    Object.assign(steps, { start: null, part: "" });
    steps.past.push(now);
    return steps.future.pop();
  }
}

/** Which parts of a look differ, as a text; none where it is the same. */
function changed(before, after) {
  const names = new Set([...Object.keys(before.options), ...Object.keys(after.options)]);
  const parts = [...names].filter((name) => before.options[name] !== after.options[name]);
  const [old, now] = [before.hints, after.hints];
  if (old.length !== now.length) parts.push(`${old.length} to ${now.length} hints`);
  else parts.push(...now.keys().filter((n) => JSON.stringify(old[n]) !== JSON.stringify(now[n])));
  return parts.join();
}

const WRITTEN = "input:is(:not([type]), [type=text], [type=search], [type=number], [type=password]), textarea";

/** Buttons for undo and redo, and their keys. */
export function mount(element, store) {
  const history = new History();
  const [undo, redo] = [button("Undo", "Control+Z"), button("Redo", "Control+Shift+Z")];
  element.setAttribute("role", "group");
  element.setAttribute("aria-label", "Undo and redo");
  element.classList.add("history");
  element.replaceChildren(undo, redo);
  let going = false;

  function go(back) {
    const photograph = store.chosen();
    if (!photograph || !(back ? history.canUndo(photograph.id) : history.canRedo(photograph.id))) return;
    const { id, look } = photograph;
    const next = back ? history.undo(id, look) : history.redo(id, look);
    going = true;
    store.change(id, () => next, { undoable: false });
    going = false;
  }

  function show() {
    const id = store.chosen()?.id;
    undo.setAttribute("aria-disabled", String(!history.canUndo(id)));
    redo.setAttribute("aria-disabled", String(!history.canRedo(id)));
  }

  undo.addEventListener("click", () => go(true));
  redo.addEventListener("click", () => go(false));
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.closest(WRITTEN)) return;
    const key = event.key.toLowerCase();
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    go(key === "z" && !event.shiftKey);
  });
  store.subscribe(({ what, id, before, undoable }) => {
    if (what === "look" && !going) history.take(id, before.look, store.find(id).look, undoable);
    show();
  });
  show();
}

/** A button that keeps the focus when nothing is left for it to do. */
function button(name, keys) {
  const element = document.createElement("button");
  element.type = "button";
  element.textContent = name;
  element.title = `${name} (${keys.replace("Control", "Ctrl")})`;
  element.setAttribute("aria-keyshortcuts", keys);
  return element;
}
