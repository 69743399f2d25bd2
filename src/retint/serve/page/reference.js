import { word } from "./colours.js";
import { make } from "./element.js";

const swatches = (colours, pick) =>
  colours.map((colour) => {
    const button = make("button", { type: "button", className: "swatch", title: colour.label });
    button.setAttribute("aria-label", colour.label);
    button.style.background = colour.rgb;
    button.addEventListener("click", () => pick(colour));
    return make("li", {}, button);
  });

/** A place to drop a photograph in colour, whose main colours are then offered. */
export function mount(element, api, pick) {
  const input = make("input", { type: "file", accept: "image/*", className: "hidden" });
  const label = make("label", { className: "drop" }, input, "Colours of another photograph …");
  const said = make("p", { role: "status", className: "quiet" });
  const found = make("ul", { className: "palette" });
  element.append(label, said, found);

  async function open(file) {
    found.replaceChildren();
    said.textContent = `Looking at ${file.name} …`;
    let view = null;
    try {
      view = await api.send(file);
      const colours = await api.palette(view);
      found.append(...swatches(colours.map(named), pick));
      said.textContent = `Colours of ${file.name}`;
    } catch (error) {
      said.textContent = error.message;
    }
    if (view) api.forget({ view }).catch(() => {}); // it expires by itself, too
  }

  input.addEventListener("change", () => {
    if (input.files.length) open(input.files[0]);
    input.value = "";
  });
  label.addEventListener("dragover", (event) => {
    event.preventDefault();
    event.stopPropagation(); // the page takes files as photographs to colour
    label.classList.add("over");
  });
  label.addEventListener("dragleave", () => label.classList.remove("over"));
  label.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    label.classList.remove("over");
    const [file] = event.dataTransfer.files;
    if (file) open(file);
  });
}

const named = (colour) => ({
  ...colour,
  label: `${word(colour)}, ${Math.round(100 * colour.share)} % of the photograph`,
});
