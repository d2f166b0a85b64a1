"use strict";
// A page reads well without this; here is what makes it handier.

// ── tables whose heads have buttons are sorted by them ──────────────────────────────────────────
// By `data-n` where cells have it, else by their text; a third press restores the first order.
for (const table of document.querySelectorAll("table:has(thead button)")) {
  const rows = [...table.tBodies[0].rows];
  for (const button of table.querySelectorAll("thead button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const first = head.dataset.first || "descending";
      const second = first === "ascending" ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort");
      const way = now === first ? second : now === second ? "none" : first;
      for (const other of head.parentNode.children)
        if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", way);
      table.tBodies[0].append(...(way === "none" ? rows : sorted(rows, head.cellIndex, way)));
      table.dispatchEvent(new Event("sorted"));
    });
  }
}
function sorted(rows, column, way) {
  const sign = way === "ascending" ? 1 : -1;
  // A row may be followed by rows that tell more of it; they move together.
  const groups = [];
  for (const row of rows) row.dataset.more === undefined ? groups.push([row]) : groups.at(-1).push(row);
  const keyed = groups.map((group) => {
    const cell = group[0].cells[column];
    return [cell.dataset.n === undefined ? cell.textContent.trim() : Number(cell.dataset.n), group];
  });
  keyed.sort(([x], [y]) => sign * (typeof x === "number" && typeof y === "number"
    ? x - y : String(x).localeCompare(String(y), "en", { numeric: true })));
  return keyed.flatMap(([, group]) => group);
}

