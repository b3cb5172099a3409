// A wide network fits its training examples and, much later or never, generalises: train it live
// from lazy to rich.
//
// The toy model of Kumar et al. (2024): f(x) = (alpha / N) sum_i phi(w_i . x) with
// phi(h) = h + (epsilon / 2) h^2, inputs x ~ N(0, I / D), target y = (beta . x)^2 / 2. Gradient
// descent on it closes on the mean w and the second moments M of the weights, so that an infinitely
// wide network is trained exactly with D + D^2 numbers; its test loss is known exactly too.
//
// Parts: `manifest` (what the state is; Python and the host read it too), `numerics` (all of the
// mathematics, also run in workers), `render` (controls and drawing, built from the kit). The map
// of when grokking happens, `GROKKING_MAP`, comes from a file of its own.

// Strict JSON between the braces: Python reads this text as well.
export const manifest = {
  "title": "Grokking: from lazy to rich training",
  "fallback": "An interactive picture (it needs JavaScript or a live notebook): a wide network learns a quadratic target from a few examples. With a large output scale it first moves as a fixed kernel would, and its test loss rises; then features fit the training set, and much later they are right and the test loss falls. A map shows for which output scales and data sizes that delay appears. With little data the test loss never falls.",
  "state": {
    "alpha": {"type": "number", "minimum": 0.125, "maximum": 8, "default": 2},
    "epsilon": {"type": "number", "minimum": 0.05, "maximum": 0.5, "default": 0.05},
    "examples": {"type": "integer", "minimum": 30, "maximum": 200, "default": 80},
    "seed": {"type": "integer", "minimum": 0, "maximum": 9999, "default": 1},
    "step": {"type": "integer", "minimum": 0, "maximum": 10000, "default": 0},
    "running": {"type": "boolean", "default": true}
  }
};

