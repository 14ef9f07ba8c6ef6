// SPDX-License-Identifier: MIT
// The page works without a network and without this script; with it, time lines and memory
// maps are drawn when they come into view. Rows are drawn only where one looks, so that a
// guest's log may have many thousands.
"use strict";
const ROW = 20, GUTTER = 66, LATE = 1, BAD = 2;
const DARK = matchMedia("(prefers-color-scheme: dark)");
const color = name => getComputedStyle(document.documentElement).getPropertyValue("--" + name);
const $ = (root, what) => root.querySelector(what);
const hex = n => "0x" + n.toString(16);

function size(n) {
  const units = [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]];
  const [one, name] = units.find(([least]) => n >= least) ?? [1, "B"];
  return (n % one === 0 ? n / one : (n / one).toFixed(1)) + " " + name;
}

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

async function unpack(id) {
  const packed = atob(document.getElementById(id).textContent.trim());
  const bytes = Uint8Array.from(packed, char => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

class TimeLine {
  constructor(view, data) {
    this.view = view;
    this.sources = data.sources;
    this.rows = data.rows;  // [us, source, flags, length in us, text]
    this.lower = this.rows.map(row => row[4].toLowerCase());
    this.list = $(view, ".rows");
    this.all = $(view, ".all");
    this.canvas = $(view, ".lanes");
    this.search = $(view, "[type=search]");
    this.from = $(view, ".from");
    this.to = $(view, ".to");
    this.onlyBad = $(view, ".onlybad");
    const times = this.rows.map(row => row[0]);
    const last = this.rows.reduce((most, row) => Math.max(most, row[0] + row[3]), 0);
    this.ends = times.length ? [times[0], Math.max(last, times[0] + 1000)] : [0, 1e6];
    [this.a, this.b] = this.ends;
    this.shown = [];
    this.picked = -1;  // index into rows
    this.onPick = () => {};
    this.listen();
    this.apply();
  }

  listen() {
    $(this.view, ".tools").addEventListener("input", event => {
      if (event.target === this.from || event.target === this.to) this.typed();
      this.apply();
    });
    for (const button of this.view.querySelectorAll("[data-zoom]"))
      button.addEventListener("click", () => this.zoom(Number(button.dataset.zoom)));
    this.list.addEventListener("scroll", () => this.soon());
    this.list.addEventListener("keydown", event => this.key(event));
    this.list.addEventListener("mousedown", event => {
      const row = event.target.closest(".row");
      if (row) this.pick(Number(row.dataset.at));
    });
    this.search.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === "Escape") this.list.focus();
    });
    const canvas = this.canvas;
    canvas.addEventListener("keydown", event => this.key(event));
    canvas.addEventListener("pointerdown", event => {
      canvas.setPointerCapture(event.pointerId);
      this.drag = [event.offsetX, event.offsetX];
    });
    canvas.addEventListener("pointermove", event => {
      if (!this.drag) return;
      this.drag[1] = event.offsetX;
      this.draw();
    });
    canvas.addEventListener("pointerup", () => this.dropped());
    canvas.addEventListener("dblclick", () => this.zoom(0));
    canvas.addEventListener("wheel", event => {
      if (!event.ctrlKey && document.activeElement !== canvas) return;  // the page scrolls
      event.preventDefault();
      this.zoom(event.deltaY < 0 ? 2 : 0.5, this.time(event.offsetX));
    }, {passive: false});
    new ResizeObserver(() => { this.draw(); this.soon(); }).observe(this.view);
    DARK.addEventListener("change", () => this.draw());
  }

  time(x) {
    const part = Math.max(0, x - GUTTER) / (this.canvas.clientWidth - GUTTER);
    return this.a + (this.b - this.a) * part;
  }

  x(us) { return GUTTER + (us - this.a) / (this.b - this.a) * (this.canvas.clientWidth - GUTTER); }

  dropped() {
    const [from, to] = [...this.drag].sort((m, n) => m - n);
    this.drag = null;
    if (to - from > 3) this.range(this.time(from), this.time(to));
    else this.nearest(this.time(from));
  }

  nearest(us) {
    let best = -1;
    this.shown.forEach((row, at) => {
      if (best < 0 || Math.abs(this.rows[row][0] - us) < Math.abs(this.rows[this.shown[best]][0] - us))
        best = at;
    });
    this.draw();
    if (best >= 0) this.pick(best);
  }

  range(a, b) {
    const least = 10;  // us
    [this.a, this.b] = [Math.max(a, this.ends[0]), Math.min(b, this.ends[1])];
    if (this.b - this.a < least) this.b = this.a + least;
    const whole = this.a === this.ends[0] && this.b === this.ends[1];
    this.from.value = whole ? "" : (this.a / 1e6).toFixed(6);
    this.to.value = whole ? "" : (this.b / 1e6).toFixed(6);
    this.apply();
  }

  typed() {
    const [a, b] = [parseFloat(this.from.value) * 1e6, parseFloat(this.to.value) * 1e6];
    this.a = Number.isNaN(a) ? this.ends[0] : a;
    this.b = Number.isNaN(b) ? this.ends[1] : b;
    if (this.b <= this.a) this.b = this.a + 10;
  }

  zoom(factor, at) {
    if (factor === 0) return this.range(...this.ends);
    const picked = this.picked >= 0 ? this.rows[this.picked][0] : NaN;
    const inside = picked >= this.a && picked <= this.b;
    const middle = at ?? (inside ? picked : (this.a + this.b) / 2);
    const left = (middle - this.a) / factor, right = (this.b - middle) / factor;
    return this.range(middle - left, middle + right);
  }

  pan(part) {
    const step = (this.b - this.a) * part;
    const moved = Math.min(Math.max(step, this.ends[0] - this.a), this.ends[1] - this.b);
    this.range(this.a + moved, this.b + moved);
  }

  apply() {
    const boxes = [...this.view.querySelectorAll(".source")];
    const on = new Set(boxes.filter(box => box.checked).map(box => this.sources.indexOf(box.value)));
    const text = this.search.value.toLowerCase(), bad = this.onlyBad.checked;
    this.shown = [];
    this.rows.forEach((row, at) => {
      if (on.has(row[1]) && row[0] <= this.b && row[0] + row[3] >= this.a &&
          (!bad || row[2] & BAD) && (text === "" || this.lower[at].includes(text)))
        this.shown.push(at);
    });
    this.all.style.height = this.shown.length * ROW + "px";
    const widest = this.shown.reduce((most, at) => Math.max(most, this.rows[at][4].length), 0);
    this.all.style.width = `calc(${Math.min(widest, 4000) + 2}ch + 14.6rem)`;
    $(this.view, "output").textContent = this.shown.length + " of " + this.rows.length + " rows";
    const at = this.shown.indexOf(this.picked);
    if (at >= 0) this.reveal(at);
    this.drawRows();
    this.draw();
  }

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const inCanvas = event.target === this.canvas;
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1);
    const at = this.shown.indexOf(this.picked), end = this.shown.length - 1;
    const moves = {ArrowDown: at + 1, ArrowUp: at < 0 ? end : at - 1, PageDown: at + page,
      PageUp: at - page, Home: 0, End: end, n: this.next(at, 1), p: this.next(at, -1)};
    const views = {"+": () => this.zoom(2), "=": () => this.zoom(2), "-": () => this.zoom(0.5),
      "0": () => this.zoom(0), "/": () => this.search.focus()};
    const sideways = {ArrowLeft: () => this.pan(-0.2), ArrowRight: () => this.pan(0.2)};
    if (views[event.key]) views[event.key]();
    else if (inCanvas && sideways[event.key]) sideways[event.key]();
    else if (event.key in moves) this.pick(Math.min(Math.max(moves[event.key], 0), end));
    else return;
    event.preventDefault();
  }

  next(at, step) {
    for (let to = at + step; to >= 0 && to < this.shown.length; to += step)
      if (this.rows[this.shown[to]][2] & BAD) return to;
    return at;
  }

  pick(at) {
    if (at < 0 || at >= this.shown.length) return;
    this.picked = this.shown[at];
    this.reveal(at);
    const row = this.rows[this.picked];
    const length = row[3] ? `  (took ${(row[3] / 1e6).toFixed(3)} s)` : "";
    $(this.view, ".one").textContent =
      `${stamp(row)} s  ${this.sources[row[1]]}${length}\n${row[4]}`;
    this.drawRows();
    this.draw();
    this.onPick(row[0]);
  }

  reveal(at) {
    const top = at * ROW, list = this.list;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + list.clientHeight)
      list.scrollTop = top + ROW - list.clientHeight;
  }

  soon() {
    if (!this.waiting) this.waiting = requestAnimationFrame(() => this.drawRows());
  }

  drawRows() {
    this.waiting = 0;
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - 5);
    const count = Math.ceil(this.list.clientHeight / ROW) + 10;
    const drawn = this.shown.slice(first, first + count).map((at, n) => this.row(first + n, at));
    this.all.replaceChildren(...drawn);
    const picked = drawn.find(node => node.getAttribute("aria-selected") === "true");
    if (picked) this.list.setAttribute("aria-activedescendant", picked.id);
    else this.list.removeAttribute("aria-activedescendant");
  }

  row(at, number) {
    const row = this.rows[number], source = this.sources[row[1]];
    const what = make("i", {style: `color: var(--${source})`}, source);
    const length = row[3] ? ` (${(row[3] / 1e6).toFixed(3)} s)` : "";
    return make("div", {
      class: row[2] & BAD ? "row bad" : "row", role: "option", id: `${this.view.id}r${number}`,
      style: `top: ${at * ROW}px`, "data-at": at, "aria-selected": number === this.picked,
      "aria-setsize": this.shown.length, "aria-posinset": at + 1,
    }, make("b", {}, stamp(row)), what, row[4].replaceAll("\n", "⏎") + length);
  }

  draw() {
    const canvas = this.canvas, wide = canvas.clientWidth, high = canvas.clientHeight;
    if (!wide) return;
    const ratio = devicePixelRatio || 1, lanes = this.sources.length, lane = (high - 18) / lanes;
    canvas.width = wide * ratio;
    canvas.height = high * ratio;
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = "11px system-ui, sans-serif";
    const colors = this.sources.map(color), bad = color("bad");
    this.drawAxis(pen, wide, high);
    const seen = new Set();
    for (const wrong of [false, true]) {  // what is bad on top
      for (const at of this.shown) {
        const row = this.rows[at];
        if (Boolean(row[2] & BAD) !== wrong) continue;
        const x = this.x(row[0]), long = Math.max(wrong ? 3 : 1.5, this.x(row[0] + row[3]) - x);
        const spot = row[1] * 1e6 + Math.round(x * 2);
        if (long < 2 && seen.has(spot)) continue;  // thousands may fall on one pixel
        seen.add(spot);
        pen.fillStyle = wrong ? bad : colors[row[1]];
        pen.globalAlpha = row[3] && !wrong ? 0.55 : 1;
        pen.fillRect(x, row[1] * lane + 2, long, lane - 3);
      }
    }
    pen.globalAlpha = 1;
    pen.fillStyle = color("bg");
    pen.fillRect(0, 0, GUTTER, high);  // what is long may begin left of it
    this.sources.forEach((name, number) => {
      pen.fillStyle = colors[number];
      pen.fillText(name, 4, (number + .5) * lane + 4);
    });
    if (this.picked >= 0) {
      pen.fillStyle = color("fg");
      pen.fillRect(this.x(this.rows[this.picked][0]) - .5, 0, 1, high - 18);
    }
    if (this.drag) {
      pen.fillStyle = "#4493f855";
      pen.fillRect(Math.min(...this.drag), 0, Math.abs(this.drag[0] - this.drag[1]), high);
    }
  }

  drawAxis(pen, wide, high) {
    const about = (this.b - this.a) / Math.max(2, (wide - GUTTER) / 110);
    const power = 10 ** Math.floor(Math.log10(about));
    const step = [1, 2, 5, 10].map(n => n * power).find(n => n >= about);
    const digits = Math.min(6, Math.max(0, 6 - Math.floor(Math.log10(step) + 1e-9)));
    for (let us = Math.ceil(this.a / step) * step; us <= this.b; us += step) {
      const x = this.x(us);
      pen.fillStyle = color("line");
      pen.fillRect(x, 0, 1, high - 16);
      pen.fillStyle = color("dim");
      const text = (us / 1e6).toFixed(digits) + " s";
      if (x + pen.measureText(text).width < wide) pen.fillText(text, x + 2, high - 4);
    }
  }
}

