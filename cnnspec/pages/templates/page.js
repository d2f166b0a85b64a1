"use strict";
// A page reads well without this; here is what makes it handier.

// Tables whose heads have buttons are sorted by them: numbers by `data-n`, else by their text.
for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => {
    const head = button.closest("th"), body = head.closest("table").tBodies[0];
    const column = [...head.parentNode.children].indexOf(head);
    const way = head.getAttribute("aria-sort") === (head.dataset.first || "descending") ? flip(head) : head.dataset.first || "descending";
    for (const other of head.parentNode.children) if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", way);
    const sign = way === "ascending" ? 1 : -1;
    // A row may be followed by rows that tell more of it; they move together.
    const groups = [];
    for (const row of [...body.rows]) row.dataset.more === undefined ? groups.push([row]) : groups.at(-1).push(row);
    const key = (group) => { const cell = group[0].cells[column]; return cell.dataset.n === undefined ? cell.textContent.trim() : Number(cell.dataset.n); };
    groups.sort((a, b) => { const x = key(a), y = key(b); return sign * (typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true })); });
    body.append(...groups.flat());
  });
}
function flip(head) { return head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending"; }