// Everything that is computed. Besides the kit's shared functions it uses nothing from outside,
// because its source text is also the workers' program.
//
// Matrices are flat arrays, row by row. The target's direction is the first axis, beta =
// sqrt(D) e_1: inputs and first weights look the same from all sides, so nothing is lost.
function numerics() {
  const D = 20;
  const WIDTH = (D * (D + 1)) / 2 + D; // of the network as a linear model, see `features`
  const STEPS = 10000;
  const FALLEN = 0.2; // a loss has fallen when it is below this part of its first value
  const SLICE = 35; // milliseconds of training between two answers
  const START_TEST_LOSS = 0.75; // the mean of y^2

  // Inputs and labels. More examples keep those already drawn.
  function drawExamples(P, seed) {
    const random = generator(seed, 1);
    const X = Float64Array.from({ length: P * D }, () => normal(random) / Math.sqrt(D));
    const y = Float64Array.from({ length: P }, (_, p) => (D * X[p * D] ** 2) / 2);
    return { X, y };
  }

  function identity() {
    return Float64Array.from({ length: D * D }, (_, k) => (k % (D + 1) === 0 ? 1 : 0));
  }

  // One row for each example: the products x_i x_j with j <= i, then the x_i. In these features the
  // network is linear, and so is its gradient. Rows of zeros fill up to `count`.
  function features(X, count) {
    const rows = new Float64Array(count * WIDTH);
    let k = 0;
    for (let x = 0; x < X.length; x += D) {
      for (let i = 0; i < D; i++) for (let j = 0; j <= i; j++) rows[k++] = X[x + i] * X[x + j];
      for (let i = 0; i < D; i++) rows[k++] = X[x + i];
    }
    return rows;
  }

  // alpha outgrows the curvature that learned features add, so that this rate stays stable. Gradients
  // are multiplied by N / alpha^2: the function's first speed depends on neither.
  function learningRate(alpha, epsilon) {
    return Math.min(4, alpha / epsilon);
  }

  // Full-batch gradient descent on the mean squared error of f - f_0, f_0 being the network before
  // training. `w` and `M` start where given and change in place; `advance` takes a step and
  // returns the training loss before it.
  function descent({ X, y, alpha, epsilon, w, M }) {
    const P = y.length;
    const count = 4 * Math.ceil(P / 4); // four examples are treated at a time
    const rows = features(X, count);
    const labels = new Float64Array(count);
    labels.set(y);
    const [w0, M0] = [w.slice(), M.slice()];
    const c = (2 * learningRate(alpha, epsilon)) / (alpha * P); // of one move
    const weights = new Float64Array(WIDTH); // of the features in f - f_0
    const slopes = new Float64Array(WIDTH); // sum of residual times feature: G, lower half, then g
    const A = new Float64Array(D * D); // I - c epsilon G
    const AM = new Float64Array(D * D);
    const Aw = new Float64Array(D);

    function setWeights() {
      let k = 0;
      for (let i = 0; i < D; i++) {
        for (let j = 0; j <= i; j++) {
          const moved = M[i * D + j] - M0[i * D + j];
          weights[k++] = alpha * epsilon * moved * (i === j ? 0.5 : 1);
        }
      }
      for (let i = 0; i < D; i++) weights[k++] = alpha * (w[i] - w0[i]);
    }

    function setSlopes() {
      let loss = 0;
      slopes.fill(0);
      for (let p = 0; p < count; p += 4) {
        const row0 = p * WIDTH;
        const [row1, row2, row3] = [row0 + WIDTH, row0 + 2 * WIDTH, row0 + 3 * WIDTH];
        let [e0, e1, e2, e3] = [-labels[p], -labels[p + 1], -labels[p + 2], -labels[p + 3]];
        for (let k = 0; k < WIDTH; k++) {
          const weight = weights[k];
          e0 += rows[row0 + k] * weight;
          e1 += rows[row1 + k] * weight;
          e2 += rows[row2 + k] * weight;
          e3 += rows[row3 + k] * weight;
        }
        for (let k = 0; k < WIDTH; k++) {
          slopes[k] += e0 * rows[row0 + k] + e1 * rows[row1 + k] + e2 * rows[row2 + k] + e3 * rows[row3 + k];
        }
        loss += e0 * e0 + e1 * e1 + e2 * e2 + e3 * e3;
      }
      return loss / P;
    }

    // w <- A w - c g,  M <- A M A - c (A w g' + g (A w)') + c^2 g g': every neuron makes the same
    // affine move w_i <- A w_i - c g.
    function move() {
      let k = 0;
      for (let i = 0; i < D; i++) {
        for (let j = 0; j <= i; j++) A[i * D + j] = A[j * D + i] = -c * epsilon * slopes[k++];
        A[i * D + i] += 1;
      }
      const g = slopes.subarray(k);
      AM.fill(0);
      for (let i = 0; i < D; i++) {
        let sum = 0;
        for (let l = 0; l < D; l++) {
          const a = A[i * D + l];
          sum += a * w[l];
          for (let j = 0; j < D; j++) AM[i * D + j] += a * M[l * D + j];
        }
        Aw[i] = sum;
      }
      for (let i = 0; i < D; i++) {
        for (let j = 0; j <= i; j++) {
          let sum = c * (c * g[i] * g[j] - Aw[i] * g[j] - g[i] * Aw[j]);
          for (let l = 0; l < D; l++) sum += AM[i * D + l] * A[j * D + l];
          M[i * D + j] = M[j * D + i] = sum;
        }
      }
      for (let i = 0; i < D; i++) w[i] = Aw[i] - c * g[i];
    }

    return {
      w, M,
      advance() {
        setWeights();
        const loss = setSlopes();
        move();
        return loss;
      },
    };
  }

  // The exact test loss, in three parts, of a network that began with w = 0 and M = I:
  // the size of f's quadratic part, its direction, and the linear part, which is of no use.
  function lossTerms(w, M, alpha, epsilon) {
    let [trace, squares] = [0, 0]; // of alpha epsilon (M - I) - beta beta'
    for (let i = 0; i < D; i++) {
      for (let j = 0; j < D; j++) {
        const moved = alpha * epsilon * (M[i * D + j] - (i === j ? 1 : 0));
        const error = i === 0 && j === 0 ? moved - D : moved;
        squares += error * error;
        if (i === j) trace += error;
      }
    }
    let power = 0;
    for (let i = 0; i < D; i++) power += w[i] * w[i];
    return {
      scale: (trace / D) ** 2 / 4,
      misalignment: squares / (2 * D * D),
      linear: (alpha * alpha * power) / D,
    };
  }

  const total = ({ scale, misalignment, linear }) => scale + misalignment + linear;

  // norm: root mean square of the weights. direction: how much M is along the target,
  // beta' M beta / (|beta|^2 |M|). kernel: the kernel's centred alignment with the target over all
  // inputs (CKA), in closed form.
  function geometry(w, M, epsilon) {
    let [trace, squares, power] = [0, 0, 0];
    for (let i = 0; i < D; i++) {
      trace += M[i * D + i];
      power += w[i] * w[i];
      for (let j = 0; j < D; j++) squares += M[i * D + j] ** 2;
    }
    const e2 = epsilon * epsilon;
    const kernelSquared = 1 / D + (2 * e2 * power * (1 + 1 / D)) / D ** 2 +
      (e2 * e2 * ((D + 2) * squares + trace * trace)) / D ** 4;
    return {
      norm: Math.sqrt(trace / D),
      direction: M[0] / Math.sqrt(squares),
      kernel: (2 * e2 * M[0]) / (D * D * Math.sqrt(kernelSquared)),
    };
  }

  // The neural tangent kernel on the rows of X, up to its common factor alpha^2 / N:
  // x.x' (1 + epsilon w.(x + x') + epsilon^2 x'M x').
  function kernelMatrix(X, w, M, epsilon) {
    const P = X.length / D;
    const XM = new Float64Array(P * D);
    const along = new Float64Array(P);
    for (let p = 0; p < P; p++) {
      for (let i = 0; i < D; i++) {
        along[p] += X[p * D + i] * w[i];
        for (let j = 0; j < D; j++) XM[p * D + j] += X[p * D + i] * M[i * D + j];
      }
    }
    const K = new Float64Array(P * P);
    for (let p = 0; p < P; p++) {
      for (let q = 0; q <= p; q++) {
        let [near, turned] = [0, 0];
        for (let i = 0; i < D; i++) {
          near += X[p * D + i] * X[q * D + i];
          turned += XM[p * D + i] * X[q * D + i];
        }
        const value = near * (1 + epsilon * (along[p] + along[q]) + epsilon ** 2 * turned);
        K[p * P + q] = K[q * P + p] = value;
      }
    }
    return K;
  }

  // Solve K a = y for a positive definite K (Cholesky).
  function solve(K, y) {
    const P = y.length;
    const L = K.slice();
    const a = y.slice();
    for (let i = 0; i < P; i++) {
      for (let j = 0; j <= i; j++) {
        for (let k = 0; k < j; k++) L[i * P + j] -= L[i * P + k] * L[j * P + k];
        if (i === j) L[i * P + i] = Math.sqrt(L[i * P + i]);
        else L[i * P + j] /= L[j * P + j];
      }
      for (let k = 0; k < i; k++) a[i] -= L[i * P + k] * a[k];
      a[i] /= L[i * P + i];
    }
    for (let i = P - 1; i >= 0; i--) {
      for (let k = i + 1; k < P; k++) a[i] -= L[k * P + i] * a[k];
      a[i] /= L[i * P + i];
    }
    return a;
  }

  // Exact test loss of regression with the kernel before training, where w = 0 and M = I. Its
  // function, a linear and a quadratic one, is written as a network's.
  function kernelRegression({ X, y }, epsilon) {
    const a = solve(kernelMatrix(X, new Float64Array(D), identity(), epsilon), y);
    const linear = new Float64Array(D);
    const M = identity();
    a.forEach((value, p) => {
      for (let i = 0; i < D; i++) {
        linear[i] += value * X[p * D + i];
        for (let j = 0; j < D; j++) {
          M[i * D + j] += 2 * epsilon * value * X[p * D + i] * X[p * D + j];
        }
      }
    });
    return total(lossTerms(linear, M, 1, epsilon));
  }

  // The steps that are kept: all at first, then 2.5 % apart.
  function recordedSteps() {
    const steps = [];
    for (let step = 0; step < STEPS; step = Math.max(step + 1, Math.round(step * 1.025))) steps.push(step);
    return [...steps, STEPS];
  }

  // One training from w = 0, M = I: an infinitely wide network, w_i ~ N(0, I).
  function training({ alpha, epsilon, examples, seed }) {
    const data = drawExamples(examples, seed);
    const network = descent({ ...data, alpha, epsilon, w: new Float64Array(D), M: identity() });
    const startLoss = data.y.reduce((sum, y) => sum + y * y, 0) / examples;
    const records = [];
    const wanted = recordedSteps();
    const times = { train: null, test: null }; // when the losses have fallen
    let step = 0;

    function advance() {
      const { w, M } = network;
      const terms = lossTerms(w, M, alpha, epsilon);
      const record = step === wanted[records.length]
        ? { step, test: total(terms), ...terms, ...geometry(w, M, epsilon), w: w.slice(), M: M.slice() }
        : null;
      const train = network.advance();
      if (record) records.push({ train, ...record });
      if (train < FALLEN * startLoss) times.train ??= step;
      if (total(terms) < FALLEN * START_TEST_LOSS) times.test ??= step;
      step += 1;
    }
    return {
      data, records, times, advance,
      get done() { return step > STEPS; },
    };
  }

  // A function from { settings, from } to the records from number `from` on, as far as training has
  // come in a moment. Ask again until it is done.
  function session() {
    let current = null;
    let key = null;
    return ({ settings, from }) => {
      if (JSON.stringify(settings) !== key) {
        current = training(settings);
        current.kernelLoss = kernelRegression(current.data, settings.epsilon);
        key = JSON.stringify(settings);
      }
      const end = performance.now() + SLICE;
      while (!current.done && performance.now() < end) {
        for (let i = 0; i < 10 && !current.done; i++) current.advance();
      }
      const { records, times, kernelLoss, done } = current;
      return { settings, from, records: records.slice(from), times: { ...times }, kernelLoss, done };
    };
  }

  return {
    D, STEPS, FALLEN, START_TEST_LOSS, drawExamples, identity, learningRate, descent, lossTerms,
    geometry, kernelMatrix, kernelRegression, recordedSteps, training, session,
  };
}