const stamp = row => (row[2] & LATE ? "≤" : "") + (row[0] / 1e6).toFixed(6);

class MemoryMap {
  constructor(view, data) {
    this.view = view;
    this.areas = data.areas;  // {kind, name, va, extents, begin, end, state}
    this.zones = data.zones;  // {number, base, size, access, begin, end}
    this.windows = data.windows;  // [first, end) of addresses worth showing
    this.slider = $(view, "[type=range]");
    this.number = $(view, "[type=number]");
    const all = [...this.areas, ...this.zones];
    this.times = [...new Set(all.flatMap(one => [one.begin, one.end]))]
      .filter(us => us !== null).sort((a, b) => a - b);
    this.slider.max = this.times.length - 1;
    this.slider.addEventListener("input", () => this.at(this.times[this.slider.value]));
    this.number.addEventListener("change", () => this.at(parseFloat(this.number.value) * 1e6));
    this.at(data.peak);
  }

  at(us) {
    if (Number.isNaN(us)) return;
    this.number.value = (us / 1e6).toFixed(6);
    this.slider.value = Math.max(0, this.times.findLastIndex(time => time <= us));
    const alive = one => one.begin <= us && (one.end === null || us < one.end);
    const areas = this.areas.filter(alive), zones = this.zones.filter(alive);
    $(this.view, ".bars").replaceChildren(...this.windows.map(w => this.bar(w, areas, zones)));
    const body = $(this.view, "tbody");
    body.replaceChildren(...zones.map(zoneRow), ...areas.map(area => areaRow(area, zones)));
    $(this.view, "output").textContent =
      `${areas.length} buffers and ${zones.length} protected regions then`;
  }

