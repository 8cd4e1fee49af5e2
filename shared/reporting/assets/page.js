"use strict";
// What the page does better with a script: charts to look into, a choice of light or dark, paper without loss, and a
// language that is remembered.

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { charts: drawn, styles, fewPoints, bandOpacity, paleOpacity, words } = data;
  const NARROW = 600; // pixels
  const PAGE = 0.05; // of what is visible, for Page Up and Page Down
  const ZOOM = 2;
  const TINY = 1e-6; // more than rounding, less than a step
  const PIXELS = 4 / 3; // to a point
  const WHOLE = [1, 2, 5].flatMap((n) => [0, 1, 2, 3, 4, 5, 6].map((power) => n * 10 ** power)).sort((a, b) => a - b);

  const element = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };

  // A text is one for all languages, or has one for each.
  const languages = [...document.querySelectorAll("input[name=language]")];
  let language = languages.find((one) => one.checked).value;
  const said = (text) => text[language] ?? text;
  const filled = (text, values) => said(text).replace(/\{(\w+)\}/g, (_, name) => values[name]);
  // In every language: the style sheet shows one, and `speak` changes attributes.
  const spoken = (text) =>
    typeof text === "string" ? [text] : Object.entries(text).map(([lang, one]) => element("span", { lang }, one));
  const labelled = (name, text) => {
    const others = languages.map((one) => one.value).filter((one) => one !== language && text[one]);
    return { [name]: said(text), ...Object.fromEntries(others.map((one) => [attributeIn(name, one), text[one]])) };
  };
  const attributeIn = (name, tag) => `data-${name}-${tag.toLowerCase()}`;

  // From here on in this language, but for what is drawn.
  const speak = (tag) => {
    for (const name of ["aria-label", "title", "alt"]) {
      const wanted = attributeIn(name, tag);
      for (const one of document.querySelectorAll(`[${wanted}]`)) {
        one.setAttribute(attributeIn(name, language), one.getAttribute(name));
        one.setAttribute(name, one.getAttribute(wanted));
      }
    }
    language = tag;
    languages.forEach((one) => (one.checked = one.value === tag));
    document.documentElement.lang = tag;
    document.title = said(data.title);
  };

  // Of a colour in words of the style sheet, what a canvas understands.
  const probe = document.body.appendChild(element("span", { hidden: "" }));
  const resolved = (colour) => {
    probe.style.color = colour;
    return getComputedStyle(probe).color;
  };

  const faint = (colour, opacity) => `color-mix(in srgb, ${colour} ${100 * opacity}%, transparent)`;

  // A few choices of which one holds. Arrow keys come with the radio buttons.
  const choice = (name, title, options, chosen, choose) => {
    const set = element("fieldset", {}, element("legend", { class: "unseen" }, ...spoken(title)));
    for (const [value, label] of options) {
      const input = element("input", { type: "radio", name, value });
      input.checked = value === chosen;
      input.addEventListener("change", () => choose(value));
      set.append(element("label", {}, input, element("span", {}, ...spoken(label))));
    }
    return set;
  };

  const exactly = (picture, value) => {
    if (value == null) return "–";
    if (picture.scale === "percent") return `${(100 * value).toFixed(2)}%`;
    if (picture.scale === "logarithmic") return value === 0 ? "0" : value.toExponential(1);
    return value.toFixed(6);
  };
  // A curve's value at a point, and where its band reaches there.
  const told = (picture, curve, at) => {
    const value = exactly(picture, curve.values[at]);
    const [low, high] = curve.band.map((edge) => exactly(picture, edge[at]));
    return low ? filled(words.band, { value, low, high }) : value;
  };
  const gap = ({ scale }, value) =>
    scale === "percent" ? filled(words.gap, { gap: Math.abs(100 * value).toFixed(2) }) : Math.abs(value).toExponential(1);
  const tick = ({ scale }, value) => {
    if (scale === "percent") return `${(100 * value).toFixed(1)}%`;
    return scale === "logarithmic" ? value.toExponential(0) : String(value);
  };

  // Powers of ten, at most some ten of them.
  const decades = (u, axis, min, max) => {
    const [from, to] = [Math.ceil(Math.log10(min)), Math.floor(Math.log10(max))];
    const every = Math.ceil((to - from + 1) / 10) || 1;
    const powers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
    return powers.filter((power) => power % every === 0).map((power) => Number(`1e${power}`));
  };

  // A line and its marker, as the chart draws them.
  const sample = ({ colour, width, dash, marker }, { joined, band }) => {
    const shapes = {
      "": "",
      ring: '<circle cx="14" cy="7" r="5" fill="none" stroke="currentColor" stroke-width="1.2"/>',
      dot: '<circle cx="14" cy="7" r="2.5" fill="currentColor"/>',
      cross: '<path d="M10.5 3.5l7 7m0-7l-7 7" stroke="currentColor" stroke-width="1.5"/>',
    };
    const made = element("span", { "aria-hidden": "true", style: `color: ${colour}; display: inline-flex` });
    made.innerHTML = `<svg viewBox="0 0 28 14">${band.length ? `<path d="M0 1H28V13H0" fill="currentColor" opacity="${bandOpacity}"/>` : ""}
      <path d="M0 7H28" stroke="currentColor" fill="none" stroke-width="${joined ? width : 0}"
      stroke-dasharray="${dash.join(" ")}"/>${shapes[marker]}</svg>`;
    return made;
  };

  const drawMarker = (context, marker, x, y, scale) => {
    const size = { ring: 7, dot: 3, cross: 5 }[marker] * scale;
    context.beginPath();
    if (marker === "cross") {
      context.moveTo(x - size, y - size);
      context.lineTo(x + size, y + size);
      context.moveTo(x + size, y - size);
      context.lineTo(x - size, y + size);
    } else {
      context.arc(x, y, size, 0, 2 * Math.PI);
    }
    if (marker === "dot") context.fill();
    else context.stroke();
  };

  class Chart {
    constructor(figure) {
      this.pictures = figure.dataset.charts.split(" ").map((name) => drawn.find((chart) => chart.name === name));
      this.plot = element("div", { class: "plot", tabindex: "0", role: "slider" });
      this.plot.addEventListener("keydown", (event) => this.key(event));
      this.fingers = new Map(); // by pointer: where it is, and the x that it holds, both along the axis
      for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"]) {
        this.plot.addEventListener(name, (event) => event.pointerType === "touch" && this.touch(event));
      }
      this.curves = element("div", { class: "curves", role: "group", ...labelled("aria-label", words.curves) });
      this.at = element("p", { class: "at" });
      figure.querySelector(".live").append(this.controls(), this.plot, this.at, this.curves);
      this.take(this.pictures[0].name);
      new ResizeObserver(() => this.chart.setSize(this.size())).observe(this.plot);
      figure.classList.add("drawn");
    }

    controls() {
      const made = element("div", { class: "controls" });
      if (this.pictures.length > 1) {
        const options = this.pictures.map((p) => [p.name, p.each]);
        made.append(choice("points", words.points, options, options[0][0], (name) => this.take(name)));
      }
      const zoom = element("span", { class: "zoom" });
      for (const [label, title, act] of [
        ["−", words.zoomOut, () => this.zoom(ZOOM)],
        ["+", words.zoomIn, () => this.zoom(1 / ZOOM)],
        [words.all, words.showAll, () => this.whole()],
      ]) {
        const names = { ...labelled("aria-label", title), ...labelled("title", title) };
        const button = element("button", { type: "button", ...names }, ...spoken(label));
        button.addEventListener("click", act);
        zoom.append(button);
      }
      made.append(zoom);
      return made;
    }

    get x() {
      return this.picture.x;
    }

    get last() {
      return this.x.length - 1;
    }

    // Room for a marker on the first point and on the last.
    get margin() {
      return this.x.length <= fewPoints ? 0.04 * (this.last || 1) : 0;
    }

    size() {
      const width = this.plot.clientWidth;
      return { width, height: width < NARROW ? 280 : 400 };
    }

    // Show this picture, all of its curves.
    take(name) {
      this.picture = this.pictures.find((p) => p.name === name);
      this.hidden = new Set();
      this.plot.setAttribute("aria-valuemin", this.x[0]);
      this.plot.setAttribute("aria-valuemax", this.x[this.last]);
      this.values = this.picture.curves.map(() => element("b"));
      const buttons = this.picture.curves.map((curve, index) => {
        const made = element("button", { type: "button", class: "curve", "aria-pressed": "true" });
        made.append(sample(this.style(curve, this.x.length <= fewPoints, curve.mean.length), curve), element("span", {}, ...spoken(curve.label)), this.values[index]);
        made.addEventListener("click", () => this.toggle(curve, made));
        return made;
      });
      this.curves.replaceChildren(...buttons);
      this.draw();
    }

    // Few points in sight have room for markers and for a wide line. A running mean has room for a wide line always.
    style(curve, fewInSight, isMean) {
      const few = fewInSight || !curve.joined;
      const { colour, width, thin, dash, marker } = styles[curve.style];
      const sizes = { width: (few || isMean ? width : thin) * PIXELS, dash: dash.map((length) => length * PIXELS) };
      return { colour, ...sizes, marker: few ? marker : "" };
    }

    get few() {
      const [from, to] = this.seen();
      return to - from < fewPoints;
    }

    toggle(curve, button) {
      const shows = this.hidden.delete(curve);
      if (!shows) this.hidden.add(curve);
      button.setAttribute("aria-pressed", String(shows));
      this.lines.forEach((line, i) => line.curve === curve && this.chart.setSeries(i + 1, { show: shows }));
    }

    // What uPlot draws, in this order: the edges of bands, two by two, over them the curves, and their running means.
    get lines() {
      const { curves } = this.picture;
      const edges = curves.flatMap((curve) => curve.band.map((values) => ({ curve, values, edge: true })));
      const means = curves.filter((curve) => curve.mean.length).map((curve) => ({ curve, values: curve.mean, isMean: true }));
      return [...edges, ...curves.map((curve) => ({ curve, values: curve.values })), ...means];
    }

    // Once more, in other colours or another language: what is seen of x stays.
    redraw() {
      const seen = this.seen();
      this.draw();
      this.see(...seen);
    }

    draw() {
      this.plot.setAttribute("aria-label", said(this.picture.asked));
      this.chart?.destroy();
      // Zero has no place on a logarithmic axis.
      const shown = (value) => (this.picture.scale === "logarithmic" && !(value > 0) ? null : value);
      const values = this.lines.map((line) => line.values.map(shown));
      this.chart = new uPlot(this.options(), [this.x, ...values], this.plot);
      this.read(null);
    }

    options() {
      const { picture } = this;
      const font = "12px system-ui, sans-serif";
      const grid = { stroke: resolved("var(--rule)"), width: 1 };
      const axis = { stroke: resolved("var(--soft)"), font, labelFont: font, labelGap: 4, grid, ticks: grid };
      const onAxis = (_, splits) => splits.map((value) => (value == null ? "" : tick(picture, value)));
      return {
        ...this.size(),
        legend: { show: false },
        padding: [16, 16, 0, 0],
        scales: {
          x: { time: false, range: (_, min, max) => [Math.max(min, this.x[0]) - this.margin, Math.min(max, this.x[this.last]) + this.margin] },
          y: picture.scale === "logarithmic" ? { distr: 3 } : {},
        },
        axes: [
          { ...axis, label: said(picture.x_label), size: 34, labelSize: 20, incrs: WHOLE, values: (_, splits) => splits.map((v) => v.toLocaleString("en")) },
          { ...axis, label: said(picture.y_label), size: 60, values: onAxis, ...(picture.scale === "logarithmic" && { splits: decades }) },
        ],
        cursor: { y: false, points: { size: 7 } },
        series: [{}, ...this.lines.map((line) => this.series(line))],
        bands: this.bands(),
        hooks: {
          setCursor: [(u) => this.read(u.cursor.idx)],
          drawClear: [(u) => this.fitWidths(u)],
          drawSeries: [(u, i) => this.drawMarkers(u, i)],
          draw: [(u) => this.drawMark(u)],
        },
      };
    }

    series({ curve, edge, isMean }) {
      const { colour, width, dash } = this.style(curve, this.x.length <= fewPoints, isMean);
      const pale = curve.mean.length && !isMean;
      return {
        label: said(curve.label),
        show: !this.hidden.has(curve),
        stroke: resolved(pale ? faint(colour, paleOpacity) : colour),
        width: curve.joined && !edge ? width : 0,
        dash,
        points: { show: false },
        pxAlign: 0, // where two curves coincide they are drawn in the same place
        ...(this.picture.stairs && { paths: uPlot.paths.stepped({ align: 1 }) }),
      };
    }

    // Between a lower edge and an upper one.
    bands() {
      const fill = ({ style }) => resolved(faint(styles[style].colour, bandOpacity));
      return this.lines.flatMap(({ curve, edge }, i) => (edge && i % 2 ? [{ series: [i + 1, i], fill: fill(curve) }] : []));
    }

    // To as many points as are in sight.
    fitWidths(u) {
      this.chart = u; // the first drawing is before the constructor has returned
      const few = this.few;
      this.lines.forEach(({ curve, isMean }, i) => u.series[i + 1].width && (u.series[i + 1].width = this.style(curve, few, isMean).width));
    }

    drawMarkers(u, series) {
      const { curve, edge, isMean } = this.lines[series - 1];
      const { colour, marker } = this.style(curve, this.few);
      if (!marker || edge || isMean || this.hidden.has(curve)) return;
      u.ctx.save();
      u.ctx.strokeStyle = u.ctx.fillStyle = resolved(colour);
      u.ctx.lineWidth = 1.5 * uPlot.pxRatio;
      curve.values.forEach((value, i) => {
        if (value == null || this.x[i] < u.scales.x.min || this.x[i] > u.scales.x.max) return;
        drawMarker(u.ctx, marker, u.valToPos(this.x[i], "x", true), u.valToPos(value, "y", true), uPlot.pxRatio);
      });
      u.ctx.restore();
    }

    // The upright line at the step of which something is said.
    drawMark(u) {
      if (!this.picture.mark) return;
      const [at, what] = this.picture.mark;
      if (at < u.scales.x.min || at > u.scales.x.max) return;
      const { left, top, width, height } = u.bbox;
      const x = u.valToPos(at, "x", true);
      const leftOf = x > left + width / 2;
      u.ctx.save();
      u.ctx.strokeStyle = u.ctx.fillStyle = resolved(styles.mark.colour);
      u.ctx.lineWidth = styles.mark.width * PIXELS * uPlot.pxRatio;
      u.ctx.beginPath();
      u.ctx.moveTo(x, top);
      u.ctx.lineTo(x, top + height);
      u.ctx.stroke();
      u.ctx.fillStyle = resolved("var(--ink)");
      u.ctx.font = `${12 * uPlot.pxRatio}px system-ui, sans-serif`;
      u.ctx.textAlign = leftOf ? "right" : "left";
      u.ctx.fillText(said(what), x + (leftOf ? -6 : 6) * uPlot.pxRatio, top + height / 2);
      u.ctx.restore();
    }

    // The values at a point, the last one where none is pointed at.
    read(index) {
      this.index = index;
      const at = index ?? this.last;
      const values = this.picture.curves.map((curve) => told(this.picture, curve, at));
      values.forEach((value, i) => (this.values[i].textContent = value));
      // How far apart the furthest two of the curves lie that are of one quantity.
      const compared = this.picture.curves.slice(0, this.picture.compared).map((curve) => curve.values[at]);
      const comparable = compared.length > 1 && !compared.includes(null);
      const apart = comparable ? { gap: gap(this.picture, Math.max(...compared) - Math.min(...compared)) } : null;
      const place = filled(this.picture.place, { at: this.x[at].toLocaleString("en") });
      this.at.textContent = filled(apart ? words.atApart : words.at, { place, ...apart });
      const all = values.map((value, i) => `${said(this.picture.curves[i].label)} ${value}`).join(said(words.and));
      this.plot.setAttribute("aria-valuenow", this.x[at]);
      this.plot.setAttribute("aria-valuetext", filled(apart ? words.readApart : words.read, { place, values: all, ...apart }));
    }

    // Indices of the first point and the last that are seen.
    seen() {
      const { min, max } = this.chart.scales.x;
      const from = this.x.findIndex((x) => x >= min + this.margin - TINY);
      const to = this.x.findLastIndex((x) => x <= max - this.margin + TINY);
      return from <= to && from >= 0 ? [from, to] : [0, this.last];
    }

    // What is pointed at stays so.
    see(from, to, at = this.index) {
      this.chart.setScale("x", { min: this.x[from], max: this.x[to] });
      if (at != null) this.pointLater(at);
    }

    // Once the scale has changed, which happens when this is done.
    pointLater(at) {
      queueMicrotask(() => this.chart.setCursor({ left: this.chart.valToPos(this.x[at], "x"), top: 0 }));
    }

    whole() {
      this.see(0, this.last);
    }

    // About the point that is pointed at, else about the middle.
    zoom(factor) {
      const [from, to] = this.seen();
      const middle = this.index ?? (from + to) / 2;
      const start = Math.max(0, Math.floor(middle - (middle - from) * factor));
      const end = Math.min(this.last, Math.ceil(middle + (to - middle) * factor));
      if (end > start) this.see(start, end);
    }

    // Point at this, and bring it into sight.
    point(index) {
      const at = Math.min(this.last, Math.max(0, index));
      const [from, to] = this.seen();
      const shift = at < from ? at - from : at > to ? at - to : 0;
      if (shift) this.see(from + shift, to + shift, at);
      else this.pointLater(at);
    }

    // Each finger keeps the x that it was put on: two of them zoom, one points. The browser scrolls up and down.
    touch({ type, pointerId, clientX }) {
      const { chart, fingers } = this;
      const left = clientX - chart.over.getBoundingClientRect().left;
      if (type === "pointermove" && fingers.has(pointerId)) fingers.get(pointerId).left = left;
      else if (type === "pointerdown") fingers.set(pointerId, { left });
      else fingers.delete(pointerId);
      if (type !== "pointermove") fingers.forEach((finger) => (finger.x = chart.posToVal(finger.left, "x")));
      else if (fingers.size === 1) chart.setCursor({ left, top: 0 });
      else if (fingers.size === 2) this.pinch(...fingers.values());
    }

    pinch(a, b) {
      const perPixel = (b.x - a.x) / (b.left - a.left);
      const start = a.x - a.left * perPixel;
      const [min, max] = [start + this.margin, start + this.chart.over.clientWidth * perPixel - this.margin];
      const closest = this.x[1] - this.x[0]; // two points are to stay in sight
      if (perPixel > 0 && max - min > closest) this.chart.setScale("x", { min, max });
    }

    key(event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const [from, to] = this.seen();
      const at = this.index ?? this.last;
      const page = Math.max(1, Math.round((to - from) * PAGE));
      const act = {
        ArrowLeft: () => this.point(at - 1),
        ArrowDown: () => this.point(at - 1),
        ArrowRight: () => this.point(at + 1),
        ArrowUp: () => this.point(at + 1),
        PageDown: () => this.point(at - page),
        PageUp: () => this.point(at + page),
        Home: () => this.point(from),
        End: () => this.point(to),
        "+": () => this.zoom(1 / ZOOM),
        "-": () => this.zoom(ZOOM),
        Escape: () => this.whole(),
      }[event.key];
      if (!act) return;
      act();
      event.preventDefault();
    }
  }

  // A page from disk may be refused a memory; then each visit begins with the system's colours.
  const [COLOURS, LANGUAGE] = ["pytorch-tensorflow-colours", "pytorch-tensorflow-language"];
  const remembered = (act) => {
    try {
      return act(localStorage);
    } catch {
      return "";
    }
  };
  const root = document.documentElement.dataset;
  root.theme = remembered((storage) => storage.getItem(COLOURS)) ?? "";
  const chosen = remembered((storage) => storage.getItem(LANGUAGE));
  if (languages.some((one) => one.value === chosen)) speak(chosen);

  const charts = [...document.querySelectorAll("figure[data-charts]")].map((figure) => new Chart(figure));
  const redraw = () => charts.forEach((chart) => chart.redraw());

  const themes = [["", words.auto], ["light", words.light], ["dark", words.dark]];
  const setTheme = (theme) => {
    root.theme = theme;
    remembered((storage) => storage.setItem(COLOURS, theme));
    redraw();
  };
  document.getElementById("theme").append(choice("colours", words.colours, themes, root.theme, setTheme));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  for (const one of languages) {
    one.addEventListener("change", () => {
      speak(one.value);
      remembered((storage) => storage.setItem(LANGUAGE, one.value));
      redraw();
    });
  }

  // On paper nothing can be unfolded.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));
})();
