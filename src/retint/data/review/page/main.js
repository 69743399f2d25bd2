import { Grid } from "./grid.js";
import { askLabel, complete } from "./labels.js";
import { Pictures } from "./pictures.js";
import { get, post } from "./server.js";
import { Single } from "./single.js";

const $ = (selector) => document.querySelector(selector);
const number = (n) => n.toLocaleString("en");
const some = (n) => (n === 1 ? "1 picture" : `${number(n)} pictures`);

const form = $("#view");
const box = $("#grid");
const single = new Single($("#single"));
let pictures;
let grid;
let waiting = Promise.resolve();

async function start() {
  pictures = new Pictures(await get("pictures.json"));
  grid = new Grid(box, $("#sheet"), { draw, moved, open });
  document.title = `${pictures.table.name}: review`;
  $("#name").textContent = pictures.table.name;
  fillForm();
  complete($("#label-list"), pictures);
  listAnew();
  tellCounts();
  box.focus();
}

function fillForm() {
  const add = (select, names) =>
    names.forEach((name, n) => select.append(new Option(name || "not named", n)));
  add(form.source, pictures.table.sources);
  add(form.reason, pictures.table.reasons);
  $("#flags").hidden = !pictures.flags.size;
  for (const option of form.querySelectorAll("[data-needs-colour]")) {
    option.hidden = option.disabled = !pictures.hasColour;
  }
  if (matchMedia("(max-width: 48rem)").matches) $("#filters").open = false;
}

function listAnew() {
  const { size, falling, ...view } = Object.fromEntries(new FormData(form));
  grid.size = Number(size);
  grid.show(pictures.list({ ...view, falling: falling !== undefined }));
  $("#nothing").hidden = grid.list.length > 0;
  box.hidden = !grid.list.length;
  say(`${some(grid.list.length)} listed`);
}

/** Fill a tile, or renew it after a decision. */
function draw(n, tile) {
  const decision = pictures.decision(n);
  const label = pictures.label(n);
  const reasons = pictures.reasons(n).join("; ");
  if (!tile.firstChild) {
    tile.innerHTML =
      '<div class="frame"><img alt="" decoding="async" draggable="false">' +
      '<span class="corner"></span><span class="badge" aria-hidden="true"></span>' +
      '<span class="flag" aria-hidden="true">!</span></div>' +
      '<div class="label"></div>';
    tile.querySelector("img").dataset.src = `thumbnail/${n}`;
  }
  tile.dataset.decision = decision;
  tile.querySelector(".badge").textContent = { keep: "✓", drop: "✕" }[decision] ?? "";
  tile.querySelector(".flag").hidden = !reasons;
  const caption = [pictures.caption(n), reasons].filter(Boolean).join(" · ");
  tile.querySelector(".label").textContent = caption;
  tile.title = [pictures.name(n), label, reasons].filter(Boolean).join("\n");
  const told = { keep: "kept", drop: "dropped" }[decision] ?? "undecided";
  tile.setAttribute("aria-label", `${pictures.name(n)}, ${caption}, ${told}`);
}

function moved() {
  tellCounts();
  if (single.isOpen && grid.list.length) look();
}

function tellCounts() {
  const { keep, drop } = pictures.tally;
  const decided = keep + drop;
  const parts = [
    `${number(decided)} of ${number(pictures.count)} decided`,
    `${number(keep)} kept, ${number(drop)} dropped`,
    `${number(grid.list.length)} listed`,
  ];
  if (grid.selected.size) parts.push(`${number(grid.selected.size)} selected`);
  $("#counts").textContent = parts.join(" · ");
  const progress = $("#progress");
  progress.max = pictures.count;
  progress.value = decided;
}

function say(text) {
  for (const place of [$("#said"), $("#single-said")]) place.textContent = text;
}

/** Ask the server, one wish after the other: keys may come faster than answers. What goes wrong
 * stands in the page until something goes right. */
function ask(path, wish) {
  waiting = waiting.then(() => answer(path, wish));
  return waiting;
}

async function answer(path, wish) {
  const alert = $("#alert");
  const since = pictures.version;
  try {
    const told = await (wish ? post(path, { ...wish, since }) : get(`${path}/${since}`));
    alert.hidden = true;
    pictures.change(told.changes);
    pictures.version = told.version;
    grid.redraw();
    tellCounts();
    return told;
  } catch (error) {
    alert.textContent = `Not done. ${error.message}`;
    alert.hidden = false;
    say(alert.textContent);
    return null;
  }
}