  bar([first, end], areas, zones) {
    const wide = 1000, x = address => (address - first) / (end - first) * wide;
    const svg = svgNode("svg", {viewBox: `0 0 ${wide} 44`, preserveAspectRatio: "none", role: "img",
      "aria-label": `memory ${hex(first)} to ${hex(end)}`});
    const rect = (base, bytes, y, high, fill, title) => {
      if (base + bytes <= first || base >= end) return;
      const from = Math.max(x(base), 0), to = Math.min(x(base + bytes), wide);
      const node = svgNode("rect", {x: from, y, width: Math.max(to - from, 1.5), height: high,
        fill: `var(--${fill})`, stroke: "var(--bg)", "stroke-width": .4});
      node.append(svgNode("title", {}, title));
      svg.append(node);
    };
    for (const zone of zones)
      rect(zone.base, zone.size, 0, 44, "zone", `region ${zone.number}: ${zone.access}`);
    for (const area of areas)
      for (const [base, bytes] of area.extents)
        rect(base, bytes, area.kind.includes("suspend") ? 24 : 4, 18, COLOR[area.kind],
          `${area.kind} ${area.name} ${hex(base)} ${size(bytes)}`);
    const ends = [hex(first), size(end - first), hex(end)].map(text => make("span", {}, text));
    return make("div", {}, svg, make("div", {class: "ends"}, ...ends));
  }
}

