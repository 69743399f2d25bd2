import { make } from "./element.js";

const COUNT = 4;
const SIDE = 240;
const PAUSE = 400; // ms after the last change, before the network is asked anew

/** Other colourings that are as plausible, to choose from. */
export function mount(element, store, api) {
  const unable = make("p", { className: "quiet" }, "This model gives one answer only.");
  const list = make("div", { className: "alternatives", role: "radiogroup" });
  const said = make("p", { role: "status", className: "quiet" });
  const open = make("details", {}, make("summary", {}, "Show others"), list, said);
  const heading = make("h2", { id: "alternatives-title" }, "Alternatives");
  list.setAttribute("aria-labelledby", heading.id);
  element.append(heading, unable, open);

  let shown = ""; // what the pictures are of
  let asked = null;
  let timer = 0;

  function show() {
    const photograph = store.chosen();
    element.hidden = photograph?.state !== "ready";
    if (element.hidden) return;
    const able = Boolean(store.model(photograph.look.options.model)?.alternatives);
    open.hidden = !able;
    unable.hidden = able;
    for (const input of list.querySelectorAll("input")) {
      input.checked = Number(input.value) === photograph.look.options.alternative;
    }
    if (!able || !open.open || subject(photograph) === shown) return;
    clearTimeout(timer);
    timer = setTimeout(() => look(store.chosen()), shown ? PAUSE : 0);
  }

  async function look(photograph) {
    if (!photograph || subject(photograph) === shown) return;
    asked?.abort();
    asked = new AbortController();
    const { signal } = asked;
    shown = subject(photograph);
    said.textContent = "Looking for others …";
    list.classList.add("old");
    try {
      const found = await api.alternatives(photograph, COUNT, signal);
      const items = await Promise.all(found.map((one) => item(photograph, one, signal)));
      for (const image of list.querySelectorAll("img")) URL.revokeObjectURL(image.src);
      list.replaceChildren(...items);
      list.classList.remove("old");
      said.textContent = "";
      show();
    } catch (error) {
      if (error.name === "AbortError") return;
      shown = "";
      said.textContent = error.message;
    }
  }

  async function item(photograph, { number }, signal) {
    const { options, hints } = photograph.look;
    const path = api.preview(photograph, {
      side: SIDE, look: { hints, options: { ...options, alternative: number } },
    });
    const name = number ? `Alternative ${number}` : "As guessed";
    const image = make("img", { alt: "", src: URL.createObjectURL(await api.picture(path, { signal })) });
    const input = make("input", { type: "radio", name: "alternative", value: number });
    input.addEventListener("change", () => choose(photograph.id, number));
    return make("label", {}, input, image, make("span", {}, name));
  }

  function choose(id, number) {
    store.change(id, ({ options, hints }) => ({ hints, options: { ...options, alternative: number } }));
  }

  open.addEventListener("toggle", show);
  store.subscribe(show);
  show();
}

/** What alternatives are shown of: a photograph, and its look but for which of them it is. */
const subject = ({ id, look }) =>
  JSON.stringify([id, { ...look.options, alternative: 0 }, look.hints]);
