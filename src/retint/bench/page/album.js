"use strict";
/* The pictures on the page: each is kept once, shown where it is wanted, and opens large. */
for (const cell of document.querySelectorAll(".cell")) {
  const { picture, key } = cell.dataset;
  cell.querySelector("img").src = album[picture].colours[key];
  cell.addEventListener("click", () => compare(Number(picture), key));
}

/* Within a figure arrow keys go from cell to cell; Tab goes on to the next figure. */
for (const group of document.querySelectorAll(".cells")) {
  const cells = [...group.children];
  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const next = cells[cells.indexOf(event.target) + step];
    if (!next) return;
    event.preventDefault();
    for (const cell of cells) cell.tabIndex = cell === next ? 0 : -1;
    next.focus();
  });
}
