import { picture } from "./server.js";
import { draw } from "./stage.js";

/** What a judge is told at the end, in the study's words; nothing where nothing is told. */
export function resultText({ kind }, texts, result) {
  if (!result || !result.of || (kind === "prefer" && !result.name)) return "";
  return fill(texts.result, result);
}

/** The pairs that fooled a judge, each side by its true name. */
export async function showFooled(list, fooled, texts) {
  list.replaceChildren();
  for (const { id, fake } of fooled) {
    const item = document.createElement("li");
    for (const side of ["left", "right"]) {
      const figure = document.createElement("figure");
      const canvas = document.createElement("canvas");
      const caption = document.createElement("figcaption");
      caption.textContent = side === fake ? texts.fake : texts.real;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", caption.textContent);
      figure.append(canvas, caption);
      item.append(figure);
      picture(id, side).then((bitmap) => draw(canvas, bitmap), () => item.remove());
    }
    list.append(item);
  }
}

/** A text with its {words} filled in. */
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
