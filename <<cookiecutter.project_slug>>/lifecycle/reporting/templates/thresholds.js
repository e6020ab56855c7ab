// What a threshold costs: the counts stand in the table, the reader says what an error costs.
(() => {
  const part = id => document.getElementById(id);
  const rows = [...part("thresholds").tBodies[0].rows];
  const price = id => Math.max(0, Number(part(id).value) || 0);
  const show = () => {
    for (const row of rows) {
      const [, , wrong, , missed] = [...row.cells].map(cell => Number(cell.textContent));
      row.cells[7].textContent = Number((wrong * price("wrong") + missed * price("missed")).toPrecision(6));
    }
    const cost = row => Number(row.cells[7].textContent);
    const name = row => row.cells[0].textContent.split(" ")[0];
    const chosen = rows[part("at").value];
    const lowest = rows.reduce((best, row) => cost(row) < cost(best) ? row : best);
    for (const place of part("chosen").querySelectorAll("[data-of]")) {
      place.textContent = chosen.cells[place.dataset.of].textContent;
    }
    part("from").textContent = name(chosen);
    part("at").setAttribute("aria-valuetext", name(chosen));
    part("lowest").textContent = `Of these thresholds ${name(lowest)} costs least: ${cost(lowest)}.`;
  };
  for (const id of ["at", "wrong", "missed"]) part(id).addEventListener("input", show);
  part("present").addEventListener("click", () => { part("at").value = part("present").dataset.place; show(); });
  document.querySelector(".explorer").addEventListener("submit", event => event.preventDefault());
  show();
})();
