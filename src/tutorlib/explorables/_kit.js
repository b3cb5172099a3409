// What every explorable is built from. `tutorlib.explorables.source` puts this text before each
// module's own, so that one module stays one file for the browser: no imports, no second request.
//
// Parts: numbers (also for workers), `connect` (a worker), drawing, `open` (the frame: look, state,
// theme, life) and the controls, which keep themselves and the state in line.

// ---- numbers: self-contained functions, because their source text goes into workers too ----------

// Uniform numbers in [0, 1): mulberry32. Streams of one seed are independent of each other.
function generator(seed, stream) {
  let state = (seed * 0x9e3779b1 + stream * 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// One standard normal number from two uniform ones (Box and Muller).
function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const SHARED = [generator, normal];

// ---- a worker -----------------------------------------------------------------------------------

// Ask `numerics().session()`, a function from a question to an answer, in a worker. Only the newest
// of the questions asked while one is being answered is kept. Without workers (some sandboxes and
// policies) the page computes between two frames instead. data: what numerics takes, if anything.
function connect(numerics, receive, data) {
  const local = numerics(data).session();
  let worker = null;
  let computing = null;
  let waiting = null;
  let closed = false;

  function send(question) {
    computing = question;
    if (worker) worker.postMessage(question);
    else requestAnimationFrame(() => closed || answered(local(question)));
  }
  function answered(answer) {
    computing = null;
    if (waiting) send(waiting);
    waiting = null;
    receive(answer);
  }

  const program = `${SHARED.join("\n")}
    const session = (${numerics})(${JSON.stringify(data)}).session();
    onmessage = ({ data }) => postMessage(session(data));`;
  try {
    const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    worker = new Worker(url);
    worker.onmessage = ({ data }) => answered(data);
    worker.onerror = (event) => {
      event.preventDefault();
      worker = null;
      if (computing) send(computing);
    };
  } catch {
    worker = null;
  }

  return {
    get busy() { return computing !== null; },
    ask(question) {
      if (computing) waiting = question;
      else send(question);
    },
    close() {
      closed = true;
      worker?.terminate();
    },
  };
}

// ---- drawing ------------------------------------------------------------------------------------

function svgElement(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

const round = (value) => Math.round(value * 10) / 10;

function polyline(xs, ys) {
  return `M${Array.from(xs, (x, i) => `${round(x)} ${round(ys[i])}`).join("L")}`;
}

// A short text for a measured number.
function figure(value) {
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "not a number";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(1);
  return value.toPrecision(Math.abs(value) < 0.1 ? 2 : 3);
}

// A round step of 1, 2 or 5 times a power of ten that cuts `range` into about `count` parts.
function niceStep(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return power * ([1, 2, 5].find((factor) => factor * power * count >= range) ?? 10);
}

const BENDS = { linear: (value) => value, log: Math.log10, sqrt: Math.sqrt };

// A function from values between from and to onto positions between start and end.
function scale(kind, [from, to], [start, end]) {
  const bend = BENDS[kind];
  const slope = (end - start) / (bend(to) - bend(from) || 1);
  return (value) => start + (bend(value) - bend(from)) * slope;
}

// Values worth a mark on an axis: powers of ten for "log", round numbers otherwise.
function ticksOf(kind, [from, to], count = 4) {
  if (kind === "log") {
    const marks = Math.log10(to / from) > 1.5 ? [1] : [1, 2, 5];
    const every = Math.ceil(Math.log10(to / from) / 6);
    const ticks = [];
    for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) {
      if (every === 1 || power % every === 0) ticks.push(...marks.map((mark) => mark * 10 ** power));
    }
    return ticks.filter((tick) => tick >= from * 0.999 && tick <= to * 1.001);
  }
  const step = niceStep(to - from, count);
  const first = Math.ceil(from / step - 1e-9);
  return Array.from({ length: Math.floor(to / step + 1e-9) - first + 1 }, (_, i) => (first + i) * step);
}

function tickText(value) {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5)
    ? value.toExponential(0).replace("e+", "e") : String(Number(value.toPrecision(3)));
  return text.replace("-", "−");
}

// Lines over common axes. x, y: { range: [from, to], kind, ticks, text }; lines: [{ name, xs, ys }],
// whose name is the CSS class that colours it, and with dots: true has a dot on each point; cursor:
// an x to mark; label: the picture in a sentence. Returns what it takes to add more to these axes.
function lineChart(svg, { x, y, lines, cursor, label, height = 150 }) {
  const width = svg.clientWidth || 300;
  const [left, right, top, bottom] = [46, width - 10, 8, height - 22];
  const across = scale(x.kind ?? "linear", x.range, [left, right]);
  const up = scale(y.kind ?? "linear", y.range, [bottom, top]);
  const within = (value) => Math.min(bottom, Math.max(top, value));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-label", label);
  svg.replaceChildren();
  const add = (name, attributes, text) => svg.append(svgElement(name, attributes, text));
  for (const tick of y.ticks ?? ticksOf(y.kind, y.range)) {
    add("path", { class: "rule", d: `M${left} ${round(up(tick))}H${right}` });
    add("text", { x: left - 6, y: round(up(tick) + 4), "text-anchor": "end" }, (y.text ?? tickText)(tick));
  }
  for (const tick of x.ticks ?? ticksOf(x.kind, x.range, Math.max(2, Math.floor(width / 90)))) {
    const place = across(tick);
    const anchor = place > right - 14 ? "end" : "middle";
    add("text", { x: round(place), y: bottom + 17, "text-anchor": anchor }, (x.text ?? tickText)(tick));
  }
  add("path", { class: "axis", d: `M${left} ${bottom}H${right}` });
  if (cursor !== undefined) add("path", { class: "now", d: `M${round(across(cursor))} ${top}V${bottom}` });
  for (const { name, xs, ys, dots } of lines) {
    if (!xs.length) continue;
    const places = Array.from(xs, across);
    const heights = Array.from(ys, (value) => (Number.isFinite(value) ? within(up(value)) : top));
    add("path", { class: `line ${name}`, d: polyline(places, heights) });
    if (!dots) continue;
    places.forEach((place, i) => {
      add("circle", { class: `dot ${name}`, cx: round(place), cy: round(heights[i]), r: 3.5 });
    });
  }
  return { add, across, up, left, right, top, bottom };
}

// ---- the frame ----------------------------------------------------------------------------------

const LOOK = `
:host { display: block; }
.frame {
  --blue: var(--pim-blue, #0072b2);
  --orange: var(--pim-orange, #b84e00);
  --green: var(--pim-green, #00704f);
  --purple: var(--pim-purple, #94487f);
  --truth: var(--pim-truth, #4a4f57);
  --ink: var(--pim-ink, #1c2126);
  --paper: var(--pim-paper, #ffffff);
  --grid: var(--pim-grid, #d9dde2);
  --ui: var(--pim-ui, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif);
  --soft: color-mix(in srgb, var(--ink) 72%, var(--paper));
  --wash: color-mix(in srgb, var(--ink) 5%, var(--paper));
  container-type: inline-size;
  padding: 16px;
  border: 1px solid var(--grid);
  border-radius: 12px;
  background: var(--paper);
  color: var(--ink);
  font: 15px/1.45 var(--ui);
}
.frame[data-dark] {
  --blue: var(--pim-blue, #5cb8f0);
  --orange: var(--pim-orange, #f0954a);
  --green: var(--pim-green, #45c39a);
  --purple: var(--pim-purple, #dd9cc8);
  --truth: var(--pim-truth, #b4bac2);
  --ink: var(--pim-ink, #e8eaed);
  --paper: var(--pim-paper, #16191d);
  --grid: var(--pim-grid, #3a4047);
  color-scheme: dark;
}
.frame, .frame * { box-sizing: border-box; }
p, fieldset, legend { margin: 0; padding: 0; border: 0; min-width: 0; }
:focus-visible, input:focus-visible + span { outline: 3px solid var(--blue); outline-offset: 2px; }

.choices { display: flex; flex-wrap: wrap; gap: 6px; }
.choices label { position: relative; cursor: pointer; }
.choices input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
.choices span {
  display: flex; align-items: center; gap: 7px; min-height: 34px; padding: 3px 10px;
  border: 1px solid var(--grid); border-radius: 8px; background: var(--paper); white-space: nowrap;
}
.choices input:checked + span { border-color: var(--ink); background: var(--wash); box-shadow: inset 0 0 0 1px var(--ink); }
.choices input:disabled + span { opacity: 0.55; }
legend, .name { font-size: 13px; color: var(--soft); padding-bottom: 4px; }

.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(128px, 1fr)); gap: 8px; margin-top: 14px; }
.card { --hue: var(--truth); display: grid; align-content: start; padding: 8px 12px; border-radius: 8px; background: var(--wash); border-top: 4px solid var(--hue); }
.card b { color: var(--hue); }
.card small { font-size: 13px; color: var(--soft); }
.card span { font-variant-numeric: tabular-nums; }
.card [data-out]:empty::before { content: "0.000"; visibility: hidden; } /* room for the first number */
.card .big { font-size: 26px; line-height: 1.2; font-weight: 650; color: var(--ink); }
.swatch { display: inline-block; width: 24px; margin-right: 7px; vertical-align: middle; border-top: 4px solid var(--hue); }

svg { display: block; width: 100%; height: 100%; overflow: hidden; }
svg text { fill: var(--soft); font: 12px var(--ui); }
.rule { stroke: var(--grid); fill: none; }
.axis { stroke: var(--soft); fill: none; }
.now { stroke: var(--ink); stroke-dasharray: 2 3; fill: none; }
.line { fill: none; stroke: var(--ink); stroke-width: 2; stroke-linejoin: round; }
.dot { stroke: var(--paper); }

.transport { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 10px; }
button {
  min-height: 36px; padding: 4px 14px; border: 1px solid var(--soft); border-radius: 8px;
  background: var(--paper); color: var(--ink); font: inherit; cursor: pointer;
}
button:hover { background: var(--wash); }
button:disabled { opacity: 0.55; cursor: default; }
button.run { min-width: 92px; background: var(--ink); color: var(--paper); border-color: var(--ink); font-weight: 600; }
button[aria-pressed="true"] { background: var(--ink); color: var(--paper); }
.timeline { flex: 1 1 200px; display: flex; align-items: center; gap: 8px; white-space: nowrap; font-size: 13px; color: var(--soft); }
input[type="range"] { width: 100%; min-width: 60px; margin: 8px 0; accent-color: var(--ink); }
input[type="number"] {
  width: 84px; min-height: 36px; padding: 2px 8px; font: inherit; color: inherit;
  background: var(--paper); border: 1px solid var(--soft); border-radius: 8px;
}
.transport [data-out] { min-width: 34px; color: var(--ink); font-variant-numeric: tabular-nums; }
.verdict { min-height: 4.4em; margin: 10px 0 14px; }

.controls { display: grid; gap: 12px 28px; padding-top: 14px; border-top: 1px solid var(--grid); }
.controls .name { display: flex; justify-content: space-between; padding: 0; }
.controls [data-out] { color: var(--ink); font-weight: 600; font-variant-numeric: tabular-nums; }
.row { display: flex; flex-wrap: wrap; gap: 8px; align-items: center; }
.figures { display: grid; gap: 14px 28px; margin-top: 16px; }
.figures svg { height: 150px; }
.figures p { font-size: 13px; color: var(--soft); }
@container (min-width: 640px) {
  .controls, .figures { grid-template-columns: 1fr 1fr; }
  .verdict { min-height: 2.9em; }
}
/* A page that shows only the main picture and its player sets this to none. */
.controls, .figures { display: var(--pim-details, grid); }
@media (pointer: coarse) {
  button, input[type="number"], .choices span { min-height: 44px; }
}
@media print {
  .transport, .controls, .choices { display: none; }
}
`;

// Dark or light, from whatever page we are on: the book, JupyterLab, VS Code, Colab, or the system.
function pageIsDark() {
  const [page, body] = [document.documentElement, document.body];
  const theme = page.dataset.theme ?? page.getAttribute("theme");
  if (theme === "dark" || theme === "light") return theme === "dark";
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (/\bvscode-(dark|light)\b/.test(body.className)) return body.classList.contains("vscode-dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Put an explorable's frame into `el` and tie it to the model.
//
// rules: the manifest's state. template: HTML inside the frame; the controls below fill its elements
// named by data-control. update(state): bring everything else in line with the state, whoever
// changed it. draw(): draw what is known already again, because its size or its colours changed.
// settled(): a sentence for the verdict once things have come to rest, or null while they have not;
// meanwhile `waiting` stands there.
function open({ model, el, title, rules, style, template, update, draw, settled, waiting }) {
  const home = document.createElement("div");
  home.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab would take the arrow keys
  const shadow = home.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(LOOK + style);
  shadow.adoptedStyleSheets = [sheet];
  const frame = document.createElement("section");
  frame.className = "frame";
  frame.setAttribute("aria-label", title);
  frame.innerHTML = template;
  shadow.append(frame);

  const stopped = new AbortController();
  const followers = []; // controls that show the state
  const closers = [];
  let changing = false;
  let visible = false;
  let saveTimer = 0;
  let verdictTimer = 0;

  const view = {
    frame,
    calm: matchMedia("(prefers-reduced-motion: reduce)"),
    get visible() { return visible; },
    find: (selector) => frame.querySelector(selector),
    all: (selector) => frame.querySelectorAll(selector),
    isActive: (node) => shadow.activeElement === node,
    listen: (target, event, action, options = {}) =>
      target.addEventListener(event, action, { signal: stopped.signal, ...options }),
    follow: (show) => followers.push(show),
    whenClosed: (action) => closers.push(action),
    read: () => Object.fromEntries(Object.keys(rules).map((key) => [key, model.get(key)])),

    // Change the state. Python and the page's address hear of it a little later, in one message.
    change(values) {
      changing = true;
      for (const [key, value] of Object.entries(values)) model.set(key, value);
      changing = false;
      saveTimer ||= setTimeout(save, 250);
      refresh();
    },
    out(name, value) {
      const node = view.find(`[data-out="${name}"]`);
      if (node.textContent !== String(value)) node.textContent = value;
    },
    // One sentence, only when things have come to rest.
    announce() {
      clearTimeout(verdictTimer);
      const node = view.find(".verdict");
      if (settled() === null) {
        delete frame.dataset.settled;
        if (node.textContent !== waiting) node.textContent = waiting;
        return;
      }
      verdictTimer = setTimeout(() => {
        const sentence = settled();
        if (sentence === null) return;
        node.textContent = sentence;
        frame.dataset.settled = "1"; // tests and posters wait for it
      }, 400);
    },
  };

  function save() {
    clearTimeout(saveTimer);
    saveTimer = 0;
    model.save_changes();
  }
  function refresh() {
    const state = view.read();
    update(state);
    followers.forEach((show) => show(state));
    view.announce();
  }

  const showTheme = () => {
    frame.toggleAttribute("data-dark", pageIsDark());
    draw();
  };
  const themes = new MutationObserver(showTheme);
  const watched = { attributeFilter: ["data-theme", "data-jp-theme-light", "class", "theme"] };
  const sizes = new ResizeObserver(() => draw());
  const sight = new IntersectionObserver((entries) => {
    visible = entries.at(-1).isIntersecting;
    if (visible) refresh();
  }, { threshold: 0.15 });
  const onChange = () => changing || refresh();

  // Called once by the module, when its controls are in place.
  view.start = () => {
    themes.observe(document.documentElement, watched);
    themes.observe(document.body, watched);
    view.listen(matchMedia("(prefers-color-scheme: dark)"), "change", showTheme);
    frame.toggleAttribute("data-dark", pageIsDark());
    el.append(home);
    sizes.observe(frame);
    sight.observe(frame);
    for (const key of Object.keys(rules)) model.on(`change:${key}`, onChange);
    refresh();
    return () => {
      for (const key of Object.keys(rules)) model.off(`change:${key}`, onChange);
      stopped.abort();
      for (const observer of [themes, sizes, sight]) observer.disconnect();
      clearTimeout(verdictTimer);
      if (saveTimer) save();
      closers.forEach((action) => action());
      home.remove();
    };
  };
  return view;
}

// ---- controls: each fills the element named by data-control and follows the state -----------------

const placeOf = (view, key) => view.find(`[data-control="${key}"]`);

// A slider over whole numbers, or over `stops`. text(value): the words beside it. also(value, state):
// other keys that change with it. most(state): the present upper end.
function slider(view, rules, key, { label, stops, text = String, also, most }) {
  const last = stops ? stops.length - 1 : rules[key].maximum;
  placeOf(view, key).innerHTML = `<div class="name"><label for="${key}">${label}</label><span data-out="${key}"></span></div>
    <input type="range" id="${key}" min="${stops ? 0 : rules[key].minimum}" max="${last}" step="1">`;
  const input = view.find(`#${key}`);
  view.listen(input, "input", () => {
    const value = stops ? stops[input.value] : Number(input.value);
    view.change({ [key]: value, ...also?.(value, view.read()) });
  });
  view.follow((state) => {
    if (most) input.max = most(state);
    const past = stops?.findIndex((stop) => stop >= state[key]);
    input.value = stops ? (past < 0 ? last : past) : state[key];
    input.setAttribute("aria-valuetext", text(state[key]));
    view.out(key, text(state[key]));
  });
}

// Radio buttons, one for each value that the rule allows. labels: one for each, HTML.
function choices(view, rules, key, { legend, labels, also, disabled }) {
  const values = rules[key].enum;
  placeOf(view, key).innerHTML = `<fieldset><legend>${legend}</legend><div class="choices">${values
    .map((value, i) => `<label><input type="radio" name="${key}" value="${value}"><span>${labels[i]}</span></label>`)
    .join("")}</div></fieldset>`;
  const inputs = [...view.all(`input[name="${key}"]`)];
  inputs.forEach((input, i) => {
    view.listen(input, "change", () => view.change({ [key]: values[i], ...also?.(values[i], view.read()) }));
  });
  view.follow((state) => inputs.forEach((input, i) => {
    input.checked = values[i] === state[key];
    input.disabled = disabled?.(state) ?? false;
  }));
}

// A whole number to type, and a button for the next one.
function seedField(view, rules, key, { label }) {
  const { minimum, maximum } = rules[key];
  placeOf(view, key).innerHTML = `<label class="name" for="${key}">${label}</label>
    <div class="row"><input type="number" id="${key}" min="${minimum}" max="${maximum}"><button type="button" class="reseed">New seed</button></div>`;
  const input = view.find(`#${key}`);
  view.listen(input, "input", () => {
    if (input.value !== "" && input.validity.valid) view.change({ [key]: Number(input.value) });
  });
  view.listen(input, "blur", () => (input.value = view.read()[key]));
  view.listen(placeOf(view, key).querySelector(".reseed"), "click", () => {
    view.change({ [key]: (view.read()[key] + 1) % (maximum + 1) });
  });
  view.follow((state) => { if (!view.isActive(input)) input.value = state[key]; });
}

// Play, step and scrub through state.step while state.running. stride(step, seconds): how far to go.
// ready(): whether the last step has been drawn. position, stepAt: between steps and 0..100 on the
// slider. course: where the way leads through several keys of the state, its { last, at, state }:
// the last place, the place (a whole number from 0) of a state, the keys at a place; steps are then
// places. next(place): where the button Step goes. text(state): the words beside the slider.
function player(view, rules, options) {
  const { label, stride, ready, position, stepAt, course, text, next = (place) => place + 1 } = options;
  const { last, at, state: keysAt } = course
    ?? { last: rules.step.maximum, at: (state) => state.step, state: (step) => ({ step }) };
  const words = text ?? ((state) => String(at(state)));
  placeOf(view, "step").innerHTML = `<div class="transport">
    <button type="button" class="run"></button>
    <button type="button" class="step">Step</button>
    <button type="button" class="restart">Restart</button>
    <div class="timeline"><label for="time">${label}</label><input type="range" id="time" min="0" max="100"><span data-out="step"></span></div></div>`;
  const [run, step, time] = [view.find(".run"), view.find(".step"), view.find("#time")];
  let frameId = 0;
  let lastFrame = 0;

  function tick(now) {
    frameId = 0;
    const state = view.read();
    const elapsed = Math.min(0.1, (now - lastFrame) / 1000);
    lastFrame = now;
    if (!state.running || !view.visible) return;
    if (ready()) {
      const place = at(state);
      if (place >= last) return view.change({ running: false });
      const target = place + Math.max(1, Math.round(stride(place, elapsed)));
      view.change(keysAt(view.calm.matches ? last : Math.min(last, target)));
    }
    frameId ||= requestAnimationFrame(tick);
  }

  view.listen(run, "click", () => {
    const state = view.read();
    const again = at(state) >= last ? keysAt(0) : {};
    view.change(state.running ? { running: false } : { running: true, ...again });
  });
  const goTo = (place) => view.change({ running: false, ...keysAt(place) });
  view.listen(step, "click", () => goTo(Math.min(last, next(at(view.read())))));
  view.listen(view.find(".restart"), "click", () => goTo(0));
  view.listen(time, "input", () => goTo(Math.round(stepAt(Number(time.value)))));
  view.follow((state) => {
    const place = at(state);
    const name = state.running ? "Pause" : place >= last ? "Run again" : "Run";
    if (run.textContent !== name) run.textContent = name;
    step.disabled = place >= last;
    time.value = position(place);
    time.setAttribute("aria-valuetext", text ? text(state) : `step ${place} of ${last}`);
    view.out("step", words(state));
    if (state.running) frameId ||= requestAnimationFrame(tick);
  });
  view.whenClosed(() => cancelAnimationFrame(frameId));
}