export const core = numerics();

const { D, STEPS } = core;
const FIRST = 0.7; // where a logarithmic axis of steps shows step 0
const COMPANIONS = 4; // other seeds, trained when the reader's own is done
const GROKS = 3; // fewer times as many steps are hardly a delay
const { alphas, epsilons, examples: sizes, seeds } = GROKKING_MAP;
const SITUATIONS = [
  { name: "Lazy start: groks", alpha: 2, epsilon: 0.05, examples: 80, seed: 1 },
  { name: "Rich start: little delay", alpha: 0.125, epsilon: 0.05, examples: 100, seed: 1 },
  { name: "Too little data: never", alpha: 2, epsilon: 0.05, examples: 40, seed: 1 },
  { name: "Plenty of data", alpha: 2, epsilon: 0.05, examples: 200, seed: 1 },
];

const style = `
/* Room for what is computed a moment later: nothing below may jump. */
.card .big { min-height: 1.2em; }
.card small { min-height: 1.45em; }
.frame { --train: var(--orange); --test: var(--blue); --norm: var(--green); --kernel: var(--purple); }
.cards { grid-template-columns: 1fr 1fr; margin-top: 10px; }
.card .big { font-size: 22px; }
.card.train { --hue: var(--train); } .card.test { --hue: var(--test); }
.card.norm { --hue: var(--norm); } .card.kernel { --hue: var(--kernel); }
.stage { display: grid; gap: 12px; margin-top: 12px; }
.stage p, .caption { font-size: 13px; color: var(--soft); }
.stage .losses { height: 300px; }
.images { display: grid; grid-template-columns: 1fr 1fr; gap: 12px; }
canvas { display: block; width: 100%; aspect-ratio: 1; image-rendering: pixelated; border: 1px solid var(--grid); }

.line.train { stroke: var(--train); }
.line.test { stroke: var(--test); stroke-width: 3; }
.line.norm { stroke: var(--norm); }
.line.kernel { stroke: var(--kernel); }
.line.later { opacity: 0.28; }
.line.other { stroke: var(--test); stroke-width: 1; opacity: 0.55; }
.line.regression { stroke: var(--truth); stroke-width: 1.5; stroke-dasharray: 7 4; }
.crossing { stroke: var(--paper); stroke-width: 2; }
.crossing.train { fill: var(--train); } .crossing.test { fill: var(--test); }
.bracket { stroke: var(--ink); stroke-width: 1.5; fill: none; }
svg .delay { fill: var(--ink); font-weight: 650; font-size: 13px; stroke: var(--paper); stroke-width: 5; paint-order: stroke; }
.area { stroke: var(--paper); stroke-width: 0.5; }
.scale { --hue: var(--green); } .misalignment { --hue: var(--orange); } .linear { --hue: var(--purple); }
.area { fill: var(--hue); }
.area.later { opacity: 0.35; }
.key { white-space: nowrap; margin-right: 8px; }
.key::before { content: ""; display: inline-block; width: 11px; height: 11px; margin-right: 5px; border-radius: 2px; background: var(--hue); }
.key.norm { --hue: var(--norm); } .key.kernel { --hue: var(--kernel); }

.transport [data-out] { min-width: 44px; }
.knobs { display: grid; gap: 12px; }
.grid { display: grid; gap: 2px; margin: 4px 0; }
[data-out="map-epsilon"] { white-space: nowrap; }
.grid [role="row"] { display: grid; grid-template-columns: 38px repeat(${alphas.length}, 1fr); gap: 2px; align-items: center; }
.grid .head { font-size: 12px; text-align: center; color: var(--soft); }
.cell {
  min-height: 30px; padding: 0; border: 0; border-radius: 3px; font-size: 12px; min-width: 0;
  font-variant-numeric: tabular-nums; color: var(--ink);
  background: color-mix(in srgb, var(--orange) calc(var(--share) * 1%), var(--paper));
}
.cell.never { background: repeating-linear-gradient(135deg, var(--wash) 0 4px, var(--grid) 4px 5px); color: var(--soft); }
.cell.none { background: color-mix(in srgb, var(--blue) 14%, var(--paper)); }
.cell:hover { outline: 1px solid var(--ink); }
.cell[aria-selected="true"] { box-shadow: inset 0 0 0 3px var(--ink); font-weight: 700; }
.cell:focus-visible { outline: 3px solid var(--blue); outline-offset: 1px; z-index: 1; }
@media (pointer: coarse) { .cell { min-height: 44px; } }
@container (min-width: 640px) {
  .cards { grid-template-columns: repeat(4, 1fr); }
  .stage { grid-template-columns: 1fr 172px; }
  .images { grid-template-columns: 1fr; align-content: start; }
  .stage .losses { height: 410px; }
}
`;

