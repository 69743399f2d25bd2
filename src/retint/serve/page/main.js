/** The page: its parts are made and joined. */

import * as alternatives from "./alternatives.js";
import * as api from "./api.js";
import * as correct from "./correct.js";
import * as download from "./download.js";
import * as history from "./history.js";
import * as print from "./print.js";
import * as series from "./series.js";
import * as settings from "./settings.js";
import { createStore } from "./store.js";
import * as strip from "./strip.js";
import * as viewer from "./viewer.js";

const PARTS = { viewer, strip, settings, correct, alternatives, series, print, history, download };

const at = (id) => document.getElementById(id);

api.whenKeyIsNeeded(askForKey);
at("help-button").addEventListener("click", () => at("help").showModal());
begin();

async function begin() {
  let models;
  try {
    models = await api.models();
  } catch (error) {
    at("said").textContent = error.message;
    return;
  }
  const store = createStore(models);
  const layOut = () => document.body.classList.toggle("empty", !store.get().photographs.length);
  store.subscribe(layOut);
  layOut();
  for (const [name, part] of Object.entries(PARTS)) part.mount(at(name), store, api, viewer);
  document.addEventListener("keydown", (event) => turn(event, store));
  document.body.dataset.ready = "";
}

/** Page up and down go through the photographs, wherever the focus is but in a list or a dialog. */
function turn(event, store) {
  const by = { PageUp: -1, PageDown: 1 }[event.key];
  if (!by || event.defaultPrevented || event.target.closest("select, textarea, dialog")) return;
  const { photographs, chosen } = store.get();
  const next = photographs[photographs.findIndex(({ id }) => id === chosen) + by];
  if (next) store.choose(next.id);
  event.preventDefault();
}

/** A key typed by the visitor, or null. */
function askForKey(wasRefused) {
  const dialog = at("key");
  const input = dialog.querySelector("input");
  dialog.querySelector(".trouble").hidden = !wasRefused;
  dialog.querySelector("[data-close]").onclick = () => dialog.close();
  dialog.returnValue = input.value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "given" ? input.value.trim() : null);
    dialog.addEventListener("close", answer, { once: true });
  });
}