/** What a command is about: in the single view its picture alone. */
const targets = () => (single.isOpen ? [grid.current] : grid.targets);

const called = (numbers) => (numbers.length === 1 ? pictures.name(numbers[0]) : some(numbers.length));

/** Decide about what is selected, and on to the next at once. */
async function decide(decision, done) {
  const decided = targets();
  if (!decided.length) return;
  const asked = ask("decide", { pictures: decided, decision });
  grid.advance(decided);
  if (await asked) say(`${called(decided)}: ${done}`);
  else grid.goTo(decided[0]);
  if (single.isOpen) look();
}

async function relabel() {
  const decided = targets();
  if (!decided.length) return;
  const labels = new Set(decided.map((n) => pictures.label(n)));
  const label = await askLabel($("#relabel"), decided.length, labels.size === 1 ? [...labels][0] : "");
  if (label === null || !(await ask("decide", { pictures: decided, labels: label }))) return;
  if (single.isOpen) look();
  say(`${called(decided)}: relabelled ${label || "with nothing"}`);
}

async function undo() {
  const told = await ask("undo", {});
  if (!told) return;
  if (told.undone.length) grid.goTo(told.undone[0]);
  say(told.undone.length ? `Undone: ${called(told.undone)}` : "Nothing to undo");
}

function open() {
  if (!grid.list.length) return;
  say("");
  look();
}

function look() {
  const near = [grid.cursor + 1, grid.cursor - 1].map((place) => grid.list[place]);
  const decision = { keep: " ✓ kept", drop: " ✕ dropped" }[pictures.decision(grid.current)] ?? "";
  const title = `${pictures.caption(grid.current)}${decision}`;
  single.show(grid.current, title, near.filter((n) => n !== undefined));
}

function search() {
  $("#filters").open = true;
  form.search.select();
}

const commands = {
  keep: () => decide("keep", "kept"),
  drop: () => decide("drop", "dropped"),
  undecide: () => decide("", "undecided"),
  relabel,
  undo,
  open,
  search,
  help: () => $("#help").showModal(),
  again: listAnew,
  toggle: () => grid.toggle(),
  none: () => grid.selectNone(),
  all: () => grid.selectAll(),
  previous: () => grid.go(grid.cursor - 1),
  next: () => grid.go(grid.cursor + 1),
  smaller: () => single.step(-1),
  larger: () => single.step(1),
  fit: () => single.setZoom(null),
  close: () => single.close(),
};

const both = { k: "keep", d: "drop", u: "undecide", l: "relabel", "ctrl+z": "undo", "?": "help" };
const inGrid = {
  ...both, Enter: "open", "/": "search", r: "again", " ": "toggle", Escape: "none", "ctrl+a": "all",
};
const inSingle = {
  ...both,
  ArrowLeft: "previous", ArrowRight: "next", ArrowUp: "previous", ArrowDown: "next",
  "+": "larger", "=": "larger", "-": "smaller", "0": "fit",
};

/** Run the command of a key; keys act where the pictures have the focus, and nowhere else. */
function press(event, keys) {
  if (event.altKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const command = keys[event.ctrlKey || event.metaKey ? `ctrl+${key}` : key];
  if (!command) return;
  event.preventDefault();
  if (!event.repeat || command === "previous" || command === "next") commands[command]();
}

box.addEventListener("keydown", (event) => {
  if (grid.key(event)) event.preventDefault();
  else press(event, inGrid);
});
single.dialog.addEventListener("keydown", (event) => {
  if (event.target.closest("button") && ["Enter", " "].includes(event.key)) return;
  press(event, inSingle);
});
single.dialog.addEventListener("close", () => box.focus());

document.addEventListener("click", (event) => {
  const command = event.target.closest("[data-command]")?.dataset.command;
  if (!command) return;
  if (!single.isOpen) box.focus();
  commands[command]();
});
$("#help-button").addEventListener("click", commands.help);

form.addEventListener("input", (event) => {
  if (event.target.name === "size") grid.resize(Number(event.target.value));
  else listAnew();
});
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input[type=search], input[type=text]");
  if (event.key === "Escape" || (event.key === "Enter" && typing)) {
    event.preventDefault();
    box.focus();
  }
});
window.addEventListener("focus", () => pictures && ask("changes"));

start().catch((error) => {
  $("#alert").textContent = error.message;
  $("#alert").hidden = false;
});
