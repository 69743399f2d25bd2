/** Typing a label, completed from those that the corpus has. */

/** Fill `list` for whatever input that names it is typed in. */
export function complete(list, pictures) {
  const fill = (typed) => {
    list.replaceChildren(...pictures.completions(typed).map((label) => new Option("", label)));
  };
  for (const input of document.querySelectorAll(`input[list=${list.id}]`)) {
    input.addEventListener("input", () => fill(input.value));
    input.addEventListener("focus", () => fill(input.value));
  }
}

/** Ask for a label; null when the answer is no. */
export function askLabel(dialog, count, label) {
  const input = dialog.querySelector("input");
  dialog.querySelector("h2").textContent =
    count === 1 ? "Relabel this picture" : `Relabel ${count.toLocaleString("en")} pictures`;
  input.value = label;
  dialog.returnValue = "";
  dialog.querySelector("[type=button]").onclick = () => dialog.close();
  dialog.showModal();
  input.select();
  return new Promise((resolve) => {
    const answer = () => resolve(dialog.returnValue === "save" ? input.value.trim() : null);
    dialog.addEventListener("close", answer, { once: true });
  });
}
