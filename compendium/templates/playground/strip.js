"use strict";
// The whole tune as a strip of measures, each a button that chooses it; and the choice in words, as on the command line.

/** "3-6, 9" or "12-" -> measures from 0 (places in arvae/edit/wishes.py); null for what is none. */
function placesOf(text, count) {
  const chosen = new Set();
  for (const part of text.split(",")) {
    const found = /^\s*(\d+)\s*(?:(-)\s*(\d*))?\s*$/.exec(part);
    if (!found) return null;
    const first = Number(found[1]), last = found[2] ? Number(found[3] || count) : first;
    if (first < 1 || last > count || first > last) return null;
    for (let m = first; m <= last; m++) chosen.add(m - 1);
  }
  return chosen;
}

/** Measures as people write them: "1-4, 7". */
function inRanges(chosen) {
  const runs = [];
  for (const m of [...chosen].sort((a, b) => a - b)) {
    const run = runs[runs.length - 1];
    if (run && run[1] === m - 1) run[1] = m;
    else runs.push([m, m]);
  }
  return runs.map(([a, b]) => (a === b ? `${a + 1}` : `${a + 1}-${b + 1}`)).join(", ");
}

/** A measure, small: filled bars are the notes, outlines the original ones. */
function miniature(measure, original, [low, high]) {
  const tall = 34, y = (pitch) => fixed(2 + ((high - pitch) / (high - low || 1)) * (tall - 7));
  const bars = (row, kind) => toNotes([row]).map(({ pitch, start, length }) =>
    `<rect class="${kind}" x="${start + 0.5}" y="${y(pitch)}" width="${Math.max(length - 1, 1)}" height="3" rx="1"/>`).join("");
  return `<svg viewBox="0 0 48 ${tall}" aria-hidden="true">${bars(original, "original")}${bars(measure, "note")}</svg>`;
}

/** onChoose(Set of measures, or null for all) when the reader chooses. */
function measureStrip(name, onChoose) {
  let count = 0, chosen = null, anchor = 0, drawn = [];
  const row = element("div.strip", { role: "group", "aria-label": "measures of the tune" });
  const id = `${name}-measures`;
  const field = element("input", { type: "text", id, placeholder: "all", size: 8, inputmode: "text", autocomplete: "off", onchange: () => {
    const text = field.value.trim(), found = text === "" || text === "all" ? null : placesOf(text, count);
    const wrong = found === null && text !== "" && text !== "all";
    field.setAttribute("aria-invalid", wrong);
    if (!wrong) onChoose(found);
  } });
  const all = button("All measures", () => onChoose(null));
  function click(event, m) {
    const only = chosen?.size === 1 && chosen.has(m);
    let next = new Set([m]);
    if (event.shiftKey) next = new Set(Array.from({ length: Math.abs(m - anchor) + 1 }, (_, i) => Math.min(m, anchor) + i));
    else if (event.ctrlKey || event.metaKey) {
      next = new Set(chosen ?? []);
      if (!next.delete(m)) next.add(m);
    } else if (only) next = null;
    if (!event.shiftKey) anchor = m;
    onChoose(next?.size ? next : null);
  }
  row.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key], at = [...row.children].indexOf(document.activeElement);
    if (!step || at < 0) return;
    event.preventDefault();
    row.children[clamp(at + step, 0, count - 1)].focus();
  });
  function reset(many) {
    count = many;
    drawn = [];
    row.replaceChildren(...Array.from({ length: many }, (_, m) => element("button.bar", { type: "button", onclick: (event) => click(event, m) },
      element("span.picture"), element("span.number", { text: m + 1 }))));
  }
  function show(measures, original, selection, touched, window) {
    chosen = selection;
    const pitches = [...measures, ...original].flat().filter((symbol) => symbol >= 0), range = [Math.min(...pitches), Math.max(...pitches)];
    measures.forEach((measure, m) => {
      const one = row.children[m], key = `${measure}|${original[m]}|${range}`;
      if (drawn[m] !== key) one.firstChild.innerHTML = miniature(measure, original[m], range);
      drawn[m] = key;
      one.setAttribute("aria-pressed", selection === null || selection.has(m));
      one.setAttribute("aria-label", `measure ${m + 1}${touched(m) ? ", edited" : ""}`);
      one.classList.toggle("edited", touched(m));
      one.classList.toggle("seen", m >= window[0] && m < window[0] + window[1]);
    });
    all.setAttribute("aria-pressed", selection === null);
    if (document.activeElement !== field) field.value = selection === null ? "" : inRanges(selection);
  }
  const scrollTo = (m) => {
    const one = row.children[m];
    if (one && (one.offsetLeft < row.scrollLeft || one.offsetLeft + one.offsetWidth > row.scrollLeft + row.clientWidth)) {
      row.scrollLeft = one.offsetLeft - 12;
    }
  };
  const root = element("div.measures", {}, row, element("div.row", {}, all,
    element("span.pair", {}, element("label", { for: id, text: "or only measures" }), field)));
  return { root, row, field, reset, show, scrollTo };
}
