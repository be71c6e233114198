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

/* The search of the index of a large report: it shows the places whose line has all the words. All lines are on the page, or, of very many
   places, in its data; the first of those that are found are then written. */
(() => {
  "use strict";
  const field = document.getElementById("find"), list = document.getElementById("places"), found = document.getElementById("found");
  if (!field || !list || !found) return;
  const fold = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const FIRST = 50, box = document.getElementById("all-places"), data = document.getElementById("place-data");
  const write = (href, name, figures) => {
    const line = document.createElement("li"), link = document.createElement("a"), small = document.createElement("span");
    link.href = href;
    link.append(document.createElement("bdi"));
    link.firstChild.textContent = name;
    small.className = "small";
    small.textContent = figures;
    line.append(link, " ", small);
    return line;
  };
  const ofData = ({ pages, places }) => places.map(([page, id, name, magnitude, radius, probability, ratio]) => {
    const [address, group] = pages[page];
    const figures = `M ≥ ${magnitude}, ${radius} km, ${group}: ${probability}, ×${ratio}`;
    return { text: fold(`${name} ${figures} #about-${id}`), line: () => write(`${address}#about-${id}`, name, figures) };
  });
  const lines = data ? ofData(JSON.parse(data.textContent))
    : [...list.children].map(line => ({ line, text: fold(`${line.textContent} ${line.querySelector("a").hash}`) }));
  const search = () => {
    const words = fold(field.value).split(/\s+/).filter(Boolean);
    const has = ({ text }) => words.every(word => text.includes(word));
    const some = data && !words.length ? [] : lines.filter(has), count = some.length;
    if (data) list.replaceChildren(...some.slice(0, FIRST).map(({ line }) => line()));
    else for (const each of lines) each.line.hidden = !has(each);
    if (words.length && box) box.open = true;
    const told = !count ? found.dataset.none : data && count > FIRST ? found.dataset.first.replace("[]", FIRST) : found.dataset.some;
    found.textContent = words.length ? told.replace("{}", count) : "";
  };
  field.addEventListener("input", search);
  field.addEventListener("keydown", event => {
    const first = list.querySelector("li:not([hidden]) a");
    if (event.key === "Enter" && field.value.trim() && first) first.click();
    if (event.key === "Escape") { field.value = ""; search(); }
  });
  field.closest(".finder").hidden = false;
  search(); /* a browser may restore what was typed */
})();