const COLOR = {"section": "driver", "protected section": "firewall", "suspend buffer": "gpu",
  "protected suspend buffer": "secure"};

function svgNode(tag, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

const cells = (...texts) => make("tr", {}, ...texts.map(text => make("td", {}, text)));
const key = name => make("span", {class: "key", style: `background: var(--${name})`});

function zoneRow(zone) {
  const row = cells("", "protected region", String(zone.number), "",
    `${hex(zone.base)} + ${size(zone.size)}`, zone.access);
  row.firstChild.append(key("zone"));
  return row;
}

function areaRow(area, zones) {
  const within = ([base, bytes]) =>
    zones.some(zone => zone.base <= base && base + bytes <= zone.base + zone.size);
  const count = area.extents.filter(within).length;
  const all = count > 0 && count === area.extents.length, wanted = area.kind.startsWith("protected");
  const guarded = all ? "protected" : count ? "PARTLY protected" : wanted ? "not protected" : "";
  const places = area.extents.slice(0, 3).map(([base, bytes]) => `${hex(base)} + ${size(bytes)}`);
  if (area.extents.length > 3) places.push(`${area.extents.length - 3} more`);
  const row = cells("", area.kind, area.name, hex(area.va), places.join(", "),
    [guarded, area.state].filter(Boolean).join(", "));
  row.firstChild.append(key(COLOR[area.kind]));
  return row;
}

async function fill(view) {
  const data = await unpack(view.dataset.of);
  view.replaceChildren(document.getElementById("line").content.cloneNode(true));
  const line = new TimeLine(view, data);
  if (data.areas.length || data.zones.length) {
    const map = document.getElementById("map").content.cloneNode(true).firstElementChild;
    view.append(map);
    const memory = new MemoryMap(map, data);
    line.onPick = us => memory.at(us);
  }
  view.dataset.ready = "";
}

const watch = new IntersectionObserver(found => {
  for (const one of found.filter(entry => entry.isIntersecting)) {
    watch.unobserve(one.target);
    fill(one.target).catch(error => { one.target.textContent = "cannot be shown: " + error; });
  }
}, {rootMargin: "200px"});
document.querySelectorAll(".view").forEach(view => watch.observe(view));

for (const tools of document.querySelectorAll(".sift")) {
  const rows = [...document.getElementById(tools.dataset.of).tBodies[0].rows];
  const out = $(tools, "output");
  const apply = () => {
    const text = $(tools, "[type=search]").value.toLowerCase(), bad = $(tools, ".onlybad").checked;
    let count = 0;
    for (const row of rows) {
      const gone = !row.textContent.toLowerCase().includes(text) || (bad && !("bad" in row.dataset));
      row.classList.toggle("hide", gone);
      count += !gone;
    }
    out.textContent = `${count} of ${rows.length}`;
  };
  tools.addEventListener("input", apply);
  apply();
}

function unfold() {  // what a link leads to is opened
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (!target) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
  $(target, "summary")?.focus({preventScroll: true});
}
addEventListener("hashchange", unfold);
unfold();
