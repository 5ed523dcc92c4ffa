"use strict";
// Sorting, searching and filtering of tables; without this script the page reads the same, in the order it was written.
for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sortBy(table, heads, column));
  });
}

function sortBy(table, heads, column) {
  const head = heads[column], numeric = head.classList.contains("number");
  const before = head.getAttribute("aria-sort");
  const down = before === null ? numeric : before === "ascending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row, place) => ({ row, place, key: keyOf(row.cells[column], numeric) }));
  rows.sort((a, b) => {
    if (a.key === null || b.key === null) {  // what has no value stays at the end, whichever way
      return (a.key === null) - (b.key === null) || a.place - b.place;
    }
    const order = numeric ? a.key - b.key : a.key.localeCompare(b.key, undefined, { numeric: true });
    return (down ? -order : order) || a.place - b.place;
  });
  body.append(...rows.map((each) => each.row));
}

function keyOf(cell, numeric) {
  if (!numeric) return cell.textContent.trim();
  return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
}

// a table's own search: rows that lack one of the words are hidden
for (const find of document.querySelectorAll("[data-find]")) {
  const rows = [...document.getElementById(find.dataset.find).tBodies[0].rows];
  find.parentElement.hidden = false;
  find.addEventListener("input", () => {
    const words = find.value.toLowerCase().split(/\s+/);
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    const shown = rows.filter((row) => !row.hidden).length;
    find.parentElement.querySelector("output").textContent = find.value.trim() ? `${shown} of ${rows.length} rows` : "";
  });
}

const filters = [...document.querySelectorAll("[data-filter]")];
for (const filter of filters) filter.addEventListener("input", applyFilters);

function applyFilters() {
  let shown = 0, all = 0;
  for (const row of document.querySelectorAll("tr[data-row]")) {
    const hidden = filters.some((filter) => !keeps(filter, row));
    row.hidden = hidden;
    if (row.dataset.row === "run") {
      all += 1;
      shown += hidden ? 0 : 1;
    }
  }
  const count = document.querySelector("[data-count]");
  if (count) count.textContent = `${shown} of ${all} rows`;
}

function keeps(filter, row) {
  if (filter.value === "") return true;
  if (filter.dataset.filter === "words") return row.textContent.toLowerCase().includes(filter.value.toLowerCase());
  const value = row.dataset[filter.dataset.filter];
  return value === undefined || value.split("\n").includes(filter.value);
}

const reset = document.querySelector("[data-reset]");
if (reset) reset.addEventListener("click", () => { filters.forEach((filter) => { filter.value = ""; }); applyFilters(); });
// a closed part would be missing on paper
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
