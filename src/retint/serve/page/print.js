import { make } from "./element.js";

const SIDE = 2000; // pixels: half a sheet of A4 at 350 dpi

/** The photograph before and after, side by side on a sheet of paper. */
export function mount(element, store, api) {
  const button = make("button", { type: "button" }, "Print before and after");
  const said = make("p", { role: "status", className: "quiet" });
  const sheet = make("div", { className: "sheet", "aria-hidden": "true" });
  element.append(button, said);
  document.body.append(sheet);

  async function print() {
    said.textContent = "The sheet is being made …";
    try {
      await fill(sheet, store.chosen(), store, api);
      said.textContent = "";
      window.print();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  function show() {
    element.hidden = store.chosen()?.state !== "ready";
  }

  button.addEventListener("click", print);
  document.addEventListener("keydown", (event) => {
    if (element.hidden || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "p") return;
    event.preventDefault();
    print();
  });
  store.subscribe(({ what }) => {
    if (what !== "state") sheet.replaceChildren(); // it shows a look that is gone
    show();
  });
  show();
}

/** Put pictures and words on the sheet; it is ready to be printed then. */
async function fill(sheet, photograph, store, api) {
  const { view, look } = photograph;
  const pictures = await Promise.all(
    ["source", "colour"].map(async (show) => {
      const path = api.preview(photograph, { show, side: SIDE });
      const image = make("img", { alt: "", src: URL.createObjectURL(await api.picture(path)) });
      await image.decode();
      URL.revokeObjectURL(image.src);
      return image;
    }),
  );
  const [before, after] = pictures;
  const figure = (image, words) =>
    make("figure", {}, image, make("figcaption", {}, words));
  sheet.classList.toggle("wide", view.width > 1.2 * view.height);
  sheet.replaceChildren(
    make("h1", {}, view.name),
    make("div", { className: "pair" }, figure(before, "Before"), figure(after, "After")),
    make("p", {}, about(look, store.model(look.options.model))),
  );
}

/** How the colours came about, in words. */
function about({ options, hints }, model) {
  const by = model ? `${model.name} ${model.version}` : options.model;
  const given = { 0: "", 1: ", with one colour given by hand" };
  const hand = given[hints.length] ?? `, with ${hints.length} colours given by hand`;
  const date = new Date().toLocaleDateString("en", { dateStyle: "long" });
  return `Colours are a guess of the model ${by}${hand}. retint, ${date}.`;
}
