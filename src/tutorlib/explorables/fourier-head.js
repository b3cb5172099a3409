// The reader draws a density; a softmax head and a Fourier head learn it side by side, live.
//
// One module for every place: the book's static page imports it through its host script, Jupyter
// and Colab through anywidget. The picture is a function of the model's state alone, so the same
// state (seed and learning step included) shows the same picture everywhere.
//
// Parts: `manifest` (what the state is; Python and the host read it too), `numerics` (all of the
// mathematics, also run in a worker), `render` (controls and drawing, built from the kit).

// Strict JSON between the braces: Python reads this text as well.
export const manifest = {
  "title": "Draw a density and watch two heads learn it",
  "fallback": "An interactive picture (it needs JavaScript or a live notebook): draw a density over [-1, 1]; a softmax head over bins and a Fourier head learn it from samples, side by side. With few samples the softmax head copies the gaps between the samples, while the Fourier head draws a smooth curve near the density. When the bins are shuffled, the advantage is gone.",
  "state": {
    "shape": {"type": "string", "enum": ["one-bump", "two-bumps", "square-wave", "edge-mass", "three-narrow-bumps", "drawn"], "default": "two-bumps"},
    "drawing": {"type": "array", "lengths": [0, 64], "minimum": 0, "maximum": 100, "default": []},
    "frequencies": {"type": "integer", "minimum": 1, "maximum": 24, "belowHalfOf": "bins", "default": 12},
    "bins": {"type": "integer", "enum": [32, 64, 128], "default": 64},
    "samples": {"type": "integer", "minimum": 25, "maximum": 10000, "default": 200},
    "seed": {"type": "integer", "minimum": 0, "maximum": 9999, "default": 1},
    "shuffled": {"type": "boolean", "default": false},
    "order": {"type": "string", "enum": ["true", "head"], "default": "true"},
    "step": {"type": "integer", "minimum": 0, "maximum": 1000, "default": 0},
    "running": {"type": "boolean", "default": true}
  }
};

