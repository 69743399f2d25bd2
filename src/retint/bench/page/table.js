"use strict";
/* Tables that sort: best first, then the other way; rows without a figure stay last. */
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => sort(table, heads, button.parentElement));
    const meaning = document.getElementById("meaning");
    if (meaning && table.id !== "costs" && button.dataset.meaning) {
      const say = () => { meaning.textContent = button.textContent + ": " + button.dataset.meaning; };
      button.addEventListener("pointerenter", say);
      button.addEventListener("focus", say);
    }
  }
}

function sort(table, heads, head) {
  const column = heads.indexOf(head);
  const { sorts } = head.firstElementChild.dataset;
  const words = sorts === "text", best = words ? "ascending" : sorts;
  const down = head.getAttribute("aria-sort") === best;
  for (const other of heads) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? { ascending: "descending", descending: "ascending" }[best] ?? "none" : best);
  const of = (row) => row.cells[column]?.dataset.sort ?? "";
  const rows = [...table.tBodies[0].rows].sort((one, other) => {
    const [a, b] = [of(one), of(other)];
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = words ? a.localeCompare(b) : a - b;
    return down ? -order : order;
  });
  table.tBodies[0].append(...rows);
}

const shuffled = document.getElementById("shuffled");
if (shuffled) {
  const rows = [...document.querySelectorAll("tr[data-kind=shuffled]")];
  const show = () => { for (const row of rows) row.hidden = !shuffled.checked; };
  shuffled.checked = rows.length <= 3;
  shuffled.parentElement.hidden = rows.length === 0;
  shuffled.addEventListener("change", show);
  show();
}
