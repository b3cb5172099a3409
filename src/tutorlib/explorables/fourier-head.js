// The reader draws a density; a softmax head and a Fourier head learn it side by side, live.
//
// One module for every place: the book's static page imports it through its host script, Jupyter
// and Colab through anywidget. The picture is a function of the model's state alone, so the same
// state (seed and learning step included) shows the same picture everywhere.
//
// Parts: `manifest` (what the state is; Python and the host read it too), `numerics` (all of the
// mathematics, also run in a worker), `connect` (the worker), `render` (controls and drawing).

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

// Everything that is computed. The function is self-contained because its source text is also
// the worker's program.
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

  // Uniform numbers in [0, 1): mulberry32. Streams keep samples, shuffle and initialisation apart.
  function generator(seed, stream) {
    let state = (seed * 0x9e3779b1 + stream * 0x85ebca6b) >>> 0;
    return () => {
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), state | 1);
      t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
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
    const random = generator(seed, 2);
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
    const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const a = Float64Array.from({ length: 2 * (N + 1) }, (_, i) => (i < 2 ? 1 - i : 0.05 * normal()));

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

  // A function (settings, step) -> snapshot that goes on from where it stands when it can.
  function session() {
    let current = null;
    let key = null;
    return (settings, step) => {
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

// Ask for snapshots; only the newest of the requests made while one is computed is answered.
// Without workers (some sandboxes and policies) the page computes between two frames instead.
function connect(onSnapshot) {
  const local = core.session();
  let worker = null;
  let computing = null;
  let waiting = null;
  let closed = false;

  function send(request) {
    computing = request;
    if (worker) worker.postMessage(request);
    else requestAnimationFrame(() => closed || receive(local(request.settings, request.step)));
  }
  function receive(snapshot) {
    computing = null;
    if (waiting) send(waiting);
    waiting = null;
    onSnapshot(snapshot);
  }

  const program = `const session = (${numerics})().session();
    onmessage = ({ data }) => postMessage(session(data.settings, data.step));`;
  try {
    const url = URL.createObjectURL(new Blob([program], { type: "text/javascript" }));
    worker = new Worker(url);
    worker.onmessage = ({ data }) => receive(data);
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
    request(settings, step) {
      if (computing) waiting = { settings, step };
      else send({ settings, step });
    },
    close() {
      closed = true;
      worker?.terminate();
    },
  };
}

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
:host { display: block; }
.frame {
  --fourier: var(--pim-fourier, #0072b2);
  --linear: var(--pim-linear, #b84e00);
  --truth: var(--pim-truth, #4a4f57);
  --ink: var(--pim-ink, #1c2126);
  --paper: var(--pim-paper, #ffffff);
  --grid: var(--pim-grid, #d9dde2);
  --soft: color-mix(in srgb, var(--ink) 72%, var(--paper));
  --wash: color-mix(in srgb, var(--ink) 5%, var(--paper));
  container-type: inline-size;
  box-sizing: border-box;
  padding: 16px;
  border: 1px solid var(--grid);
  border-radius: 12px;
  background: var(--paper);
  color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
.frame[data-dark] {
  --fourier: var(--pim-fourier, #5cb8f0);
  --linear: var(--pim-linear, #f0954a);
  --truth: var(--pim-truth, #b4bac2);
  --ink: var(--pim-ink, #e8eaed);
  --paper: var(--pim-paper, #16191d);
  --grid: var(--pim-grid, #3a4047);
  color-scheme: dark;
}
* { box-sizing: border-box; }
p, fieldset, legend { margin: 0; padding: 0; border: 0; }
:focus-visible, input:focus-visible + span { outline: 3px solid var(--fourier); outline-offset: 2px; }

.choices { display: flex; flex-wrap: wrap; gap: 6px; }
.choices label { position: relative; cursor: pointer; }
.choices input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
.choices span {
  display: flex; align-items: center; gap: 7px; min-height: 34px; padding: 3px 10px;
  border: 1px solid var(--grid); border-radius: 8px; background: var(--paper); white-space: nowrap;
}
.choices input:checked + span { border-color: var(--ink); background: var(--wash); box-shadow: inset 0 0 0 1px var(--ink); }
.choices input:disabled + span { opacity: 0.55; }
.choices svg { width: 30px; height: 16px; }
.choices path { fill: none; stroke: var(--truth); stroke-width: 1.6; }
legend, .name { font-size: 13px; color: var(--soft); padding-bottom: 4px; }

.cards { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin-top: 14px; }
.card { display: grid; align-content: start; padding: 8px 12px; border-radius: 8px; background: var(--wash); border-top: 4px solid var(--hue); }
.card.truth { --hue: var(--truth); grid-column: 1 / -1; display: flex; flex-wrap: wrap; gap: 0 18px; align-items: center; }
.card.linear { --hue: var(--linear); }
.card.fourier { --hue: var(--fourier); }
.card b { color: var(--hue); }
.swatch { display: inline-block; width: 24px; margin-right: 7px; vertical-align: middle; border-top: 4px solid var(--hue); }
.truth .swatch { border-top: 2px dashed var(--hue); }
.linear .swatch { border-top-width: 3px; }
.card.truth b { color: var(--ink); }
.card small { font-size: 13px; color: var(--soft); }
.card span { font-variant-numeric: tabular-nums; }
.card .distance { font-size: 26px; line-height: 1.2; font-weight: 650; color: var(--ink); }

.plot { height: 260px; margin-top: 10px; border-radius: 8px; touch-action: pan-y; cursor: crosshair; user-select: none; -webkit-user-select: none; }
.plot[data-order="head"] { cursor: not-allowed; }
svg { display: block; width: 100%; height: 100%; overflow: hidden; }
.figures svg { height: 150px; }
svg text { fill: var(--soft); font: 12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
.rule { stroke: var(--grid); fill: none; }
.axis { stroke: var(--soft); fill: none; }
.bars { fill: var(--truth); opacity: 0.25; }
.goal { fill: none; stroke: var(--truth); stroke-width: 2; stroke-dasharray: 6 4; }
.learned { fill: none; stroke-linejoin: round; }
.learned.linear { stroke: var(--linear); stroke-width: 2; }
.learned.fourier { stroke: var(--fourier); stroke-width: 3.5; }
.spectrum { fill: var(--fourier); }
.dots { stroke: var(--truth); stroke-width: 2.5; fill: none; }
.cursor { display: none; stroke: var(--ink); stroke-width: 1.5; fill: var(--paper); }
.plot:focus-visible .cursor { display: initial; }
svg .hint { fill: var(--ink); stroke: var(--paper); stroke-width: 5; paint-order: stroke; font-size: 13px; font-weight: 600; text-anchor: middle; }

.transport { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; margin-top: 10px; }
button {
  min-height: 36px; padding: 4px 14px; border: 1px solid var(--soft); border-radius: 8px;
  background: var(--paper); color: var(--ink); font: inherit; cursor: pointer;
}
button:hover { background: var(--wash); }
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
.figures p { font-size: 13px; color: var(--soft); }
@container (min-width: 560px) { .plot { height: 340px; } }
@container (min-width: 640px) {
  .cards { grid-template-columns: 1fr 1fr 1fr; }
  .card.truth { grid-column: auto; display: grid; gap: 3px; align-items: start; }
  .controls, .figures { grid-template-columns: 1fr 1fr; }
  .verdict { min-height: 2.9em; }
}
@media (pointer: coarse) {
  button, input[type="number"], .choices span { min-height: 44px; }
}
@media print {
  .transport, .controls, .shapes { display: none; }
}
`;

const template = `
<section class="frame" aria-label="${manifest.title}">
  <fieldset class="shapes"><legend>Pick a target density, or draw your own on the picture</legend>
    <div class="choices" data-choices="shape"></div></fieldset>
  <div class="cards">
    <div class="card truth"><b><i class="swatch"></i>Target</b>
      <small><span data-out="drawn"></span></small>
      <small>smoothness <i>s</i> <span data-out="target-smoothness"></span> <span class="aside">(0 is flat, larger is rougher)</span></small></div>
    <div class="card linear"><b><i class="swatch"></i>Softmax head</b>
      <small>distance to target, KL</small><span class="distance" data-out="linear-kl"></span>
      <small>smoothness <i>s</i> <span data-out="linear-smoothness"></span></small></div>
    <div class="card fourier"><b><i class="swatch"></i>Fourier head</b>
      <small>distance to target, KL</small><span class="distance" data-out="fourier-kl"></span>
      <small>smoothness <i>s</i> <span data-out="fourier-smoothness"></span></small></div>
  </div>
  <div class="plot" tabindex="0" role="slider" aria-orientation="vertical" aria-valuemin="0" aria-valuemax="${TALLEST}"
    aria-label="Target density. Left and right arrows choose a place, up and down arrows change the height there."></div>
  <div class="transport">
    <button type="button" class="run"></button>
    <button type="button" class="step">Step</button>
    <button type="button" class="restart">Restart</button>
    <div class="timeline"><label for="time">learning step</label><input type="range" id="time" min="0" max="100"><span data-out="step"></span></div>
  </div>
  <p class="verdict" role="status" aria-live="polite"></p>
  <div class="controls">
    <div><div class="name"><label for="frequencies">frequencies <i>N</i> of the Fourier head</label><span data-out="frequencies"></span></div>
      <input type="range" id="frequencies" min="1"></div>
    <div><div class="name"><label for="samples">samples to learn from</label><span data-out="samples"></span></div>
      <input type="range" id="samples" min="0" max="${SAMPLE_STOPS.length - 1}"></div>
    <fieldset><legend>bins <i>m</i></legend><div class="choices" data-choices="bins"></div></fieldset>
    <div><label class="name" for="seed">seed of samples and shuffle</label>
      <div class="row"><input type="number" id="seed" min="0" max="9999"><button type="button" class="reseed">New seed</button></div></div>
    <div><span class="name">do neighbouring bins matter?</span>
      <div class="row"><button type="button" class="shuffle">Shuffle the bins</button></div></div>
    <fieldset><legend>show shuffled bins in</legend><div class="choices" data-choices="order"></div></fieldset>
  </div>
  <div class="figures">
    <div><p>Distance to the target (KL, log scale) while learning</p><svg class="history" role="img"></svg></div>
    <div><p>Fourier coefficients |<i>c</i><sub>k</sub>| of the head (bars) and of the target (lines)</p><svg class="coefficients" role="img"></svg></div>
  </div>
</section>`;

function svgElement(name, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

const round = (value) => Math.round(value * 10) / 10;

function polyline(xs, ys) {
  return `M${xs.map((x, i) => `${round(x)} ${round(ys[i])}`).join("L")}`;
}

// A path of flat pieces: heights y over the equal parts of [left, right].
function staircase(ys, left, right) {
  const width = (right - left) / ys.length;
  let path = `M${left} ${round(ys[0])}`;
  ys.forEach((y, j) => (path += `V${round(y)}H${round(left + (j + 1) * width)}`));
  return path;
}

// A round step of 1, 2 or 5 times a power of ten that cuts `range` into about `count` parts.
function niceStep(range, count) {
  const power = 10 ** Math.floor(Math.log10(range / count));
  return power * ([1, 2, 5].find((factor) => factor * power * count >= range) ?? 10);
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
  draw("learned linear", staircase(Array.from(learned(shot.linear), y), left, right));
  if (shot.settings.shuffled && !inHeadOrder) {
    draw("learned fourier", staircase(Array.from(learned(shot.fourier), y), left, right));
  } else {
    const last = shot.curve.length - 1;
    const across = Array.from(shot.curve, (_, i) => x((2 * i) / last - 1));
    draw("learned fourier", polyline(across, Array.from(shot.curve, y)));
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
function drawHistory(svg, width, shot) {
  const [left, right, top, bottom, height] = [44, width - 8, 8, 128, 150];
  const { step, linear, fourier } = shot.history;
  const values = [...linear, ...fourier];
  const low = Math.log10(Math.max(1e-5, Math.min(...values))) - 0.1;
  const high = Math.log10(Math.max(1e-4, ...values)) + 0.1;
  const x = (s) => left + Math.sqrt(s / STEPS) * (right - left);
  const y = (kl) => bottom - ((Math.log10(Math.max(kl, 1e-5)) - low) / (high - low)) * (bottom - top);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const add = (name, attributes, text) => svg.append(svgElement(name, attributes, text));
  const marks = high - low > 1 ? [1, 3] : [1, 2, 4, 7];
  const powers = [1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10];
  for (const tick of powers.flatMap((power) => marks.map((mark) => mark * power))) {
    if (Math.log10(tick) < low || Math.log10(tick) > high) continue;
    add("path", { class: "rule", d: `M${left} ${round(y(tick))}H${right}` });
    add("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, String(Number(tick.toPrecision(1))));
  }
  for (const tick of [0, 50, 200, 500, 1000]) {
    const anchor = tick === STEPS ? "end" : "middle";
    add("text", { x: x(tick), y: bottom + 17, "text-anchor": anchor }, String(tick));
  }
  add("path", { class: "axis", d: `M${left} ${bottom}H${right}` });
  add("path", { class: "learned linear", d: polyline(step.map(x), linear.map(y)) });
  add("path", { class: "learned fourier", d: polyline(step.map(x), fourier.map(y)) });
  svg.setAttribute("aria-label",
    `After ${shot.step} steps the distance is ${figure(shot.kl.linear)} for the softmax head ` +
    `and ${figure(shot.kl.fourier)} for the Fourier head.`);
}

function drawCoefficients(svg, width, shot) {
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

function figure(value) {
  return value < 0.001 ? value.toExponential(1) : value.toPrecision(value < 0.1 ? 2 : 3);
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

// Dark or light, from whatever page we are on: the book, JupyterLab, VS Code, Colab, or the system.
function pageIsDark() {
  const [page, body] = [document.documentElement, document.body];
  const theme = page.dataset.theme ?? page.getAttribute("theme");
  if (theme === "dark" || theme === "light") return theme === "dark";
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false";
  if (/\bvscode-(dark|light)\b/.test(body.className)) return body.classList.contains("vscode-dark");
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function render({ model, el }) {
  const home = document.createElement("div");
  home.setAttribute("data-lm-suppress-shortcuts", "true"); // JupyterLab would take the arrow keys
  const shadow = home.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style);
  shadow.adoptedStyleSheets = [sheet];
  shadow.innerHTML = template;
  const find = (selector) => shadow.querySelector(selector);
  const frame = find(".frame");
  const plot = find(".plot");
  const canvas = svgElement("svg", { "aria-hidden": "true" });
  plot.append(canvas);

  const stopped = new AbortController();
  const { signal } = stopped;
  const listen = (target, event, action) => target.addEventListener(event, action, { signal });
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const learner = connect(receive);
  let shot = null;
  let cursor = COLUMNS / 2;
  let visible = false;
  let frameId = 0;
  let lastFrame = 0;
  let asked = "";
  let changing = false;
  let saveTimer = 0;
  let verdictTimer = 0;

  // ---- state ------------------------------------------------------------------------------

  function read() {
    return Object.fromEntries(Object.keys(manifest.state).map((key) => [key, model.get(key)]));
  }

  function settingsOf({ shape, drawing, frequencies, bins, samples, seed, shuffled }) {
    return { shape, drawing: shape === "drawn" ? drawing : [], frequencies, bins, samples, seed, shuffled };
  }

  // Change the state; Python and the page's address hear of it a little later, in one message.
  function change(values) {
    changing = true;
    for (const [key, value] of Object.entries(values)) model.set(key, value);
    changing = false;
    saveTimer ||= setTimeout(save, 250);
    update();
  }
  function save() {
    clearTimeout(saveTimer);
    saveTimer = 0;
    model.save_changes();
  }

  // Bring controls and learner in line with the state, whoever changed it.
  function update() {
    const state = read();
    const request = JSON.stringify([settingsOf(state), state.step]);
    if (request !== asked) {
      asked = request;
      learner.request(settingsOf(state), state.step);
    } else {
      draw();
    }
    showControls(state);
    if (state.running && !frameId) frameId = requestAnimationFrame(tick);
    announce();
  }

  function tick(now) {
    frameId = 0;
    const state = read();
    const elapsed = Math.min(0.1, (now - lastFrame) / 1000);
    lastFrame = now;
    if (!state.running || !visible) return;
    if (!learner.busy) {
      if (state.step >= STEPS) return change({ running: false });
      // Slow at first, when most happens.
      const stride = Math.max(1, Math.round(elapsed * (40 + state.step / 2)));
      change({ step: calm.matches ? STEPS : Math.min(STEPS, state.step + stride) });
    }
    frameId ||= requestAnimationFrame(tick);
  }

  function receive(snapshot) {
    shot = snapshot;
    draw();
    announce();
  }

  // A new target is learned from the beginning; a changed setting shows at once what the heads
  // would have learned by the present step.
  const learnAgain = { step: 0, running: true };

  // ---- what is shown ----------------------------------------------------------------------

  function out(name, value) {
    const node = find(`[data-out="${name}"]`);
    if (node.textContent !== String(value)) node.textContent = value;
  }

  function draw() {
    if (!shot) return;
    const [width, height] = [plot.clientWidth, plot.clientHeight];
    if (!width) return;
    const state = read();
    drawMain(canvas, { width, height }, state, shot, cursor);
    const small = find(".history");
    drawHistory(small, small.clientWidth, shot);
    drawCoefficients(find(".coefficients"), small.clientWidth, shot);
    out("drawn", `${shot.settings.samples} samples (grey bars)`);
    out("linear-kl", figure(shot.kl.linear));
    out("fourier-kl", figure(shot.kl.fourier));
    out("target-smoothness", figure(shot.smoothness.target));
    out("linear-smoothness", figure(shot.smoothness.linear));
    out("fourier-smoothness", figure(shot.smoothness.fourier));
    frame.dataset.step = shot.step;
  }

  function showControls(state) {
    for (const key of ["shape", "bins", "order"]) {
      for (const input of shadow.querySelectorAll(`input[name="${key}"]`)) {
        input.checked = input.value === String(state[key]);
        if (key === "order") input.disabled = !state.shuffled;
      }
    }
    const frequencies = find("#frequencies");
    frequencies.max = mostFrequencies(state.bins);
    frequencies.value = state.frequencies;
    out("frequencies", state.frequencies);
    const samples = find("#samples");
    const stop = SAMPLE_STOPS.findIndex((count) => count >= state.samples);
    samples.value = stop;
    samples.setAttribute("aria-valuetext", `${state.samples} samples`);
    out("samples", state.samples);
    const seed = find("#seed");
    if (shadow.activeElement !== seed) seed.value = state.seed;
    find(".shuffle").setAttribute("aria-pressed", String(state.shuffled));
    const label = state.running ? "Pause" : state.step >= STEPS ? "Run again" : "Run";
    if (find(".run").textContent !== label) find(".run").textContent = label;
    find(".step").disabled = state.step >= STEPS;
    find("#time").value = 100 * Math.sqrt(state.step / STEPS);
    find("#time").setAttribute("aria-valuetext", `step ${state.step} of ${STEPS}`);
    out("step", state.step);
    plot.dataset.order = state.shuffled && state.order === "head" ? "head" : "true";
    const place = ((2 * cursor + 1) / COLUMNS - 1).toFixed(2);
    plot.setAttribute("aria-valuenow", heightAt(state, cursor));
    plot.setAttribute("aria-valuetext", `at ${place}, height ${heightAt(state, cursor)} of ${TALLEST}`);
  }

  // One sentence, only when things have come to rest.
  function announce() {
    clearTimeout(verdictTimer);
    const state = read();
    const node = find(".verdict");
    if (state.running && state.step < STEPS) {
      const text = "Both heads are learning from the grey samples. Which one finds the dashed target?";
      if (node.textContent !== text) node.textContent = text;
      return;
    }
    verdictTimer = setTimeout(() => {
      if (shot && !learner.busy) node.textContent = verdict(shot);
    }, 400);
  }

  // ---- controls ---------------------------------------------------------------------------

  const mostFrequencies = (bins) => Math.min(manifest.state.frequencies.maximum, bins / 2 - 1);

  function offer(key, labels, values) {
    for (const [i, value] of values.entries()) {
      const label = document.createElement("label");
      label.innerHTML = `<input type="radio" name="${key}" value="${value}"><span>${labels[i]}</span>`;
      find(`[data-choices="${key}"]`).append(label);
    }
  }
  offer("shape", Object.values(SHAPE_NAMES), Object.keys(SHAPE_NAMES));
  offer("bins", manifest.state.bins.enum, manifest.state.bins.enum);
  offer("order", ["true order", "the heads' order"], manifest.state.order.enum);
  for (const input of shadow.querySelectorAll('input[name="shape"]')) {
    if (input.value === "drawn") continue;
    const z = Array.from({ length: 61 }, (_, i) => i / 30 - 1);
    const levels = core.heights({ shape: input.value, drawing: [] }, z);
    const icon = svgElement("svg", { viewBox: "0 0 30 16", "aria-hidden": "true" });
    const d = polyline(z.map((x) => 15 * (x + 1)), levels.map((height) => 15 - height / 4.4));
    icon.append(svgElement("path", { d }));
    input.nextElementSibling.prepend(icon);
  }

  for (const input of shadow.querySelectorAll('input[name="shape"]')) {
    listen(input, "change", () => {
      const state = read();
      const first = input.value === "drawn" && !state.drawing.length;
      change({ shape: input.value, ...(first ? { drawing: columns(state) } : {}), ...learnAgain });
    });
  }
  for (const input of shadow.querySelectorAll('input[name="bins"]')) {
    listen(input, "change", () => {
      const bins = Number(input.value);
      change({ frequencies: Math.min(model.get("frequencies"), mostFrequencies(bins)), bins });
    });
  }
  for (const input of shadow.querySelectorAll('input[name="order"]')) {
    listen(input, "change", () => change({ order: input.value }));
  }
  listen(find("#frequencies"), "input", (event) => change({ frequencies: Number(event.target.value) }));
  listen(find("#samples"), "input", (event) => change({ samples: SAMPLE_STOPS[event.target.value] }));
  listen(find("#seed"), "input", (event) => {
    const { value, validity } = event.target;
    if (value !== "" && validity.valid) change({ seed: Number(value) });
  });
  listen(find("#seed"), "blur", () => showControls(read()));
  listen(find(".reseed"), "click", () => change({ seed: (model.get("seed") + 1) % 10000 }));
  listen(find(".shuffle"), "click", () => change({ shuffled: !model.get("shuffled"), order: "true" }));
  listen(find(".run"), "click", () => {
    const { running, step } = read();
    change(running ? { running: false } : { running: true, step: step >= STEPS ? 0 : step });
  });
  listen(find(".step"), "click", () => {
    change({ running: false, step: Math.min(STEPS, model.get("step") + 1) });
  });
  listen(find(".restart"), "click", () => change({ step: 0, running: false }));
  listen(find("#time"), "input", (event) => {
    change({ running: false, step: Math.round(STEPS * (event.target.value / 100) ** 2) });
  });

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
      showControls(read());
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

  // ---- life ---------------------------------------------------------------------------------

  const showTheme = () => frame.toggleAttribute("data-dark", pageIsDark());
  const themes = new MutationObserver(showTheme);
  const watched = { attributeFilter: ["data-theme", "data-jp-theme-light", "class", "theme"] };
  themes.observe(document.documentElement, watched);
  themes.observe(document.body, watched);
  listen(matchMedia("(prefers-color-scheme: dark)"), "change", showTheme);
  showTheme();

  el.append(home);
  const sizes = new ResizeObserver(draw);
  sizes.observe(plot);
  const sight = new IntersectionObserver(([entry]) => {
    visible = entry.isIntersecting;
    if (visible) update();
  }, { threshold: 0.3 });
  sight.observe(plot);
  const onChange = () => changing || update();
  for (const key of Object.keys(manifest.state)) model.on(`change:${key}`, onChange);
  update();

  return () => {
    for (const key of Object.keys(manifest.state)) model.off(`change:${key}`, onChange);
    stopped.abort();
    for (const observer of [themes, sizes, sight]) observer.disconnect();
    cancelAnimationFrame(frameId);
    clearTimeout(verdictTimer);
    if (saveTimer) save();
    learner.close();
    home.remove();
  };
}

export default { render };