// Everything that is computed. Besides the kit's shared functions it uses nothing from outside,
// because its source text is also the worker's program.
function numerics() {
  const LEARNING_RATE = 0.02;
  const FLOOR = 1e-5; // Added to the Fourier head's probabilities before the logarithm, as in the paper.
  const CURVE_POINTS_PER_BIN = 4;
  const SMOOTHNESS_SCALES = 100;

  const SHAPES = {
    "one-bump": (z) => bump(z, 0.15, 0.15),
    "two-bumps": (z) => bump(z, -0.4, 0.1) + 0.7 * bump(z, 0.35, 0.14),
    "square-wave": (z) => (Math.sin(2 * Math.PI * z) > 0 ? 1 : 0.05),
    "edge-mass": (z) => Math.exp((z - 1) / 0.15),
    "three-narrow-bumps": (z) => bump(z, -0.6, 0.03) + bump(z, 0.02, 0.03) + bump(z, 0.5, 0.03),
  };

  function bump(z, centre, width) {
    return Math.exp(-0.5 * ((z - centre) / width) ** 2);
  }

  const sum = (values) => values.reduce((total, value) => total + value, 0);

  function normalise(values) {
    const total = sum(values);
    return values.map((value) => value / total);
  }

  function binCentres(bins) {
    return Float64Array.from({ length: bins }, (_, j) => (2 * j + 1 - bins) / bins);
  }

  // The target's relative heights at the points z, 0 to 100. A drawing is joined linearly between
  // the centres of its columns.
  function heights({ shape, drawing }, z) {
    if (shape !== "drawn") return z.map((x) => 60 * SHAPES[shape](x));
    if (!drawing.length || !drawing.some((height) => height > 0)) return z.map(() => 60);
    const last = drawing.length - 1;
    return z.map((x) => {
      const place = Math.min(last, Math.max(0, ((x + 1) / 2) * drawing.length - 0.5));
      const left = Math.min(last - 1, Math.floor(place));
      return drawing[left] + (place - left) * (drawing[left + 1] - drawing[left]);
    });
  }

  function target(settings) {
    return normalise(heights(settings, binCentres(settings.bins)));
  }

  // Where each bin goes: bin j becomes output permutation[j] of the heads.
  function permutation(bins, seed) {
    const random = generator(seed, 2); // stream 1 draws samples, 2 the shuffle, 3 the initialisation
    const order = Array.from({ length: bins }, (_, j) => j);
    for (let i = bins - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  function toHeadOrder(values, order) {
    const out = new Float64Array(values.length);
    values.forEach((value, j) => (out[order[j]] = value));
    return out;
  }

  function toTrueOrder(values, order) {
    return Float64Array.from(order, (place) => values[place]);
  }

  // How many of `samples` draws from `probabilities` fall in each bin.
  function sampleCounts(probabilities, samples, seed) {
    const random = generator(seed, 1);
    const edges = new Float64Array(probabilities.length);
    let total = 0;
    probabilities.forEach((p, j) => (edges[j] = total += p));
    const counts = new Float64Array(probabilities.length);
    for (let i = 0; i < samples; i++) {
      const u = random() * total;
      let [low, high] = [0, edges.length - 1];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (u < edges[middle]) high = middle;
        else low = middle + 1;
      }
      counts[low] += 1;
    }
    return counts;
  }

  function softmax(logits) {
    const top = Math.max(...logits);
    return normalise(logits.map((logit) => Math.exp(logit - top)));
  }

  // Cross-entropy of the sample frequencies (summing to 1), and its gradient in the logits.
  function softmaxLoss(logits, frequencies) {
    const p = softmax(logits);
    let loss = 0;
    frequencies.forEach((f, j) => { if (f > 0) loss -= f * Math.log(p[j]); });
    return { loss, gradient: p.map((value, j) => value - frequencies[j]) };
  }

  // exp(i pi l z) for l = 0..N at each point of z, as rows of cosines and sines.
  function waves(z, N) {
    const width = N + 1;
    const cos = new Float64Array(z.length * width);
    const sin = new Float64Array(z.length * width);
    z.forEach((x, j) => {
      for (let l = 0; l < width; l++) {
        cos[j * width + l] = Math.cos(Math.PI * l * x);
        sin[j * width + l] = Math.sin(Math.PI * l * x);
      }
    });
    return { cos, sin, width, points: z.length };
  }

  // u + iv = sum_l a_l exp(i pi l z), with a stored as real, imaginary, real, imaginary, ...
  function waveSum(a, { cos, sin, width, points }) {
    const u = new Float64Array(points);
    const v = new Float64Array(points);
    for (let j = 0; j < points; j++) {
      for (let l = 0; l < width; l++) {
        const c = cos[j * width + l];
        const s = sin[j * width + l];
        u[j] += a[2 * l] * c - a[2 * l + 1] * s;
        v[j] += a[2 * l] * s + a[2 * l + 1] * c;
      }
    }
    return { u, v, power: u.map((x, j) => x * x + v[j] * v[j]) };
  }

  function withFloor(y) {
    return y.map((value) => (value + FLOOR) / (1 + y.length * FLOOR));
  }

  // Probabilities of the bins: |sum_l a_l exp(i pi l b_j)|^2, normalised over the bins.
  function fourierHead(a, basis) {
    return withFloor(normalise(waveSum(a, basis).power));
  }

  // Cross-entropy as above, and its gradient in the real and imaginary parts of a.
  function fourierLoss(a, frequencies, basis) {
    const { u, v, power } = waveSum(a, basis);
    const total = sum(power);
    const y = power.map((value) => value / total);
    const q = withFloor(y);
    let loss = 0;
    frequencies.forEach((f, j) => { if (f > 0) loss -= f * Math.log(q[j]); });
    const slope = y.map((value, j) => -frequencies[j] / (value + FLOOR)); // d loss / d y
    const mean = sum(slope.map((value, j) => value * y[j])); // from dividing by the total
    const gradient = new Float64Array(a.length);
    const { cos, sin, width, points } = basis;
    for (let j = 0; j < points; j++) {
      const scale = (2 * (slope[j] - mean)) / total;
      for (let l = 0; l < width; l++) {
        const c = cos[j * width + l];
        const s = sin[j * width + l];
        gradient[2 * l] += scale * (u[j] * c + v[j] * s);
        gradient[2 * l + 1] += scale * (v[j] * c - u[j] * s);
      }
    }
    return { loss, gradient };
  }

  // |c_k| / c_0 for k = 1..N: the autocorrelation of a, the density's Fourier coefficients.
  function coefficients(a) {
    const N = a.length / 2 - 1;
    const magnitude = (k) => {
      let [re, im] = [0, 0];
      for (let l = 0; l + k <= N; l++) {
        const [p, q] = [2 * l, 2 * (l + k)];
        re += a[p] * a[q] + a[p + 1] * a[q + 1];
        im += a[p + 1] * a[q] - a[p] * a[q + 1];
      }
      return Math.hypot(re, im);
    };
    const c0 = magnitude(0);
    return Float64Array.from({ length: N }, (_, k) => magnitude(k + 1) / c0);
  }

  // The same magnitudes for probabilities y on the bins: |sum_j y_j exp(-i k pi b_j)|.
  function spectrum(y, N) {
    const { cos, sin, width } = waves(binCentres(y.length), N);
    return Float64Array.from({ length: N }, (_, i) => {
      let [re, im] = [0, 0];
      y.forEach((value, j) => {
        re += value * cos[j * width + i + 1];
        im += value * sin[j * width + i + 1];
      });
      return Math.hypot(re, im);
    });
  }

  function klDivergence(p, q) {
    let total = 0;
    p.forEach((value, j) => { if (value > 0) total += value * Math.log(value / q[j]); });
    return total;
  }

  // (1 - transform of the Gaussian filter)^2 for each scale and frequency; one table a bin count.
  const filterTables = new Map();
  function filterTable(bins) {
    if (!filterTables.has(bins)) {
      const table = [];
      for (let scale = 1; scale <= SMOOTHNESS_SCALES; scale++) {
        const filter = Float64Array.from({ length: bins }, (_, k) => Math.exp(-0.5 * (k / scale) ** 2));
        const total = 2 * sum(filter) - filter[0];
        table.push(Float64Array.from({ length: bins }, (_, f) => {
          let transform = filter[0];
          for (let k = 1; k < bins; k++) {
            transform += 2 * filter[k] * Math.cos((2 * Math.PI * ((f * k) % bins)) / bins);
          }
          return (1 - transform / total) ** 2;
        }));
      }
      filterTables.set(bins, table);
    }
    return filterTables.get(bins);
  }

  // The paper's s(y) = sum over sigma of 6 / (pi sigma)^2 |y - g_sigma * y|, circular; 0 is flat,
  // larger is rougher. Convolutions become products of discrete Fourier transforms (Parseval).
  function smoothness(y) {
    const m = y.length;
    const energy = new Float64Array(m);
    for (let f = 0; f < m; f++) {
      let [re, im] = [0, 0];
      for (let j = 0; j < m; j++) {
        const angle = (2 * Math.PI * ((f * j) % m)) / m;
        re += y[j] * Math.cos(angle);
        im += y[j] * Math.sin(angle);
      }
      energy[f] = (re * re + im * im) / m;
    }
    return sum(filterTable(m).map((row, i) =>
      (6 / (Math.PI * (i + 1)) ** 2) * Math.sqrt(sum(row.map((value, f) => value * energy[f])))));
  }

  function adam(parameters) {
    const first = new Float64Array(parameters.length);
    const second = new Float64Array(parameters.length);
    let t = 0;
    return (gradient) => {
      t += 1;
      gradient.forEach((g, i) => {
        first[i] = 0.9 * first[i] + 0.1 * g;
        second[i] = 0.999 * second[i] + 0.001 * g * g;
        const size = Math.sqrt(second[i] / (1 - 0.999 ** t)) + 1e-8;
        parameters[i] -= (LEARNING_RATE * first[i]) / (1 - 0.9 ** t) / size;
      });
    };
  }

  // Both heads, their optimisers and what they learn from. Arrays are in the heads' order of bins
  // unless a name says otherwise.
  function learner(settings) {
    const { bins, frequencies: N, samples, seed, shuffled } = settings;
    const identity = Array.from({ length: bins }, (_, j) => j);
    const order = shuffled ? permutation(bins, seed) : identity;
    const truth = target(settings);
    const counts = sampleCounts(truth, samples, seed);
    const seen = toHeadOrder(counts.map((count) => count / samples), order);
    const goal = toHeadOrder(truth, order);

    const basis = waves(binCentres(bins), N);
    const points = CURVE_POINTS_PER_BIN * bins;
    const curveBasis = waves(Float64Array.from({ length: points + 1 }, (_, i) => (2 * i) / points - 1), N);

    const logits = new Float64Array(bins);
    // Near the uniform density: a_0 = 1 and the other coefficients small.
    const random = generator(seed, 3);
    const a = Float64Array.from({ length: 2 * (N + 1) }, (_, i) => (i < 2 ? 1 - i : 0.05 * normal(random)));

    const moveLogits = adam(logits);
    const moveCoefficients = adam(a);
    const history = { step: [], linear: [], fourier: [] };
    let step = 0;

    function note() {
      if (step > 20 && step % 10) return;
      history.step.push(step);
      history.linear.push(klDivergence(goal, softmax(logits)));
      history.fourier.push(klDivergence(goal, fourierHead(a, basis)));
    }
    note();

    return {
      get step() { return step; },
      advance(to) {
        for (; step < to; note()) {
          moveLogits(softmaxLoss(logits, seen).gradient);
          moveCoefficients(fourierLoss(a, seen, basis).gradient);
          step += 1;
        }
      },
      snapshot() {
        const linear = softmax(logits);
        const fourier = fourierHead(a, basis);
        const power = waveSum(a, basis).power;
        const total = sum(power);
        return {
          settings, step, order, truth, counts, linear, fourier, history,
          curve: waveSum(a, curveBasis).power.map((value) => value / total),
          coefficients: coefficients(a),
          targetCoefficients: spectrum(goal, N),
          kl: { linear: klDivergence(goal, linear), fourier: klDivergence(goal, fourier) },
          // Roughness is judged where the bins really lie.
          smoothness: {
            target: smoothness(truth),
            linear: smoothness(toTrueOrder(linear, order)),
            fourier: smoothness(toTrueOrder(fourier, order)),
          },
        };
      },
    };
  }

  // A function from { settings, step } to a snapshot, which goes on from where it stands if it can.
  function session() {
    let current = null;
    let key = null;
    return ({ settings, step }) => {
      const wanted = JSON.stringify(settings);
      if (wanted !== key || step < current.step) {
        current = learner(settings);
        key = wanted;
      }
      current.advance(step);
      return current.snapshot();
    };
  }

  return {
    binCentres, heights, target, permutation, toHeadOrder, toTrueOrder, sampleCounts, softmax,
    softmaxLoss, waves, fourierHead, fourierLoss, coefficients, spectrum, klDivergence, smoothness,
    session,
  };
}

export const core = numerics();

const STEPS = manifest.state.step.maximum;
const COLUMNS = manifest.state.drawing.lengths[1];
const TALLEST = manifest.state.drawing.maximum;
const SAMPLE_STOPS = [25, 50, 100, 200, 500, 1000, 2000, 5000, 10000];
const SHAPE_NAMES = {
  "one-bump": "one bump",
  "two-bumps": "two bumps",
  "square-wave": "square wave",
  "edge-mass": "mass at one edge",
  "three-narrow-bumps": "three narrow bumps",
  "drawn": "my drawing",
};

const style = `
.frame { --fourier: var(--blue); --linear: var(--orange); }
[data-control="shape"] { display: var(--pim-details, block); }
.choices svg { width: 30px; height: 16px; }
.choices path { fill: none; stroke: var(--truth); stroke-width: 1.6; }
.cards { grid-template-columns: 1fr 1fr; }
.card.truth { grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 18px; align-items: center; }
.card.linear { --hue: var(--linear); }
.card.fourier { --hue: var(--fourier); }
.detail { display: var(--pim-details, block); }
.truth .swatch { border-top: 2px dashed var(--hue); }
.linear .swatch { border-top-width: 3px; }
.card.truth b { color: var(--ink); }

.plot { height: 260px; margin-top: 10px; border-radius: 8px; touch-action: pan-y; cursor: crosshair; user-select: none; -webkit-user-select: none; }
.plot[data-order="head"] { cursor: not-allowed; }
.bars { fill: var(--truth); opacity: 0.25; }
.goal { fill: none; stroke: var(--truth); stroke-width: 2; stroke-dasharray: 6 4; }
.line.linear { stroke: var(--linear); }
.line.fourier { stroke: var(--fourier); stroke-width: 3.5; }
.spectrum { fill: var(--fourier); }
.dots { stroke: var(--truth); stroke-width: 2.5; fill: none; }
.cursor { display: none; stroke: var(--ink); stroke-width: 1.5; fill: var(--paper); }
.plot:focus-visible .cursor { display: initial; }
svg .hint { fill: var(--ink); stroke: var(--paper); stroke-width: 5; paint-order: stroke; font-size: 13px; font-weight: 600; text-anchor: middle; }
@container (min-width: 560px) { .plot { height: 340px; } }
@container (min-width: 640px) {
  .cards { grid-template-columns: 1fr 1fr 1fr; }
  .card.truth { grid-column: auto; display: grid; gap: 3px; align-items: start; }
}
`;

const template = `
  <div data-control="shape"></div>
  <div class="cards">
    <div class="card truth"><b><i class="swatch"></i>Target</b>
      <small><span data-out="drawn"></span></small>
      <small class="detail">smoothness <i>s</i> <span data-out="target-smoothness"></span> <span class="aside">(0 is flat, larger is rougher)</span></small></div>
    <div class="card linear"><b><i class="swatch"></i>Softmax head</b>
      <small>distance to target, KL</small><span class="big" data-out="linear-kl"></span>
      <small class="detail">smoothness <i>s</i> <span data-out="linear-smoothness"></span></small></div>
    <div class="card fourier"><b><i class="swatch"></i>Fourier head</b>
      <small>distance to target, KL</small><span class="big" data-out="fourier-kl"></span>
      <small class="detail">smoothness <i>s</i> <span data-out="fourier-smoothness"></span></small></div>
  </div>
  <div class="plot" data-thumbnail tabindex="0" role="slider" aria-orientation="vertical" aria-valuemin="0" aria-valuemax="${TALLEST}"
    aria-label="Target density. Left and right arrows choose a place, up and down arrows change the height there."></div>
  <div data-control="step"></div>
  <p class="verdict" role="status" aria-live="polite"></p>
  <div class="controls">
    <div data-control="frequencies"></div>
    <div data-control="samples"></div>
    <div data-control="bins"></div>
    <div data-control="seed"></div>
    <div><span class="name">do neighbouring bins matter?</span>
      <div class="row"><button type="button" class="shuffle">Shuffle the bins</button></div></div>
    <div data-control="order"></div>
  </div>
  <div class="figures">
    <div><p>Distance to the target (KL, log scale) while learning</p><svg class="history" role="img"></svg></div>
    <div><p>Fourier coefficients |<i>c</i><sub>k</sub>| of the head (bars) and of the target (lines)</p><svg class="coefficients" role="img"></svg></div>
  </div>`;

// A path of flat pieces: heights y over the equal parts of [left, right].
function staircase(ys, left, right) {
  const width = (right - left) / ys.length;
  let path = `M${left} ${round(ys[0])}`;
  ys.forEach((y, j) => (path += `V${round(y)}H${round(left + (j + 1) * width)}`));
  return path;
}

const MAIN = { left: 38, right: 10, top: 28, bottom: 26 };

// The main picture. Heights 0..100 fill it; every curve is scaled so that the target has the
// heights that were drawn.
function drawMain(svg, { width, height }, state, shot, cursor) {
  const left = MAIN.left;
  const right = width - MAIN.right;
  const bottom = height - MAIN.bottom;
  const tall = bottom - MAIN.top;
  const bins = shot.truth.length;
  const z = core.binCentres(bins);
  const scale = core.heights(shot.settings, z).reduce((total, value) => total + value, 0);
  const inHeadOrder = shot.settings.shuffled && state.order === "head";
  const arrange = (values) => (inHeadOrder ? core.toHeadOrder(values, shot.order) : values);
  const learned = (values) => (inHeadOrder ? values : core.toTrueOrder(values, shot.order));
  const y = (p) => bottom - (p * scale * tall) / TALLEST;
  const x = (place) => left + ((place + 1) / 2) * (right - left);

  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const add = (name, attributes, text) => svg.append(svgElement(name, attributes, text));

  const perDensity = (2 / bins) * ((scale * tall) / TALLEST); // pixels of one unit of density
  const step = niceStep(tall / perDensity, 4);
  for (let tick = 0; tick * perDensity <= tall; tick += step) {
    const level = round(bottom - tick * perDensity);
    add("path", { class: tick ? "rule" : "axis", d: `M${left} ${level}H${right}` });
    add("text", { x: left - 6, y: level + 4, "text-anchor": "end" }, String(Number(tick.toFixed(2))));
  }
  for (const tick of [-1, -0.5, 0, 0.5, 1]) {
    const anchor = tick === -1 ? "start" : tick === 1 ? "end" : "middle";
    const output = Math.round(((tick + 1) / 2) * bins);
    const label = String(inHeadOrder ? output : tick).replace("-", "−");
    add("text", { x: x(tick), y: bottom + 18, "text-anchor": anchor }, label);
  }

  const clip = svgElement("clipPath", { id: "inside" });
  clip.append(svgElement("rect", { x: left, y: 0, width: right - left, height: bottom + 2 }));
  const curves = svgElement("g", { "clip-path": "url(#inside)" });
  svg.append(clip, curves);
  const draw = (className, d) => curves.append(svgElement("path", { class: className, d }));

  const counts = arrange(shot.counts);
  const observed = counts.map((count) => count / shot.settings.samples);
  draw("bars", `${staircase(Array.from(observed, y), left, right)}V${bottom}H${left}Z`);
  const goal = Array.from(arrange(shot.truth), y);
  draw("goal", inHeadOrder ? staircase(goal, left, right) : polyline(Array.from(z, x), goal));
  draw("line linear", staircase(Array.from(learned(shot.linear), y), left, right));
  if (shot.settings.shuffled && !inHeadOrder) {
    draw("line fourier", staircase(Array.from(learned(shot.fourier), y), left, right));
  } else {
    const last = shot.curve.length - 1;
    const across = Array.from(shot.curve, (_, i) => x((2 * i) / last - 1));
    draw("line fourier", polyline(across, Array.from(shot.curve, y)));
  }

  const hint = (text) => add("text", { class: "hint", x: (left + right) / 2, y: 16 }, text);
  if (inHeadOrder) return hint("output number, as the heads see the bins");
  if (state.shape !== "drawn") hint("✎ drag here to draw your own target");
  const place = (2 * cursor + 1) / COLUMNS - 1;
  const top = bottom - (heightAt(state, cursor) * tall) / TALLEST;
  add("path", { class: "cursor", d: `M${x(place)} ${bottom}V${top}` });
  add("circle", { class: "cursor", cx: x(place), cy: top, r: 6 });
}

// The two distances over the steps, on a square-root axis of steps: most happens early.
function drawHistory(svg, shot) {
  const { step, linear, fourier } = shot.history;
  const values = [...linear, ...fourier].map((kl) => Math.max(kl, 1e-5));
  lineChart(svg, {
    x: { kind: "sqrt", range: [0, STEPS], ticks: [0, 50, 200, 500, 1000] },
    y: { kind: "log", range: [0.8 * Math.min(...values), 1.25 * Math.max(1e-4, ...values)] },
    lines: [
      { name: "linear", xs: step, ys: linear },
      { name: "fourier", xs: step, ys: fourier },
    ],
    label: `After ${shot.step} steps the distance is ${figure(shot.kl.linear)} for the softmax head ` +
      `and ${figure(shot.kl.fourier)} for the Fourier head.`,
  });
}

function drawCoefficients(svg, shot) {
  const width = svg.clientWidth;
  const [left, right, top, bottom, height] = [44, width - 8, 8, 128, 150];
  const { coefficients, targetCoefficients } = shot;
  const N = coefficients.length;
  const slot = (right - left) / N;
  const y = (value) => bottom - Math.min(1, value) * (bottom - top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const add = (name, attributes, text) => svg.append(svgElement(name, attributes, text));
  for (const tick of [0, 0.5, 1]) {
    add("path", { class: tick ? "rule" : "axis", d: `M${left} ${y(tick)}H${right}` });
    add("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(tick));
  }
  const every = Math.ceil(N / Math.floor((right - left) / 26));
  for (let k = 1; k <= N; k++) {
    const start = left + (k - 1) * slot;
    const top = y(coefficients[k - 1]);
    const bar = { x: start + 0.2 * slot, width: 0.6 * slot, y: top, height: bottom - top };
    add("rect", { class: "spectrum", ...bar });
    const level = y(targetCoefficients[k - 1]);
    add("path", { class: "dots", d: `M${start + 0.08 * slot} ${level}h${0.84 * slot}` });
    if ((k - 1) % every) continue;
    add("text", { x: start + slot / 2, y: bottom + 17, "text-anchor": "middle" }, String(k));
  }
  const largest = coefficients.indexOf(Math.max(...coefficients)) + 1;
  svg.setAttribute("aria-label",
    `Magnitudes of ${N} Fourier coefficients; the largest is number ${largest}, ` +
    `${figure(coefficients[largest - 1])}.`);
}

// Height (0..100) of the target in one column of the drawing.
function heightAt(state, column) {
  return Math.round(core.heights(state, [(2 * column + 1) / COLUMNS - 1])[0]);
}

function columns(state) {
  return Array.from({ length: COLUMNS }, (_, i) => heightAt(state, i));
}

function verdict(shot) {
  const { step, kl, settings } = shot;
  if (step === 0) return "Neither head has learned anything yet: both are near the uniform density.";
  const ratio = kl.fourier / kl.linear;
  const winner = ratio < 0.9 ? "the Fourier head is closer to the target"
    : ratio > 1.1 ? "the softmax head is closer to the target"
    : "both heads are about equally far from the target";
  const [near, far] = ratio <= 1 ? [kl.fourier, kl.linear] : [kl.linear, kl.fourier];
  const control = settings.shuffled
    ? " The shuffle changed nothing for the softmax head; " +
      "the Fourier head needs neighbouring bins to be alike."
    : "";
  const when = `After ${step} ${step === 1 ? "step" : "steps"}`;
  return `${when} ${winner}: KL ${figure(near)} against ${figure(far)}.${control}`;
}

function render({ model, el }) {
  const rules = manifest.state;
  const view = open({
    model, el, rules, style, template, update, draw, settled,
    title: manifest.title,
    waiting: "Both heads are learning from the grey samples. Which one finds the dashed target?",
  });
  const { find, listen, read, change, out } = view;
  const plot = find(".plot");
  const canvas = svgElement("svg", { "aria-hidden": "true" });
  plot.append(canvas);

  const learner = connect(numerics, receive);
  view.whenClosed(learner.close);
  let shot = null;
  let cursor = COLUMNS / 2;
  let asked = "";

  function settingsOf({ shape, drawing, frequencies, bins, samples, seed, shuffled }) {
    return { shape, drawing: shape === "drawn" ? drawing : [], frequencies, bins, samples, seed, shuffled };
  }

  function update(state) {
    const question = { settings: settingsOf(state), step: state.step };
    const text = JSON.stringify(question);
    if (text === asked) return draw();
    asked = text;
    learner.ask(question);
  }

  function receive(snapshot) {
    shot = snapshot;
    draw();
    view.announce();
  }

  function settled() {
    const { running, step } = read();
    return (running && step < STEPS) || !shot || learner.busy ? null : verdict(shot);
  }

  // A new target is learned from the beginning; a changed setting shows at once what the heads
  // would have learned by the present step.
  const learnAgain = { step: 0, running: true };

  // ---- what is shown ----------------------------------------------------------------------

  function draw() {
    if (!shot) return;
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    if (!width) return;
    const state = read();
    drawMain(canvas, { width, height }, state, shot, cursor);
    if (find(".figures").clientWidth) { // hidden where the page shows only the picture
      drawHistory(find(".history"), shot);
      drawCoefficients(find(".coefficients"), shot);
    }
    out("linear-kl", figure(shot.kl.linear));
    out("fourier-kl", figure(shot.kl.fourier));
    out("target-smoothness", figure(shot.smoothness.target));
    out("linear-smoothness", figure(shot.smoothness.linear));
    out("fourier-smoothness", figure(shot.smoothness.fourier));
    view.frame.dataset.step = shot.step;
  }

  function showPlace(state) {
    plot.dataset.order = state.shuffled && state.order === "head" ? "head" : "true";
    const place = ((2 * cursor + 1) / COLUMNS - 1).toFixed(2);
    plot.setAttribute("aria-valuenow", heightAt(state, cursor));
    plot.setAttribute("aria-valuetext", `at ${place}, height ${heightAt(state, cursor)} of ${TALLEST}`);
  }

  // ---- controls ---------------------------------------------------------------------------

  const mostFrequencies = (bins) => Math.min(rules.frequencies.maximum, bins / 2 - 1);

  choices(view, rules, "shape", {
    legend: "Pick a target density, or draw your own on the picture",
    labels: Object.values(SHAPE_NAMES),
    also: (shape, state) => ({
      ...(shape === "drawn" && !state.drawing.length ? { drawing: columns(state) } : {}),
      ...learnAgain,
    }),
  });
  for (const input of view.all('input[name="shape"]')) {
    if (input.value === "drawn") continue;
    const z = Array.from({ length: 61 }, (_, i) => i / 30 - 1);
    const levels = core.heights({ shape: input.value, drawing: [] }, z);
    const icon = svgElement("svg", { viewBox: "0 0 30 16", "aria-hidden": "true" });
    const d = polyline(z.map((x) => 15 * (x + 1)), levels.map((height) => 15 - height / 4.4));
    icon.append(svgElement("path", { d }));
    input.nextElementSibling.prepend(icon);
  }
  player(view, rules, {
    label: "learning step",
    stride: (step, seconds) => seconds * (40 + step / 2), // slow at first, when most happens
    ready: () => !learner.busy,
    position: (step) => 100 * Math.sqrt(step / STEPS),
    stepAt: (position) => STEPS * (position / 100) ** 2,
  });
  slider(view, rules, "frequencies", {
    label: "frequencies <i>N</i> of the Fourier head",
    most: (state) => mostFrequencies(state.bins),
  });
  slider(view, rules, "samples", {
    label: "samples to learn from", stops: SAMPLE_STOPS, text: (count) => `${count}`,
  });
  slider(view, rules, "bins", {
    label: "bins <i>m</i>",
    stops: rules.bins.enum,
    also: (bins, state) => ({ frequencies: Math.min(state.frequencies, mostFrequencies(bins)) }),
  });
  seedField(view, rules, "seed", { label: "seed of samples and shuffle" });
  choices(view, rules, "order", {
    legend: "show shuffled bins in",
    labels: ["true order", "the heads' order"],
    disabled: (state) => !state.shuffled,
  });
  listen(find(".shuffle"), "click", () => change({ shuffled: !read().shuffled, order: "true" }));
  view.follow((state) => find(".shuffle").setAttribute("aria-pressed", String(state.shuffled)));
  view.follow(showPlace);
  view.follow((state) => out("drawn", `${state.samples} samples (grey bars)`));

  // ---- drawing with the pointer and with keys -----------------------------------------------

  const drawable = () => plot.dataset.order === "true";
  let stroke = null; // the last point of the pointer's line: { column, height }

  function pointOf(event) {
    const box = canvas.getBoundingClientRect();
    const across = (event.clientX - box.left - MAIN.left) / (box.width - MAIN.left - MAIN.right);
    const up = (box.bottom - MAIN.bottom - event.clientY) / (box.height - MAIN.bottom - MAIN.top);
    const within = (value, most) => Math.max(0, Math.min(most, value));
    return {
      column: within(Math.floor(across * COLUMNS), COLUMNS - 1),
      height: within(Math.round(up * TALLEST), TALLEST),
    };
  }

  function drawTo(point) {
    const drawing = columns(read());
    const from = stroke ?? point;
    const span = Math.abs(point.column - from.column);
    for (let i = 0; i <= span; i++) {
      const part = span ? i / span : 1;
      const column = Math.round(from.column + part * (point.column - from.column));
      drawing[column] = Math.round(from.height + part * (point.height - from.height));
    }
    stroke = point;
    cursor = point.column;
    change({ shape: "drawn", drawing });
  }

  listen(plot, "pointerdown", (event) => {
    if (!drawable() || event.button !== 0) return;
    stroke = pointOf(event);
    // A finger may be about to scroll the page: it draws only once it moves sideways, or lifts.
    if (event.pointerType !== "touch") {
      plot.setPointerCapture(event.pointerId);
      drawTo(stroke);
    }
  });
  listen(plot, "pointermove", (event) => {
    if (stroke) drawTo(pointOf(event));
  });
  listen(plot, "pointerup", (event) => {
    if (!stroke) return;
    drawTo(pointOf(event));
    stroke = null;
    change(learnAgain);
  });
  listen(plot, "pointercancel", () => (stroke = null));

  listen(plot, "keydown", (event) => {
    const moves = { ArrowLeft: -1, ArrowRight: 1, Home: -COLUMNS, End: COLUMNS };
    const lifts = { ArrowUp: 5, ArrowDown: -5, PageUp: 20, PageDown: -20 };
    if (event.altKey || event.ctrlKey || event.metaKey || !drawable()) return;
    if (event.key in moves) {
      cursor = Math.max(0, Math.min(COLUMNS - 1, cursor + moves[event.key]));
      showPlace(read());
      draw();
    } else if (event.key in lifts) {
      const drawing = columns(read());
      // A small brush, so that a few key strokes make a hill and not a needle.
      [-2, -1, 0, 1, 2].forEach((offset) => {
        const column = cursor + offset;
        if (column < 0 || column >= COLUMNS) return;
        const height = drawing[column] + lifts[event.key] * (1 - Math.abs(offset) / 3);
        drawing[column] = Math.max(0, Math.min(TALLEST, Math.round(height)));
      });
      change({ shape: "drawn", drawing, ...learnAgain });
    } else {
      return;
    }
    event.preventDefault();
  });

  return view.start();
}

export default { render };
