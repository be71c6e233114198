(() => {
  "use strict";
  const svg = document.getElementById("globe"), link = document.querySelector('a[href^="data:text/csv"]');
  if (!svg || !link) return;
  const words = JSON.parse(document.getElementById("words").textContent);
  const paths = [...document.getElementById("cells").children], told = document.getElementById("told");
  const cross = document.getElementById("cross"), view = document.getElementById("view");
  const [, , WIDTH, HEIGHT] = svg.getAttribute("viewBox").split(" ").map(Number);
  const BOUNDS = [0.8, 1.25, 2, 4], CLOSEST = 24, STEP = 1.6;

  /* RFC 4180: the rows of the file beside the map, in the order of the cells. */
  const parse = text => text.split("\n").filter(Boolean).map(line => {
    const fields = [""];
    let quoted = false;
    for (let i = 0; i < line.length; i++) {
      if (quoted && line[i] === '"' && line[i + 1] === '"') { fields[fields.length - 1] += '"'; i++; }
      else if (line[i] === '"') quoted = !quoted;
      else if (line[i] === "," && !quoted) fields.push("");
      else fields[fields.length - 1] += line[i];
    }
    return fields;
  });
  const [names, ...rows] = parse(decodeURIComponent(link.getAttribute("href").split(",").slice(1).join(",")));
  const figure = (row, name) => { const text = row[names.indexOf(name)]; return text ? Number(text) : null; };
  const figures = row => {
    const [magnitude, days] = view.value.split("_");
    return [figure(row, `probability_m${magnitude}_${days}d`), figure(row, `usual_m${magnitude}_${days}d`)];
  };

  const percent = p => p > 0.99 ? "> 99" : p >= 0.0995 ? (100 * p).toFixed(0) : p > 0.01 ? (100 * p).toFixed(1) : Number((100 * p).toPrecision(1)).toString();
  const chance = p => words.percent.replace("{percent}", percent(p));
  const times = ratio => ratio >= 9.95 ? ratio.toFixed(0) : ratio >= 0.095 ? ratio.toFixed(1) : ratio.toPrecision(1);
  const degrees = (value, positive, negative) => `${Math.abs(value).toFixed(2)}° ${value < 0 ? negative : positive}`;

  const colour = () => rows.forEach((row, i) => {
    const [p, usual] = figures(row), level = p === null ? "none" : BOUNDS.filter(bound => p / usual >= bound).length;
    paths[i].setAttribute("class", `c${level}${paths[i] === chosen ? " chosen" : ""}`);
  });

  let chosen = null;
  const tell = path => {
    if (!path || path === chosen) return;
    if (chosen) chosen.classList.remove("chosen");
    chosen = path;
    path.classList.add("chosen");
    describe();
  };
  const describe = () => {
    if (!chosen) return;
    const row = rows[paths.indexOf(chosen)], [p, usual] = figures(row);
    const where = `${degrees(Number(row[1]), "N", "S")}, ${degrees(Number(row[2]), "E", "W")}`;
    const filled = p === null ? words.none : words.cell.replace("{probability}", chance(p)).replace("{ratio}", times(p / usual)).replace("{usual}", chance(usual));
    told.textContent = `${row[3] ? `${row[3]} (${where})` : where}: ${filled}`;
  };

  /* What is seen: the middle, in units of the drawing, and how many times enlarged. The window keeps its shape. */
  let x = WIDTH / 2, y = HEIGHT / 2, zoom = 1;
  const show = () => {
    zoom = Math.min(Math.max(zoom, 1), CLOSEST);
    const shape = svg.clientWidth / Math.max(svg.clientHeight, 1) || WIDTH / HEIGHT;
    const width = Math.min(WIDTH, HEIGHT * shape) / zoom, height = Math.min(HEIGHT, WIDTH / shape) / zoom;
    x = Math.min(Math.max(x, width / 2), WIDTH - width / 2);
    y = Math.min(Math.max(y, height / 2), HEIGHT - height / 2);
    svg.setAttribute("viewBox", `${(x - width / 2).toFixed(2)} ${(y - height / 2).toFixed(2)} ${width.toFixed(2)} ${height.toFixed(2)}`);
    const arm = 14 * width / Math.max(svg.clientWidth, 1);
    cross.setAttribute("d", `M${x - arm} ${y}H${x + arm}M${x} ${y - arm}V${y + arm}`);
  };
  const scale = () => 1 / svg.getScreenCTM().a;
  const at = (clientX, clientY) => { const point = new DOMPoint(clientX, clientY).matrixTransform(svg.getScreenCTM().inverse()); return [point.x, point.y]; };
  const enlarge = (factor, [ax, ay] = [x, y]) => {
    const before = zoom;
    zoom = Math.min(Math.max(zoom * factor, 1), CLOSEST);
    x = ax + (x - ax) * before / zoom; y = ay + (y - ay) * before / zoom;
    show();
  };
  const whole = () => { x = WIDTH / 2; y = HEIGHT / 2; zoom = 1; show(); };
  const middle = () => {
    const box = svg.getBoundingClientRect(), point = svg.getScreenCTM();
    const under = document.elementFromPoint(point.a * x + point.e, point.d * y + point.f);
    if (under && under.parentNode && under.parentNode.id === "cells") tell(under);
    else if (box.width) nearest();
  };
  const nearest = () => {
    let best = null, least = Infinity;
    rows.forEach((row, i) => {
      if (figures(row)[0] === null) return;
      const east = ((Number(row[2]) - words.middle + 540) % 360) * words.scale - x, south = (90 - Number(row[1])) * words.scale - y;
      const away = east * east + south * south;
      if (away < least) { least = away; best = paths[i]; }
    });
    if (best && Math.sqrt(least) < 60) tell(best);
  };

  svg.addEventListener("keydown", event => {
    const far = 0.12 * WIDTH / zoom;
    const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in moves) { x += moves[event.key][0]; y += moves[event.key][1]; show(); middle(); }
    else if (event.key === "+" || event.key === "=") { enlarge(STEP); middle(); }
    else if (event.key === "-") { enlarge(1 / STEP); middle(); }
    else if (event.key === "0" || event.key === "Home") whole();
    else if (event.key === "Enter" || event.key === " ") { chosen && chosen.classList.remove("chosen"); chosen = null; middle(); }
    else return;
    event.preventDefault();
  });

  const down = new Map();
  let moved = 0;
  svg.addEventListener("pointerdown", event => {
    down.set(event.pointerId, [event.clientX, event.clientY]);
    if (down.size === 1) moved = 0;
    svg.setPointerCapture(event.pointerId);
    svg.classList.add("dragged");
  });
  svg.addEventListener("pointermove", event => {
    const before = down.get(event.pointerId);
    if (!before) { if (event.pointerType === "mouse" && event.target.parentNode.id === "cells") tell(event.target); return; }
    const spread = () => { const [a, b] = [...down.values()]; return Math.hypot(a[0] - b[0], a[1] - b[1]); };
    const apart = down.size === 2 ? spread() : 0;
    down.set(event.pointerId, [event.clientX, event.clientY]);
    moved += Math.hypot(event.clientX - before[0], event.clientY - before[1]);
    const share = 1 / down.size;
    x -= (event.clientX - before[0]) * scale() * share; y -= (event.clientY - before[1]) * scale() * share;
    show();
    if (apart) { const [a, b] = [...down.values()]; enlarge(spread() / apart, at((a[0] + b[0]) / 2, (a[1] + b[1]) / 2)); }
  });
  const up = event => {
    if (!down.delete(event.pointerId)) return;
    if (!down.size) svg.classList.remove("dragged");
    if (moved < 6 && event.type === "pointerup") {
      const under = document.elementFromPoint(event.clientX, event.clientY);
      if (under && under.parentNode.id === "cells") tell(under);
      else { const [px, py] = at(event.clientX, event.clientY), kept = [x, y]; x = px; y = py; nearest(); [x, y] = kept; }
    }
  };
  svg.addEventListener("pointerup", up);
  svg.addEventListener("pointercancel", up);
  svg.addEventListener("wheel", event => {
    if (zoom === 1 && event.deltaY > 0) return; /* the page scrolls on */
    event.preventDefault();
    enlarge(Math.exp(-Math.sign(event.deltaY) * Math.min(Math.abs(event.deltaY), 60) / 200), at(event.clientX, event.clientY));
  }, { passive: false });
  svg.addEventListener("dblclick", event => enlarge(STEP, at(event.clientX, event.clientY)));
  document.getElementById("closer").addEventListener("click", () => enlarge(STEP));
  document.getElementById("farther").addEventListener("click", () => enlarge(1 / STEP));
  document.getElementById("whole").addEventListener("click", whole);
  window.addEventListener("resize", show);
  view.addEventListener("change", () => { colour(); describe(); });

  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "application");
  document.getElementById("tools").hidden = false;
  told.textContent = words.start;
  show();
})();
