/* What a reader cannot read on the page as it stands: a list of [fault, text], empty where all is well. Widths and heights in CSS pixels. */
() => {
  const SLACK = 1.5, NARROW = 20;
  const faults = [];
  const tell = (fault, text) => faults.push([fault, text.trim().replace(/\s+/g, " ").slice(0, 60)]);
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > width) tell("page wider than the window", `${document.documentElement.scrollWidth} > ${width}`);

  const scrolls = node => ["auto", "scroll"].includes(getComputedStyle(node).overflowX);
  const clips = node => ["hidden", "clip"].includes(getComputedStyle(node).overflowX);
  const drawn = node => {
    if (!node.checkVisibility({ checkVisibilityCSS: true, checkOpacity: true })) return false;
    for (let up = node; up; up = up.parentElement) if (getComputedStyle(up).clipPath.startsWith("inset(50%")) return false;
    return node.getBoundingClientRect().right > 0; /* the link to the forecasts waits outside the page */
  };

  for (const node of document.querySelectorAll("body *")) {
    if (scrolls(node) && drawn(node) && node.scrollWidth > node.clientWidth + 1) {
      const hint = node.previousElementSibling;
      if (!(hint && hint.matches(".sideways") && drawn(hint))) tell("cut at the side without a word", node.getAttribute("aria-label") || node.className);
    }
  }

  const spots = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const holder = text.parentElement, said = text.data.trim();
    if (!said || holder.closest("script, style, title, desc, .pill") || !drawn(holder)) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = [...range.getClientRects()].filter(line => line.width > 0.5 && line.height > 0.5);
    const svg = holder.closest("svg");
    if (svg && getComputedStyle(svg).overflow !== "visible") {
      const frame = svg.getBoundingClientRect();
      for (const line of lines) {
        if (line.left < frame.left - SLACK || line.right > frame.right + SLACK || line.bottom > frame.bottom + 3 || line.top < frame.top - 3) tell("cut by its picture", said);
      }
    }
    let scroller = null;
    for (let up = holder; up && up !== document.body; up = up.parentElement) {
      const box = up.getBoundingClientRect();
      if (scrolls(up)) { scroller ??= up; break; }
      if (!svg && clips(up) && lines.some(line => line.right > box.right + SLACK || line.left < box.left - SLACK)) tell("cut by its box", said);
    }
    if (!scroller && lines.some(line => line.right > width + SLACK || line.left < -SLACK)) tell("outside the window", said);
    const cell = holder.closest("td, th, dd, dt, li");
    if (cell && !svg) {
      const room = cell.getBoundingClientRect().width, letters = said.replace(/\s/g, "").length;
      if (room < NARROW && letters > 2) tell("column too narrow", said);
      const words = said.split(/[\s/\-–,;:()_.]+/).filter(Boolean).length;
      const rows = new Set(lines.map(line => Math.round(line.top))).size;
      if (/^[\x20-\x7e]+$/.test(said) && !/\w{21}/.test(said) && rows > words + 1) tell("words broken into letters", said);
    }
    for (const line of lines) {
      const inset = svg ? 0.22 : 0.28;
      const spot = { text, said, svg, left: line.left + 1, right: line.right - 1, top: line.top + inset * line.height, bottom: line.bottom - inset * line.height };
      if (scroller) { /* what is scrolled out of sight covers nothing */
        const frame = scroller.getBoundingClientRect();
        spot.scroller = scroller;
        if (spot.top > frame.bottom || spot.bottom < frame.top) continue;
      }
      spots.push(spot);
    }
  }
  spots.sort((a, b) => a.top - b.top);
  for (let i = 0; i < spots.length; i++) {
    for (let j = i + 1; j < spots.length && spots[j].top < spots[i].bottom; j++) {
      const [a, b] = [spots[i], spots[j]];
      if (a.text === b.text || a.scroller !== b.scroller) continue;
      if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > SLACK && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > SLACK) tell("printed over each other", `${a.said} | ${b.said}`);
    }
  }
  return faults;
}
