// What a page can do beyond being read: stop and turn moving pictures, open figures larger, sort and fold tables, search.
"use strict";
const all = (what, within = document) => [...within.querySelectorAll(what)];
function make(tag, properties = {}, ...inside) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
}

// A moving picture: its strip holds all frames below each other, that in the middle belongs to the value 0.
const still = matchMedia("(prefers-reduced-motion: reduce)");
for (const image of all("img[data-strip]")) {
  const last = image.dataset.frames - 1;
  const view = make("div", {className: "strip", role: "img", ariaLabel: image.alt});
  const slider = make("input", {type: "range", min: 0, max: last, value: last / 2, ariaLabel: "Set the latent dimension"});
  const button = make("button", {type: "button"});
  let timer = 0, step = 1;
  const show = () => {
    view.style.backgroundPositionY = `${100 * slider.value / last}%`;
    slider.ariaValueText = `${-4 + 8 * slider.value / last}`;
  };
  const move = () => {
    if (+slider.value === (step > 0 ? last : 0)) step = -step;
    slider.value = +slider.value + step;
    show();
  };
  const play = on => {
    clearInterval(timer);
    timer = on ? setInterval(move, 160) : 0;
    button.textContent = on ? "Pause" : "Play";
  };
  button.onclick = () => play(!timer);
  slider.oninput = () => { play(false); show(); };
  const dress = () => {
    view.style.cssText = `aspect-ratio:${image.naturalWidth}/${image.naturalHeight};max-width:min(${image.width || image.naturalWidth}px, ${90 * image.naturalWidth / image.naturalHeight}vh);`
      + `background-image:url("${image.dataset.strip}");background-size:100% ${100 * (last + 1)}%`;
    const link = image.closest("a"), larger = make("a", {href: link?.href, textContent: "Open larger"});
    link?.replaceWith(view, make("p", {className: "turn"}, button, " −4 ", slider, " +4 ", larger));
    show();
    play(!still.matches);
  };
  image.complete && image.naturalWidth ? dress() : image.addEventListener("load", dress, {once: true});
  still.onchange = () => play(!still.matches);
}

// A decoder that runs here: its script is loaded when a slider is first touched.
for (const place of all(".live")) {
  const {side, end, controls, items, first, drawn} = JSON.parse(place.dataset.panel), frames = [...place.childNodes];
  const canvas = make("canvas", {width: side, height: side, role: "img"});
  const paint = ink => {
    const pixels = new ImageData(side, side);
    ink.forEach((value, i) => { pixels.data[4 * i + 3] = 255 * value; });
    canvas.getContext("2d").putImageData(pixels, 0, 0);
  };
  const choice = make("select", {}, ...items.map((item, i) => make("option", {value: i, textContent: item.name})));
  const rows = controls.map(({name}) => {
    const slider = make("input", {type: "range", min: -end, max: end, step: 0.1});
    return {slider, value: make("output"), label: make("label", {}, make("span", {textContent: name}), slider)};
  });
  let script;
  const load = () => {
    if (script) return;
    script = make("script", {src: place.dataset.script});
    script.onload = turn;
    script.onerror = () => place.replaceChildren(...frames, make("p", {textContent: `There is no file ${place.dataset.script}: precomputed frames instead.`}));
    document.head.append(script);
  };
  const say = () => {
    for (const {slider, value} of rows) value.textContent = (+slider.value).toFixed(1).replace("-", "−");
    canvas.ariaLabel = `${items[choice.value].name}, decoded with the sliders as they are set`;
  };
  const turn = () => {
    say();
    if (!window.live) return load();
    const z = [...items[choice.value].z];
    rows.forEach(({slider}, k) => { z[controls[k].dimension] = +slider.value; });
    paint(window.live(z));
  };
  const settle = () => rows.forEach(({slider}, k) => { slider.value = items[choice.value].z[controls[k].dimension]; });
  const button = make("button", {type: "button", textContent: "Reset"});
  choice.value = first;
  choice.onchange = button.onclick = () => { settle(); turn(); };
  for (const {slider, value, label} of rows) {
    label.append(value);
    slider.oninput = turn;
    slider.onpointerdown = load;
  }
  settle();
  say();
  paint(drawn.map(value => value / 255));
  place.replaceChildren(canvas, make("div", {className: "sliders"},
    make("p", {}, make("label", {}, "Start from ", choice), " ", button), ...rows.map(row => row.label)));
}

