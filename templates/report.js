(() => {
  "use strict";
  const element = document.getElementById("chart-specs");
  if (!element || !window.quakecastEmbed || !("IntersectionObserver" in window)) return;
  const specs = JSON.parse(element.textContent);

  /* RFC 4180, with a first line of names; an empty field is null, what looks like a number is one. */
  const parse = text => {
    const lines = [[""]];
    let quoted = false;
    for (let i = 0; i < text.length; i++) {
      const line = lines[lines.length - 1], char = text[i];
      if (quoted && char === '"' && text[i + 1] === '"') { line[line.length - 1] += '"'; i++; }
      else if (char === '"') quoted = !quoted;
      else if (char === "," && !quoted) line.push("");
      else if (char === "\n" && !quoted) lines.push([""]);
      else line[line.length - 1] += char;
    }
    const value = field => field === "" ? null : /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(field) ? Number(field) : field;
    const [names, ...rows] = lines.filter(line => line.length > 1);
    return rows.map(row => Object.fromEntries(names.map((name, i) => [name, value(row[i])])));
  };

  const extra = {
    history: () => ({}),
    reliability: rows => ({ diagonal: [{ v: 0 }, { v: Math.max(...rows.flatMap(row => [row.probability, row.observed])) }] }),
    gain: () => ({ zero: [{ v: 0 }] }),
  };

  const draw = async figure => {
    const picture = figure.querySelector(".static"), link = figure.querySelector("a[download]");
    const name = figure.dataset.chart, uri = link.getAttribute("href");
    const rows = parse(decodeURIComponent(uri.slice(uri.indexOf(",") + 1)));
    const place = document.createElement("div");
    place.className = "live";
    place.setAttribute("role", "img");
    place.setAttribute("aria-label", picture.firstElementChild.getAttribute("aria-label"));
    picture.after(place);
    try {
      const spec = { ...specs[name], datasets: { rows, ...extra[name](rows) } };
      if (name === "gain") spec.height *= rows.length;
      if (name === "reliability") spec.params = [{ name: "top", value: Math.min(1, 1.15 * Math.max(...rows.flatMap(row => [row.probability, row.observed]))) }];
      await window.quakecastEmbed(place, spec, { mode: "vega-lite", renderer: "svg", ast: true, actions: false, logLevel: 1 });
      place.querySelector("svg").setAttribute("aria-hidden", "true"); /* the label of the place says it; the table has the figures */
      picture.hidden = true;
      figure.dataset.drawn = "";
    } catch (error) {
      place.remove();
      console.warn("chart not drawn, its picture stays:", error);
    }
  };

  const seen = new IntersectionObserver(entries => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      seen.unobserve(entry.target);
      draw(entry.target);
    }
  }, { rootMargin: "150px" });
  for (const figure of document.querySelectorAll("figure[data-chart]")) seen.observe(figure);
})();

/* The search of the index of a large report: it shows those of the listed places whose line has all the words. */
(() => {
  "use strict";
  const field = document.getElementById("find"), list = document.getElementById("places"), found = document.getElementById("found");
  if (!field || !list || !found) return;
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const lines = [...list.children].map(line => ({ line, text: fold(`${line.textContent} ${line.querySelector("a").hash}`) }));
  const box = document.getElementById("all-places");
  const search = () => {
    const words = fold(field.value).split(/\s+/).filter(Boolean);
    let count = 0;
    for (const { line, text } of lines) {
      line.hidden = !words.every(word => text.includes(word));
      count += line.hidden ? 0 : 1;
    }
    if (words.length) box.open = true;
    found.textContent = !words.length ? "" : count ? found.dataset.some.replace("{}", count) : found.dataset.none;
  };
  field.addEventListener("input", search);
  field.addEventListener("keydown", event => {
    const first = lines.find(({ line }) => !line.hidden);
    if (event.key === "Enter" && field.value.trim() && first) first.line.querySelector("a").click();
    if (event.key === "Escape") { field.value = ""; search(); }
  });
  field.closest(".finder").hidden = false;
  search(); /* a browser may restore what was typed */
})();