const template = `
  <div class="row situations"></div>
  <div class="cards">
    <div class="card train"><b><i class="swatch"></i>Train loss</b><span class="big" data-out="train"></span><small data-out="train-time"></small></div>
    <div class="card test"><b><i class="swatch"></i>Test loss</b><span class="big" data-out="test"></span><small data-out="test-time"></small></div>
    <div class="card norm"><b>Weight norm</b><span class="big" data-out="norm"></span><small>root of tr <i>M</i> / <i>D</i>, 1 at the start</small></div>
    <div class="card kernel"><b>Kernel alignment</b><span class="big" data-out="kernel"></span><small>with the target (CKA)</small></div>
  </div>
  <div class="stage">
    <div><p>Losses over training steps (both axes logarithmic). Dashed: kernel regression, which learns no features, <span data-out="regression"></span>. Thin: test loss with ${COMPANIONS} other seeds (delays: <span data-out="others"></span>).</p>
      <svg class="losses" role="img" data-thumbnail></svg></div>
    <div class="images">
      <div><canvas class="moments" role="img" aria-label="The moments have not been computed yet"></canvas><p>Second moments <i>M</i> of the weights; target direction: first row and column</p></div>
      <div><canvas class="gram" role="img" aria-label="The kernel has not been computed yet"></canvas><p>What training added to the kernel, on the training examples, smallest label first</p></div>
    </div>
  </div>
  <div data-control="step"></div>
  <p class="verdict" role="status" aria-live="polite"></p>
  <div class="controls">
    <div class="knobs">
      <div data-control="alpha"></div>
      <div data-control="epsilon"></div>
      <div data-control="examples"></div>
      <div data-control="seed"></div>
      <p class="caption">Model: one hidden layer, infinitely wide, <i>D</i> = ${D} inputs, gradient descent without weight decay, <span data-out="rate"></span>.</p>
    </div>
    <div>
      <p class="caption">When does it grok? Times as many steps until the test loss falls, median of seeds ${seeds[0]} to ${seeds.at(-1)}, <span data-out="map-epsilon"></span>. Precomputed. Pick a cell to train it.</p>
      <div class="grid" role="grid" aria-label="Map of delays: rows are numbers of examples, columns are output scales alpha"></div>
      <p class="caption">rows: training examples <i>P</i> · columns: output scale α · hatched: never within ${thousands(STEPS)} steps · blue: below ${GROKS}×, hardly a delay</p>
    </div>
  </div>
  <div class="figures">
    <div><p>The test loss in three parts: <span class="key misalignment">misalignment</span><span class="key scale">scale error</span><span class="key linear">linear power</span></p><svg class="parts" role="img"></svg></div>
    <div><p>Both grow while it learns: <span class="key norm">weight norm</span><span class="key kernel">kernel alignment</span></p><svg class="growth" role="img"></svg></div>
  </div>`;

