/** The photographs of this visit: which are here, which one is looked at, how each shall look.
 *
 * A photograph is {id, file, view, state, problem, look}. `view` is what the service said of it,
 * `state` is "sending", "ready" or "failed", `look` is {options, hints}: options by their names in
 * the API, hints as {x, y, a, b, radius}. Nothing is changed in place: what is new is a new object.
 */

const KEPT = "retint.photographs"; // for this tab, over a reload

export const PLAIN = Object.freeze({
  model: null,
  longest: null,
  saturation: 1,
  mute_uncertain: 0,
  keep_tone: false,
  alternative: 0,
});

/** A store. Models as /v1/models lists them; the first is what photographs begin with. */
export function createStore(models) {
  const plain = Object.freeze({ options: { ...PLAIN, model: models[0]?.name ?? null }, hints: [] });
  const listeners = new Set();
  let photographs = recalled();
  let chosen = photographs[0]?.id ?? null;

  const find = (id) => photographs.find((photograph) => photograph.id === id);

  function tell(change) {
    for (const listener of listeners) listener(change);
    remember(photographs);
  }

  function replace(id, change) {
    const before = find(id);
    if (!before) return;
    photographs = photographs.map((one) => (one.id === id ? { ...one, ...change } : one));
    return before;
  }

  return {
    models,
    plain,

    /** {photographs, chosen}: the list in its order, and the id of the one that is looked at. */
    get: () => ({ photographs, chosen }),
    find,
    chosen: () => find(chosen),
    model: (name) => models.find((model) => model.name === name),

    /** Call back at every change, with {what, id, before, undoable}; returns how to stop it.
     *
     * what: "list" (photographs came or went), "chosen", "state" (of one photograph), or "look";
     * before: the photograph before it. A look that is still moving, under a slider that is held,
     * is told with undoable false; when it is let go, the same look is told with undoable true.
     */
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    choose(id) {
      if (id === chosen || !find(id)) return;
      chosen = id;
      tell({ what: "chosen", id });
    },

    /** Give a photograph another look: `next` makes it of the look it has. What its model cannot do
     * is left out. */
    change(id, next, { undoable = true } = {}) {
      const look = find(id)?.look;
      if (!look) return;
      const before = replace(id, { look: possible(next(look), models) });
      tell({ what: "look", id, before, undoable });
    },

    /** Take files on, as photographs that are being sent; returns them. */
    add(files) {
      const added = files.map((file) => ({
        id: crypto.getRandomValues(new Uint32Array(2)).join("-"),
        file,
        view: null,
        state: "sending",
        problem: "",
        look: plain,
      }));
      photographs = [...photographs, ...added];
      chosen ??= added[0]?.id ?? null;
      tell({ what: "list", id: null });
      return added;
    },

    /** Say how a photograph is doing: {state, view, problem}. */
    settle(id, news) {
      const before = replace(id, news);
      if (before) tell({ what: "state", id, before });
    },

    /** Let a photograph go; its neighbour is looked at. */
    remove(id) {
      const place = photographs.findIndex((one) => one.id === id);
      if (place < 0) return;
      photographs = photographs.filter((one) => one.id !== id);
      if (chosen === id) chosen = (photographs[place] ?? photographs.at(-1))?.id ?? null;
      tell({ what: "list", id });
    },
  };
}

function possible(look, models) {
  const { options, hints } = look;
  const model = models.find(({ name }) => name === options.model);
  const [inVain, alone] = [hints.length && !model?.hints, options.alternative && !model?.alternatives];
  if (!inVain && !alone) return look;
  return {
    options: alone ? { ...options, alternative: 0 } : options,
    hints: inVain ? [] : hints,
  };
}

function remember(photographs) {
  const kept = photographs
    .filter((one) => one.state === "ready")
    .map(({ id, view, look }) => ({ id, view, look }));
  sessionStorage.setItem(KEPT, JSON.stringify(kept));
}

function recalled() {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  return kept.map((one) => ({ ...one, file: null, state: "ready", problem: "" }));
}