// ── a table with `data-tree` folds, and shows what is asked for ─────────────────────────────────
// Rows have `data-level`; one with `data-block` stands for the deeper rows below it. Sorted or
// filtered, the table is flat: the rows of blocks go, and names are whole.
for (const table of document.querySelectorAll("table[data-tree]")) {
  const rows = [...table.tBodies[0].rows];
  const tools = document.querySelector(`[data-tools="${table.id}"]`);
  const filter = tools && tools.querySelector("[data-filter]");
  const fold = (row) => row.querySelector("button.fold");
  const isOpen = (row) => fold(row).getAttribute("aria-expanded") === "true";
  const setOpen = (row, open) => fold(row).setAttribute("aria-expanded", String(open));
  const show = () => {
    const wanted = filter ? filter.value.trim().toLowerCase() : "";
    const isSorted = table.querySelector('thead [aria-sort$="scending"]') !== null;
    const isFlat = wanted !== "" || isSorted;
    table.classList.toggle("flat", isFlat);
    let shut = Infinity, shown = 0, all = 0;
    for (const row of rows) {
      const level = Number(row.dataset.level), isBlock = row.dataset.block !== undefined;
      if (level <= shut) shut = Infinity;
      const isInside = shut < Infinity;
      if (isBlock && !isInside && !isOpen(row)) shut = level;
      row.hidden = isFlat
        ? isBlock || (wanted !== "" && !row.dataset.words.includes(wanted)) : isInside;
      if (!isBlock) { all += 1; if (!row.hidden) shown += 1; }
    }
    if (tools) tools.querySelector("output").textContent =
      shown < all ? `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} layers` : "";
  };
  const reveal = () => {
    const row = rows.find((r) => "#" + r.id === decodeURIComponent(location.hash));
    if (!row) return;
    let level = Number(row.dataset.level);
    for (let i = rows.indexOf(row) - 1; i >= 0 && level > 0; i--)
      if (rows[i].dataset.block !== undefined && Number(rows[i].dataset.level) < level) {
        setOpen(rows[i], true);
        level = Number(rows[i].dataset.level);
      }
    show();
    if (row.hidden) {
      if (filter) filter.value = "";
      for (const head of table.querySelectorAll("thead [aria-sort]")) head.setAttribute("aria-sort", "none");
      table.tBodies[0].append(...rows);
      show();
    }
    row.scrollIntoView({ block: "center" });
  };
  const depth = table.dataset.depth === undefined ? Infinity : Number(table.dataset.depth);
  for (const row of rows) {
    row.dataset.words = `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase();
    if (row.dataset.block === undefined) continue;
    setOpen(row, Number(row.dataset.level) < depth);
    fold(row).hidden = false;
    fold(row).addEventListener("click", () => { setOpen(row, !isOpen(row)); show(); });
  }
  if (tools) {
    tools.hidden = false;
    if (filter) filter.addEventListener("input", show);
    for (const button of tools.querySelectorAll("[data-fold]"))
      button.addEventListener("click", () => {
        for (const row of rows) if (row.dataset.block !== undefined) setOpen(row, button.dataset.fold === "none");
        show();
      });
  }
  table.addEventListener("sorted", show);
  addEventListener("hashchange", reveal);
  show();
  reveal();
}

// ── a part of a figure that a link leads to comes into view whole ───────────────────────────────
addEventListener("hashchange", () => {
  const part = document.querySelector(".drawing :target");
  if (part) part.scrollIntoView({ block: "center", inline: "center" });
});

// ── `data-slide`: a window moves over numbers, step by step ─────────────────────────────────────
// The steps stand in a table, with every product; nothing is calculated here.
for (const stage of document.querySelectorAll("[data-slide]")) {
  const all = (selector, from = stage) => [...from.querySelectorAll(selector)];
  const pair = (text) => text.split(" ").map(Number);
  const grid = (table) => [...table.tBodies[0].rows].map((row) => all("td", row));
  const opened = (table) => { table.hidden = false; return grid(table).flat(); };
  const [high, wide] = pair(stage.dataset.window), [down, right] = pair(stage.dataset.dilation);
  const columns = Number(stage.dataset.columns);
  const steps = all("[data-steps] tbody tr"), inputs = all("[data-input]").map(grid);
  const lanes = all("[data-lane]").map((lane) => ({
    operation: lane.dataset.lane,
    kernels: all("[data-kernel]", lane).map(grid),
    under: all("[data-under]", lane).map(opened).flat(),
    products: all("[data-product]", lane).map(opened).flat(),
    output: grid(lane.querySelector("[data-output]")).flat(),
    sum: lane.querySelector("[data-sum]"),
  }));
  const player = stage.querySelector("[data-player]"), range = player.querySelector("input");
  const play = player.querySelector("[data-play]"), said = player.querySelector("output");
  let now = 0, timer = 0, lit = [];
  // The window at step n; the output stays filled up to where the scrubber is.
  const show = (n) => {
    const [top, left] = pair(steps[n].dataset.at);
    for (const cell of lit) { cell.classList.remove("lit"); delete cell.dataset.w; }
    lit = [];
    inputs.forEach((rows, channel) => {
      for (let a = 0; a < high; a++)
        for (let b = 0; b < wide; b++) {
          const cell = rows[top + a * down][left + b * right];
          const kernel = lanes[0].kernels[channel];
          cell.classList.add("lit");
          if (kernel) cell.dataset.w = kernel[a][b].textContent;
          lit.push(cell);
        }
    });
    const sums = all("[data-products]", steps[n]);
    lanes.forEach((lane, k) => {
      const products = sums[k].dataset.products.split(" "), result = sums[k].dataset.result;
      const seen = (steps[n].dataset.under || "").split(" ");
      lane.under.forEach((cell, i) => { cell.textContent = seen[i]; });
      lane.products.forEach((cell, i) => {
        cell.textContent = products[i];
        cell.classList.toggle("most", lane.operation === "max" && products[i] === result);
      });
      lane.sum.hidden = false;
      lane.sum.replaceChildren(...[...sums[k].children].map((line) => line.cloneNode(true)));
      lane.output.forEach((cell, i) => {
        cell.classList.toggle("later", i > now);
        cell.classList.toggle("now", i === n);
      });
    });
    const [row, column] = steps[n].cells;
    said.textContent = `row ${row.textContent}, column ${column.textContent} · ${n + 1} of ${steps.length}`;
    range.setAttribute("aria-valuetext", said.textContent);
    for (const other of steps) other.classList.toggle("now", other === steps[n]);
  };
  const go = (n) => {
    now = Math.max(0, Math.min(steps.length - 1, n));
    range.value = String(now);
    show(now);
  };
  const stop = () => { clearInterval(timer); timer = 0; play.textContent = "Play"; };
  const toggle = () => {
    if (timer) { stop(); return; }
    if (now === steps.length - 1) go(0);
    play.textContent = "Pause";
    timer = setInterval(() => {
      go(now + 1);
      if (now === steps.length - 1) stop();
    }, Math.max(60, Math.min(900, 30000 / steps.length)));
  };
  const by = (n) => { stop(); go(now + n); };
  player.querySelector("[data-back]").addEventListener("click", () => by(-1));
  player.querySelector("[data-next]").addEventListener("click", () => by(1));
  play.addEventListener("click", toggle);
  range.addEventListener("input", () => { stop(); go(Number(range.value)); });
  player.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (event.key in moves) by(moves[event.key]);
    else if (event.key === "Home") by(-now);
    else if (event.key === "End") by(steps.length);
    else if (event.key === " " && event.target === range) toggle();
    else return;
    event.preventDefault();
  });
  for (const lane of lanes)
    lane.output.forEach((cell, i) => {
      cell.addEventListener("click", () => { by(i - now); range.focus({ preventScroll: true }); });
      cell.addEventListener("pointerenter", () => { if (!timer) show(i); });
      cell.addEventListener("pointerleave", () => { if (!timer) show(now); });
    });
  steps.forEach((row, i) => row.addEventListener("click", () => by(i - now)));
  stage.classList.remove("still");
  player.hidden = false;
  go(Number(stage.dataset.start));
}