function thousands(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

const fold = (ratio) => `${ratio < 10 ? ratio.toFixed(1) : Math.round(ratio)}×`;
const delayText = (ratio) => (ratio < Infinity ? fold(ratio) : "never");
const delayOf = ({ train, test }) => (test === null ? Infinity : test / Math.max(1, train));
const settingsOf = ({ alpha, epsilon, examples, seed }) => ({ alpha, epsilon, examples, seed });
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// ---- the map ------------------------------------------------------------------------------------

const nearest = (stops, value) => stops.reduce((best, stop, i) =>
  Math.abs(Math.log(stop / value)) < Math.abs(Math.log(stops[best] / value)) ? i : best, 0);

// The median delay of one cell; Infinity for never.
function delayInMap(epsilon, examples, alpha) {
  const delays = GROKKING_MAP.times[epsilon][examples][alpha]
    .map(([train, test]) => delayOf({ train, test: test || null }));
  return delays.sort((a, b) => a - b)[delays.length >> 1];
}

// Cells to pick from; one of them can be reached by Tab, the arrow keys reach the others.
function mapOf(view, pick) {
  const grid = view.find(".grid");
  const head = (text, role) => `<span class="head" role="${role}">${text}</span>`;
  grid.innerHTML = `<div role="row">${head("P \\ α", "columnheader")}${alphas.map((alpha) => head(alphaText(alpha), "columnheader")).join("")}</div>` +
    sizes.map((size) => `<div role="row">${head(size, "rowheader")}${alphas.map(() =>
      '<button type="button" class="cell" role="gridcell" tabindex="-1"></button>').join("")}</div>`).join("");
  const cells = [...grid.querySelectorAll(".cell")];
  let shown = null; // the index of the map's epsilon

  function label(epsilon) {
    if (epsilon === shown) return;
    shown = epsilon;
    cells.forEach((cell, i) => {
      const [row, column] = [Math.floor(i / alphas.length), i % alphas.length];
      const delay = delayInMap(epsilon, row, column);
      const never = delay === Infinity;
      cell.textContent = never ? "–" : fold(delay).replace("×", "");
      cell.classList.toggle("never", never);
      cell.classList.toggle("none", delay < GROKS);
      cell.style.setProperty("--share", Math.min(45, 12 + 22 * Math.log10(Math.min(delay, 100) / GROKS)));
      cell.setAttribute("aria-label", `${sizes[row]} examples, alpha ${alphaText(alphas[column])}: ` +
        (never ? "test loss never falls below 20 %" : `test loss falls after ${fold(delay)} as many steps`));
    });
    view.out("map-epsilon", `ε = ${epsilons[epsilon]}`);
  }

  function reach(cell) {
    for (const other of cells) other.tabIndex = other === cell ? 0 : -1;
  }

  view.listen(grid, "click", (event) => {
    const place = cells.indexOf(event.target);
    if (place < 0) return;
    pick({
      alpha: alphas[place % alphas.length],
      examples: sizes[Math.floor(place / alphas.length)],
      epsilon: epsilons[shown],
    });
  });
  view.listen(grid, "keydown", (event) => {
    const place = cells.indexOf(event.target);
    const across = alphas.length;
    const start = place - (place % across);
    const goal = {
      ArrowLeft: Math.max(start, place - 1), ArrowRight: Math.min(start + across - 1, place + 1),
      ArrowUp: place - across, ArrowDown: place + across, Home: start, End: start + across - 1,
    }[event.key];
    if (place < 0 || goal === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (!cells[goal]) return;
    reach(cells[goal]);
    cells[goal].focus();
  });

  view.follow((state) => {
    label(nearest(epsilons, state.epsilon));
    const [row, column] = [nearest(sizes, state.examples), nearest(alphas, state.alpha)];
    const exact = sizes[row] === state.examples && alphas[column] === state.alpha && epsilons[shown] === state.epsilon;
    const current = cells[row * alphas.length + column];
    cells.forEach((cell) => cell.setAttribute("aria-selected", String(exact && cell === current)));
    if (!cells.some(view.isActive)) reach(current);
  });
}

function alphaText(alpha) {
  const fraction = { 0.125: "⅛", 0.25: "¼", 0.5: "½" }[alpha];
  return fraction ?? String(Number(alpha.toPrecision(3)));
}

// ---- trainings in workers ------------------------------------------------------------------------

// Train networks one after the other in a worker. `runs` holds what has come back so far;
// changed(run): more of it has come.
function trainer(changed) {
  const worker = connect(numerics, receive);
  let runs = [];

  function ask() {
    const run = runs.find(({ done }) => !done);
    if (run) worker.ask({ settings: run.settings, from: run.records.length });
  }
  function receive({ settings, from, records, ...rest }) {
    const run = runs.find((other) => same(other.settings, settings));
    if (!run || run.records.length !== from) return; // no longer wanted
    run.records.push(...records);
    Object.assign(run, rest);
    ask();
    changed(run);
  }
  return {
    close: worker.close,
    get runs() { return runs; },
    get done() { return runs.every(({ done }) => done); },
    want(settingsList) {
      if (same(settingsList, runs.map(({ settings }) => settings))) return;
      runs = settingsList.map((settings) => ({ settings, records: [], times: { train: null, test: null }, done: false }));
      ask();
    },
  };
}

// ---- drawing ------------------------------------------------------------------------------------

const stepAxis = { kind: "log", range: [FIRST, STEPS], ticks: [1, 10, 100, 1000, 10000] };
const onAxis = (step) => Math.max(FIRST, step);
const FLOOR = 1e-4; // the lowest loss of the picture

// Lines of one quantity until the present step and, fainter, after it.
function untilAndAfter(name, records, now, key, hideLater) {
  const line = (part, className) => ({
    name: className, xs: part.map(({ step }) => onAxis(step)), ys: part.map((record) => Math.max(record[key], 1e-9)),
  });
  const past = line(records.filter(({ step }) => step <= now), name);
  return hideLater ? [past] : [line(records, `${name} later`), past];
}

function drawLosses(svg, run, others, now, hideLater) {
  const height = svg.clientHeight || 300;
  const { records, times: fallen, kernelLoss } = run;
  const shown = (list) => (hideLater ? list.filter(({ step }) => step <= now) : list);
  const chart = lineChart(svg, {
    height,
    x: stepAxis,
    y: { kind: "log", range: [FLOOR, 8], ticks: [1e-4, 1e-3, 0.01, 0.1, 1] },
    cursor: onAxis(now),
    lines: [
      { name: "regression", xs: [FIRST, STEPS], ys: [kernelLoss, kernelLoss] },
      ...others.map(({ records: other }) => ({
        name: "other", xs: shown(other).map(({ step }) => onAxis(step)), ys: shown(other).map(({ test }) => test),
      })),
      ...untilAndAfter("train", records, now, "train", hideLater),
      ...untilAndAfter("test", records, now, "test", hideLater),
    ],
    label: lossLabel(run, now),
  });
  const { add, across, up, left, right, top } = chart;
  const reached = (time) => time !== null && (!hideLater || time <= now);
  for (const name of ["train", "test"]) {
    if (!reached(fallen[name])) continue;
    const loss = records.findLast(({ step }) => step <= fallen[name])[name];
    add("circle", { class: `crossing ${name}`, r: 6, cx: round(across(onAxis(fallen[name]))), cy: round(up(loss)) });
  }
  if (!reached(fallen.train)) return;
  const end = reached(fallen.test) ? fallen.test : hideLater ? now : STEPS;
  const [from, to] = [across(onAxis(fallen.train)), across(onAxis(end))];
  const y = top + 22;
  const open = !reached(fallen.test);
  add("path", { class: "bracket", d: `M${round(from)} ${y + 6}V${y}H${round(to)}${open ? "m-6 -4l6 4l-6 4" : "v6"}` });
  const words = !open ? `${fold(delayOf(fallen))} later (+${thousands(fallen.test - fallen.train)} steps)`
    : hideLater ? "test loss not yet below 20 %" : "test loss never below 20 %";
  const middle = Math.min(Math.max((from + to) / 2, left + 100), right - 100);
  add("text", { class: "delay", x: round(middle), y: y - 8, "text-anchor": "middle" }, words);
}

function lossLabel({ times: fallen, kernelLoss }, now) {
  const when = (time) => (time === null ? "not within the run" : `at step ${time}`);
  return `Train and test loss up to step ${now}. The train loss falls below a fifth of its start ${when(fallen.train)}, ` +
    `the test loss ${when(fallen.test)}. Kernel regression has test loss ${figure(kernelLoss)}.`;
}

// The exact test loss as three areas on top of each other.
function drawParts(svg, { records }, now, hideLater) {
  const most = Math.max(...records.map(({ test }) => test));
  const chart = lineChart(svg, {
    x: stepAxis, y: { range: [0, 1.1 * most] }, lines: [],
    label: `Parts of the test loss at step ${now}: ${["misalignment", "scale", "linear"]
      .map((name) => `${name} ${figure(records.findLast(({ step }) => step <= now)[name])}`).join(", ")}.`,
  });
  const draw = (part, later) => {
    let below = part.map(() => 0);
    for (const name of ["misalignment", "scale", "linear"]) {
      const above = part.map((record, i) => below[i] + record[name]);
      const xs = part.map(({ step }) => chart.across(onAxis(step)));
      const outline = polyline([...xs, ...[...xs].reverse()], [...above.map(chart.up), ...below.map(chart.up).reverse()]);
      chart.add("path", { class: `area ${name}${later ? " later" : ""}`, d: `${outline}Z` });
      below = above;
    }
  };
  const place = records.findLastIndex(({ step }) => step <= now);
  draw(records.slice(0, place + 1), false);
  if (!hideLater) draw(records.slice(place), true);
  chart.add("path", { class: "now", d: `M${round(chart.across(onAxis(now)))} ${chart.top}V${chart.bottom}` });
}

function drawGrowth(svg, { records }, now, hideLater) {
  const { norm, kernel } = records.findLast(({ step }) => step <= now);
  lineChart(svg, {
    x: stepAxis, y: { kind: "log", range: [3e-5, 400], ticks: [1e-4, 0.01, 1, 100] }, cursor: onAxis(now),
    lines: [
      ...untilAndAfter("norm", records, now, "norm", hideLater),
      ...untilAndAfter("kernel", records, now, "kernel", hideLater),
    ],
    label: `At step ${now} the weight norm is ${figure(norm)} and the kernel alignment ${figure(kernel)}.`,
  });
}

// A square matrix as an image: blue above zero, orange below, full colour at `most`.
function drawMatrix(canvas, matrix, most, label) {
  const size = Math.round(Math.sqrt(matrix.length));
  canvas.width = canvas.height = size;
  canvas.setAttribute("aria-label", label);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const look = getComputedStyle(canvas);
  const [paper, above, below] = ["--paper", "--blue", "--orange"].map((name) => {
    context.fillStyle = look.getPropertyValue(name);
    context.fillRect(0, 0, 1, 1);
    return context.getImageData(0, 0, 1, 1).data;
  });
  const image = context.createImageData(size, size);
  matrix.forEach((value, k) => {
    const part = Math.min(1, Math.abs(value) / most);
    const hue = value > 0 ? above : below;
    for (let i = 0; i < 3; i++) image.data[4 * k + i] = paper[i] + part * (hue[i] - paper[i]);
    image.data[4 * k + 3] = 255;
  });
  context.putImageData(image, 0, 0);
}

// K_t - K_0 on the training examples in the order of their labels. One scale for the whole run, so
// that growth is seen: three times the usual size of an entry at its end.
function gramOf({ settings, records }) {
  const { X, y } = core.drawExamples(settings.examples, settings.seed);
  const order = Array.from(y, (_, p) => p).sort((a, b) => y[a] - y[b]);
  const sorted = Float64Array.from({ length: X.length }, (_, k) => X[order[Math.floor(k / D)] * D + (k % D)]);
  const first = core.kernelMatrix(sorted, records[0].w, records[0].M, settings.epsilon);
  const added = ({ w, M }) => core.kernelMatrix(sorted, w, M, settings.epsilon).map((value, k) => value - first[k]);
  const end = added(records.at(-1));
  const most = 3 * Math.sqrt(end.reduce((sum, value) => sum + value * value, 0) / end.length);
  return { added, most: most || 1 };
}

// ---- the sentence ---------------------------------------------------------------------------------

function verdict(run, step) {
  const { train, test, step: at } = run.records.findLast((record) => record.step <= step);
  const now = step < STEPS ? ` At step ${thousands(at)}: train ${figure(train)}, test ${figure(test)}.` : "";
  return story(run) + now;
}

function story({ settings, records, times: fallen }) {
  const end = records.at(-1);
  const below = "below 20 % of its start";
  if (fallen.train === null) {
    return `Nothing to grok: within ${thousands(STEPS)} steps not even the train loss falls ${below}.`;
  }
  const delay = delayOf(fallen);
  if (delay < Infinity) {
    const facts = `the train loss falls ${below} at step ${thousands(fallen.train)}, the test loss at step ` +
      `${thousands(fallen.test)}: ${fold(delay)} as many steps (${thousands(Math.abs(fallen.test - fallen.train))} ${fallen.test < fallen.train ? "earlier" : "later"})`;
    if (delay >= GROKS) return `Grokking in the loss: ${facts}. Meanwhile the weight norm grows ${fold(end.norm)}.`;
    const reason = settings.alpha <= 0.5
      ? ` The start is rich (α = ${alphaText(settings.alpha)}): weights turn to the target while they fit the training set.`
      : settings.examples >= 6 * D
        ? " With this many examples, what fits the training set also fits the test set."
        : "";
    return `Hardly a delay: ${facts}.${reason}`;
  }
  const before = records.findLast(({ step }) => step <= STEPS / 2);
  const trend = end.test < 0.98 * before.test ? "still falling" : "no longer falling";
  return `No grokking within ${thousands(STEPS)} steps: the train loss falls ${below} at step ${thousands(fallen.train)}, ` +
    `the test loss never. It ends at ${figure(end.test)}, ${trend}; the weights' alignment with the target ends at ${figure(end.direction)} (1 is perfect).`;
}

function render({ model, el }) {
  const rules = manifest.state;
  const view = open({
    model, el, rules, style, template, update, draw, settled,
    title: manifest.title,
    waiting: "The network learns from its training examples. When will the test loss follow?",
  });
  const { find, read, change, out } = view;

  const own = trainer(() => {
    update(read());
    view.announce();
  });
  const companions = trainer(({ done }) => done && draw());
  view.whenClosed(own.close);
  view.whenClosed(companions.close);
  let gram = null; // of a finished run

  function update(state) {
    const settings = settingsOf(state);
    own.want([settings]);
    const others = Array.from({ length: COMPANIONS }, (_, i) => ({
      ...settings, seed: (settings.seed + i + 1) % (rules.seed.maximum + 1),
    }));
    companions.want(own.done ? others : []);
    draw();
  }

  function settled() {
    const { running, step } = read();
    return (running && step < STEPS) || !own.done ? null : verdict(own.runs[0], step);
  }

  function draw() {
    const [run] = own.runs;
    if (!run?.records.length || !find(".losses").clientWidth) return;
    const { step, running } = read();
    const record = run.records.findLast((other) => other.step <= step);
    const hideLater = running && step < STEPS;
    drawLosses(find(".losses"), run, companions.runs, record.step, hideLater);
    drawParts(find(".parts"), run, record.step, hideLater);
    drawGrowth(find(".growth"), run, record.step, hideLater);
    const { M, direction } = record;
    drawMatrix(find(".moments"), M, Math.max(...M), `Second moments of the weights at step ${record.step}: ` +
      `alignment with the target direction ${figure(direction)}.`);
    if (run.done) {
      if (gram?.run !== run) gram = { run, ...gramOf(run) };
      drawMatrix(find(".gram"), gram.added(record), gram.most, `Change of the kernel on the ${run.settings.examples} training examples up to step ${record.step}.`);
    }
    showNumbers(run, record, hideLater);
    view.frame.dataset.step = record.step;
    view.frame.dataset.trained = !own.done ? "" : companions.done ? "all" : "own";
  }

  function showNumbers(run, record, hideLater) {
    for (const name of ["train", "test", "norm", "kernel"]) out(name, figure(record[name]));
    for (const name of ["train", "test"]) {
      const time = run.times[name];
      const known = time !== null && !(hideLater && time > record.step);
      out(`${name}-time`, known ? `below 20 % at step ${thousands(time)}`
        : hideLater || !run.done ? "not yet below 20 %" : "never below 20 %");
    }
    out("rate", `learning rate ${figure(core.learningRate(run.settings.alpha, run.settings.epsilon))}`);
    const finished = companions.runs.filter(({ done }) => done);
    out("regression", figure(run.kernelLoss));
    out("others", finished.length < COMPANIONS ? "on their way"
      : finished.map(({ times: fallen }) => delayText(delayOf(fallen))).join(", "));
  }

  // ---- controls ---------------------------------------------------------------------------

  const learnAgain = { step: 0, running: true };
  const pick = (settings) => change({ ...settings, ...learnAgain });

  find(".situations").innerHTML = SITUATIONS.map(({ name }) => `<button type="button">${name}</button>`).join("");
  SITUATIONS.forEach(({ name, ...settings }, i) => {
    const button = find(".situations").children[i];
    view.listen(button, "click", () => pick(settings));
    view.follow((state) => button.setAttribute("aria-pressed", String(same(settings, settingsOf(state)))));
  });
  const span = Math.log(STEPS / FIRST);
  player(view, rules, {
    label: "training step",
    stride: (step, seconds) => 1.6 * step * seconds, // even on a logarithmic axis
    ready: () => own.done || own.runs[0].records.at(-1)?.step > read().step,
    position: (step) => (100 * Math.log(onAxis(step) / FIRST)) / span,
    stepAt: (position) => (position < 1 ? 0 : FIRST * Math.exp((span * position) / 100)),
    next: (step) => core.recordedSteps().find((other) => other > step),
  });
  slider(view, rules, "alpha", {
    label: "output scale α: rich to lazy", stops: alphas, text: alphaText,
  });
  slider(view, rules, "epsilon", {
    label: "curvature ε: what the first kernel can do", stops: epsilons, text: String,
  });
  slider(view, rules, "examples", {
    label: "training examples <i>P</i>", stops: sizes, text: (count) => `${count} = ${count / D} D`,
  });
  seedField(view, rules, "seed", { label: "seed of the examples" });
  mapOf(view, pick);

  return view.start();
}

export default { render };