// A figure, larger: at its own size, to be moved about in.
const dialog = make("dialog", {className: "lightbox"});
dialog.onclick = () => dialog.close();
document.body.append(dialog);
for (const link of all("a.larger")) {
  link.onclick = event => {
    event.preventDefault();
    const copy = make("img", {src: link.href, alt: link.firstElementChild.alt});
    dialog.replaceChildren(make("button", {type: "button", textContent: "Close"}), copy);
    dialog.showModal();
  };
}

// A table, sorted by the column whose heading is pressed.
for (const table of all("article table")) {
  const heads = table.tHead?.rows.length === 1 ? [...table.tHead.rows[0].cells] : [];
  const body = table.tBodies[0];
  if (!body || body.rows.length < 4 || all("[rowspan], [colspan]", table).length) continue;
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replace("−", "-").replaceAll(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  const compare = (a, b) => typeof a === typeof b ? (a > b) - (a < b) : typeof a === "number" ? -1 : 1;
  heads.forEach((head, column) => {
    if (!head.textContent.trim()) return;
    const sort = make("button", {type: "button", className: "sort", title: "Sort by this column"});
    sort.append(...head.childNodes);
    head.append(sort);
    sort.onclick = event => {
      if (event.target.closest("a")) return;
      const up = head.ariaSort !== "ascending";
      heads.forEach(other => other.removeAttribute("aria-sort"));
      head.ariaSort = up ? "ascending" : "descending";
      const rows = [...table.tBodies].flatMap(part => [...part.rows]).sort((a, b) => compare(value(a, column), value(b, column)));
      body.append(...(up ? rows : rows.reverse()));
      table.dispatchEvent(new Event("sorted"));
    };
  });
}

// A long table shows its first rows. A search in the page finds the others, too, and shows them.
const LONG = 25, SHOWN = 10; // rows
for (const box of all("article section .scroll")) {
  const table = box.querySelector("table"), body = table?.tBodies[0], count = body?.rows.length ?? 0;
  if (count <= LONG) continue;
  const rest = make("tbody", {id: `rows-${all(".rest").length + 1}`, className: "rest"});
  const button = make("button", {type: "button", className: "fold"});
  button.setAttribute("aria-controls", rest.id);
  body.after(rest);
  const show = open => {
    const rows = [...body.rows, ...rest.rows];
    (open ? body : rest).append(...rows.slice(SHOWN));
    if (open) rest.removeAttribute("hidden");
    else rest.setAttribute("hidden", "until-found");
    button.ariaExpanded = open;
    button.textContent = open ? `Show the first ${SHOWN} rows` : `Show all ${count} rows`;
  };
  button.onclick = () => {
    show(rest.hasAttribute("hidden"));
    if (rest.rows.length) button.scrollIntoView({block: "nearest"});
  };
  rest.addEventListener("beforematch", () => show(true));
  table.addEventListener("sorted", () => show(!rest.hasAttribute("hidden")));
  (box.closest("figure")?.querySelector(":scope > figcaption") ?? box).after(button);
  show(false);
}

// A link to code opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let one = target?.closest("details"); one; one = one.parentElement.closest("details")) one.open = true;
  target?.scrollIntoView();
}
addEventListener("hashchange", unfold);
if (location.hash) unfold();

// The search: sections that hold all words, those with most of them in their headings first.
const found = document.getElementById("found");
if (found) {
  const index = JSON.parse(document.getElementById("index").textContent);
  const asked = new URLSearchParams(location.search).get("q")?.trim() ?? "";
  for (const input of all("input[type=search]")) input.value = asked;
  const words = asked.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = index.map(([title, page, id, heading, text]) => {
    const named = `${title} ${heading}`.toLowerCase(), whole = `${named} ${text.toLowerCase()}`;
    const score = words.every(w => whole.includes(w))
      ? words.reduce((sum, w) => sum + 10 * named.includes(w) + Math.min(9, whole.split(w).length - 1), 0) : 0;
    return {title, page, id, heading, text, score};
  }).filter(hit => hit.score > 0).sort((a, b) => b.score - a.score);
  if (words.length) found.append(make("p", {textContent: `${hits.length} section${hits.length === 1 ? "" : "s"} with “${asked}”`}));
  for (const hit of hits.slice(0, 40)) {
    const at = Math.max(0, hit.text.toLowerCase().indexOf(words[0]) - 60);
    const link = make("a", {href: hit.page + (hit.id && `#${hit.id}`), textContent: hit.id ? `${hit.title} › ${hit.heading}` : hit.title});
    found.append(make("p", {className: "hit"}, link, make("br"), (at ? "… " : "") + hit.text.slice(at, at + 180) + " …"));
  }
}
