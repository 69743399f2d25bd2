"use strict";
/* What the page knows: figures of every row and picture, and the pictures it carries. */
const numbers = JSON.parse(document.getElementById("numbers").textContent);
const album = JSON.parse(document.getElementById("album").textContent);

/* A value in its measure's digits. */
function written(value, measure, signed = false) {
  if (value === null || value === undefined) return "none";
  const text = value.toFixed(measure.digits).replace("-", "−");
  return signed && value > 0 ? "+" + text : text;
}

/* Colour class of a row: baselines are grey, the others take turns. */
function tint(row) {
  const others = numbers.rows.filter((one) => ["model", "folder"].includes(one.kind));
  const k = others.indexOf(numbers.rows[row]);
  return k < 0 ? "baseline" : "c" + (k % 8);
}

for (const key of document.querySelectorAll(".key")) key.classList.add(tint(Number(key.dataset.row)));
