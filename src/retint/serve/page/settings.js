/** How the photograph shall look: colours stronger or weaker, the model, where it guesses. */

import { showUnsure } from "./viewer.js";

const SIZES = [128, 192, 256, 384, 512, 768, 1024];
const percent = (value) => `${Math.round(100 * value)} %`;

export function mount(element, store) {
  const field = (name) => element.querySelector(`[name=${name}]`);
  const sliders = ["saturation", "mute_uncertain"].map(field);
  const [model, longest, tone, unsure] = ["model", "longest", "keep_tone", "unsure"].map(field);

  model.replaceChildren(...store.models.map(({ name }) => new Option(name, name)));
  for (const slider of sliders) {
    slider.addEventListener("input", () => set(slider.name, Number(slider.value), false));
    slider.addEventListener("change", () => set(slider.name, Number(slider.value)));
  }
  model.addEventListener("change", () => set("model", model.value));
  longest.addEventListener("change", () => set("longest", Number(longest.value) || null));
  tone.addEventListener("change", () => set("keep_tone", tone.checked));
  unsure.addEventListener("change", () => showUnsure(unsure.checked));
  element.querySelector("[data-reset]").addEventListener("click", () => {
    store.change(store.get().chosen, (look) => ({ ...look, options: store.plain.options }));
  });
  store.subscribe(draw);
  draw();

  function set(name, value, undoable = true) {
    const next = (look) => ({ ...look, options: { ...look.options, [name]: value } });
    store.change(store.get().chosen, next, { undoable });
  }

  function draw() {
    const photograph = store.chosen();
    element.hidden = photograph?.state === "failed";
    if (!photograph) return;
    const { options } = photograph.look;
    for (const slider of sliders) {
      slider.value = options[slider.name];
      const said = percent(options[slider.name]);
      slider.closest("label").querySelector("output").textContent = said;
      slider.setAttribute("aria-valuetext", said);
    }
    model.value = options.model;
    tone.checked = options.keep_tone;
    const kind = photograph.view?.marked ? "marked" : photograph.view?.tone;
    for (const part of element.querySelectorAll("[data-for]")) part.hidden = part.dataset.for !== kind;
    drawModel(store.model(options.model), options.longest);
    const same = JSON.stringify(options) === JSON.stringify(store.plain.options);
    element.querySelector("[data-reset]").disabled = same;
  }

  function drawModel(card, size) {
    const own = new Option(`the model’s own, ${card.working_size}`, "");
    longest.replaceChildren(own, ...SIZES.map((side) => new Option(side, side)));
    longest.value = size ?? "";
    element.querySelector("[data-about]").textContent = card.description;
    element.querySelector("[data-not-for]").textContent = `Not for: ${card.not_for}`;
  }
}
