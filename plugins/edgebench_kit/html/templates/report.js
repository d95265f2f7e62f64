"use strict";
// The page is whole without this script, but for its charts: it draws them, and sorts and filters
// the table. Nothing of it is fetched, and no text of a run becomes markup.
(() => {
  const root = document.documentElement;

  // --- charts ------------------------------------------------------------------------------------

  const items = new Map(
    [...document.querySelectorAll("script[data-chart]")].map((one) => [one.dataset.chart, one.textContent])
  );
  const waiting = new Set(items.keys());
  const placeholders = JSON.parse(document.getElementById("colours").textContent);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = document.getElementById("theme");

  function paint(text) {
    root.dataset.painted = theme.value || (dark.matches ? "dark" : "light");
    const ink = getComputedStyle(document.body).color;
    const faint = getComputedStyle(document.querySelector("footer")).borderTopColor;
    return text.replaceAll(placeholders.ink, ink).replaceAll(placeholders.faint, faint);
  }

  function draw(name) {
    waiting.delete(name);
    const place = document.getElementById(name);
    place.replaceChildren();
    // One that cannot be drawn, in a browser too old perhaps, is to keep no other from it.
    return Promise.resolve()
      .then(() => Bokeh.embed.embed_item(JSON.parse(paint(items.get(name))), name))
      .catch((error) => {
        place.textContent = "This chart cannot be drawn here; its figures are in the table below.";
        console.error(name, error);
      });
  }

  // Those in sight first, and the others one by one while nothing else is to be done: whoever
  // scrolls or prints finds them.
  const inSight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting && waiting.has(entry.target.id)) draw(entry.target.id);
    }
  }, { rootMargin: "300px" });
  const later = window.requestIdleCallback ?? ((call) => setTimeout(call, 50));

  function drawNext() {
    const [name] = waiting;
    if (name === undefined) {
      root.dataset.drawn = "all";
      return;
    }
    draw(name).then(() => later(drawNext));
  }

  for (const name of items.keys()) inSight.observe(document.getElementById(name));
  later(drawNext);
  addEventListener("beforeprint", () => {
    for (const name of waiting) draw(name);
    for (const one of document.querySelectorAll("#doubts details, .answer details")) one.open = true;
  });

  // --- light and dark ----------------------------------------------------------------------------

  function redraw() {
    for (const name of items.keys()) if (!waiting.has(name)) draw(name);
  }

  theme.addEventListener("change", () => {
    root.dataset.theme = theme.value;
    redraw();
  });
  dark.addEventListener("change", redraw);

  // --- the table ---------------------------------------------------------------------------------

  const table = document.getElementById("table");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const form = document.getElementById("filters");
  const search = document.getElementById("search");
  const choices = [...form.querySelectorAll("select[data-filter]")];
  const count = document.getElementById("count");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  function show() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const found = words.every((word) => texts.get(row).includes(word))
        && choices.every((one) => !one.value || row.dataset[one.dataset.filter] === one.value);
      row.hidden = !found;
      shown += found;
    }
    count.textContent = `${shown} of ${rows.length} cases`;
  }

  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show));

  const order = new Intl.Collator("en", { numeric: true });

  // What has no figure stands last, whichever way is sorted.
  function compare(one, other, figures) {
    if (!figures) return order.compare(one.textContent, other.textContent);
    return Number(one.dataset.s) - Number(other.dataset.s);
  }

  function sort(at) {
    const head = heads[at];
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const one of heads) one.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const figures = rows.some((row) => "s" in row.cells[at].dataset);
    const lacking = rows.filter((row) => figures && !("s" in row.cells[at].dataset));
    const known = rows.filter((row) => !lacking.includes(row));
    known.sort((a, b) => (down ? -1 : 1) * compare(a.cells[at], b.cells[at], figures));
    body.append(...known, ...lacking);
  }

  heads.forEach((head, at) => head.querySelector("button").addEventListener("click", () => sort(at)));
})();
