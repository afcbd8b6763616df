"use strict";
// Sorts and filters every table of the class "sortable".

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function choice(label, options, chosen, changed) {
  const select = element("select", { onchange: changed }, ...options.map((text) => new Option(text, text)));
  if (options.includes(chosen)) select.value = chosen;
  return [element("label", {}, label, select), select];
}

const text = (row, column) => row.cells[column].textContent.trim();

function order(row, column) {
  const cell = row.cells[column];
  const number = "value" in cell.dataset ? cell.dataset.value : cell.classList.contains("n") ? cell.textContent : "";
  if (number.trim() === "") return cell.classList.contains("n") ? NaN : text(row, column);
  return number === "inf" ? Infinity : number === "-inf" ? -Infinity : Number(number);
}

function compare(a, b) {
  if (typeof a === "string" || typeof b === "string") {
    return String(a).localeCompare(String(b), "en", { numeric: true });
  }
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
  return a === b ? 0 : a < b ? -1 : 1;
}

function sort(table, column, descending) {
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [order(row, column), row]);
  const empty = (key) => Number.isNaN(key); // cells without a number stay at the end
  rows.sort(([a], [b]) => (empty(a) || empty(b) ? compare(a, b) : descending ? compare(b, a) : compare(a, b)));
  body.append(...rows.map(([, row]) => row));
  [...table.tHead.rows[0].cells].forEach((head, i) => {
    if (i === column) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
}

function prepare(table) {
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...table.tBodies[0].rows];
  heads.forEach((head, column) => {
    const button = element("button", { type: "button" }, ...head.childNodes);
    button.onclick = () => {
      const now = head.getAttribute("aria-sort");
      sort(table, column, now ? now === "ascending" : head.classList.contains("n"));
    };
    head.append(button);
  });
  const count = element("output");
  const words = element("input", { type: "search", placeholder: "words", oninput: filter });
  const selects = [];
  const bar = element("div", { className: "filters" }, element("label", {}, "search", words));
  heads.forEach((head, column) => {
    if (!("choice" in head.dataset)) return;
    const values = [...new Set(rows.map((row) => text(row, column)))];
    if (values.length < 2) return;
    const [label, select] = choice(head.textContent, ["all", ...values], "all", filter);
    selects.push([column, select]);
    bar.append(label);
  });
  function filter() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const all = row.textContent.toLowerCase();
      const fits =
        wanted.every((word) => all.includes(word)) &&
        selects.every(([column, select]) => select.value === "all" || select.value === text(row, column));
      row.hidden = !fits;
      shown += fits;
    }
    count.textContent = `${shown} of ${rows.length}`;
  }
  if (rows.length > 5) {
    bar.append(count);
    table.before(bar);
    filter();
  }
}

document.querySelectorAll("table.sortable").forEach(prepare);
