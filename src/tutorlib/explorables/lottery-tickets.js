// A network is trained, pruned, rewound to its first weights and trained again, round after round,
// while the same mask with new weights and a random mask race beside it.
//
// Parts: `manifest` (what the state is; Python and the host read it too), `numerics` (all of the
// mathematics, also run in a worker), `render` (controls and drawing, built from the kit). The
// images are DIGITS, from the file put before this one.

// Strict JSON between the braces: Python reads this text as well.
export const manifest = {
  "title": "Train, prune, rewind: race a lottery ticket",
  "fallback": "An interactive picture (it needs JavaScript or a live notebook): a small network learns handwritten digits; then its smallest weights are removed, the others return to their first values, and it trains again, for nine rounds. With few weights left, this ticket still reads the digits nearly as well as the whole network. The same mask with new weights reads fewer, and a random mask of the same size far fewer.",
  "state": {
    "round": {"type": "integer", "minimum": 0, "maximum": 9, "default": 0},
    "step": {"type": "integer", "minimum": 0, "maximum": 400, "default": 0},
    "rate": {"type": "integer", "minimum": 10, "maximum": 50, "default": 35},
    "method": {"type": "string", "enum": ["iterative", "one-shot"], "default": "iterative"},
    "signs": {"type": "boolean", "default": false},
    "shown": {"type": "string", "enum": ["ticket", "reinit", "random"], "default": "ticket"},
    "seed": {"type": "integer", "minimum": 0, "maximum": 9999, "default": 1},
    "running": {"type": "boolean", "default": true}
  }
};

// Everything that is computed. Besides the kit's shared functions and the images given to it, it
// uses nothing from outside, because its source text is also the worker's program.
function numerics(digits) {
  const SIZES = [64, 64, 10]; // pixels, hidden units, classes
  const PARTS = { train: [0, 1000], validation: [1000, 1297], test: [1297, 1797] };
  const BATCH = 50;
  const STEPS = 400;
  const EVERY = 20; // steps between two measurements
  const LEARNING_RATE = 0.01;
  const BUDGET = 40; // milliseconds of training before the page hears how far it has come
  const KEPT = 3; // experiments that stay in memory

  // Independent streams of random numbers: one of each kind for every round.
  const STREAM = { start: 1, batches: 2, fresh: 3, mask: 4, other: 5 };
  const random = (seed, kind, round) => generator(seed, STREAM[kind] + 10 * round);

  // ---- images ------------------------------------------------------------------------------

  // Capital letters are the values 1 to 16 of a pixel, small letters runs of zeros.
  function decode({ pixels, labels }) {
    const values = [];
    for (const letter of pixels) {
      const code = letter.charCodeAt(0);
      if (code < 97) values.push((code - 64) / 16);
      else for (let zeros = code - 96; zeros > 0; zeros--) values.push(0);
    }
    return { values: Float64Array.from(values), labels: Array.from(labels, Number) };
  }

  const images = decode(digits);
  const range = ([from, to]) => Array.from({ length: to - from }, (_, i) => from + i);

  // The images of these numbers, pixel by pixel: all values of pixel 0, then of pixel 1, ...
  function gather(numbers) {
    const size = numbers.length;
    const input = new Float64Array(SIZES[0] * size);
    numbers.forEach((number, b) => {
      for (let i = 0; i < SIZES[0]; i++) input[i * size + b] = images.values[number * SIZES[0] + i];
    });
    return { input, labels: numbers.map((number) => images.labels[number]), size };
  }

  const validation = gather(range(PARTS.validation));
  const test = gather(range(PARTS.test));

  function shuffle(items, uniform) {
    for (let i = items.length - 1; i > 0; i--) {
      const j = Math.floor(uniform() * (i + 1));
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }

  // A function that gives the next batch; each image comes once an epoch, in an order of the round's
  // own. All arms of a round see the same batches.
  function batches(seed, round) {
    const uniform = random(seed, "batches", round);
    let waiting = [];
    return () => {
      if (!waiting.length) waiting = shuffle(range(PARTS.train), uniform);
      return gather(waiting.splice(0, BATCH));
    };
  }

  // ---- the network: two layers, each a list of the connections that its mask keeps -------------

  // Weights of both layers, those of one unit in a row: connection c leads from input c % inputs to
  // output floor(c / inputs). Glorot's normal initialisation.
  function initial(uniform) {
    return [0, 1].map((l) => Float64Array.from({ length: SIZES[l] * SIZES[l + 1] },
      () => normal(uniform) * Math.sqrt(2 / (SIZES[l] + SIZES[l + 1]))));
  }

  function network(weights, masks) {
    return weights.map((values, l) => {
      const [inputs, outputs] = [SIZES[l], SIZES[l + 1]];
      const kept = survivors(masks[l]);
      return {
        inputs, outputs, kept,
        from: Int32Array.from(kept, (c) => c % inputs),
        to: Int32Array.from(kept, (c) => Math.floor(c / inputs)),
        weights: Float64Array.from(kept, (c) => values[c]),
        biases: new Float64Array(outputs), // zero at first, and never pruned
      };
    });
  }

  // The weights of a network as in `initial`, with zeros where a connection is gone.
  function allWeights(net) {
    return net.map(({ inputs, outputs, kept, weights }) => {
      const values = new Float64Array(inputs * outputs);
      kept.forEach((c, i) => (values[c] = weights[i]));
      return values;
    });
  }

  const parameters = ([first, second]) => [first.weights, first.biases, second.weights, second.biases];

  function forward({ outputs, from, to, weights, biases }, input, size) {
    const output = new Float64Array(outputs * size);
    biases.forEach((bias, j) => output.fill(bias, j * size, (j + 1) * size));
    for (let c = 0; c < weights.length; c++) {
      const [weight, i, o] = [weights[c], from[c] * size, to[c] * size];
      for (let b = 0; b < size; b++) output[o + b] += weight * input[i + b];
    }
    return output;
  }

  // From the loss's slope in a layer's outputs: its slopes in the weights, biases and inputs.
  function weightSlopes({ from, to, weights }, input, slope, size) {
    const result = new Float64Array(weights.length);
    for (let c = 0; c < weights.length; c++) {
      const [i, o] = [from[c] * size, to[c] * size];
      let total = 0;
      for (let b = 0; b < size; b++) total += slope[o + b] * input[i + b];
      result[c] = total;
    }
    return result;
  }
  function biasSlopes({ biases }, slope, size) {
    const result = new Float64Array(biases.length);
    for (let o = 0; o < slope.length; o++) result[Math.floor(o / size)] += slope[o];
    return result;
  }
  function inputSlopes({ inputs, from, to, weights }, slope, size) {
    const result = new Float64Array(inputs * size);
    for (let c = 0; c < weights.length; c++) {
      const [weight, i, o] = [weights[c], from[c] * size, to[c] * size];
      for (let b = 0; b < size; b++) result[i + b] += weight * slope[o + b];
    }
    return result;
  }

  // Hidden units (ReLU) and class probabilities (softmax) for a batch.
  function predict([first, second], { input, size }) {
    const hidden = forward(first, input, size);
    for (let i = 0; i < hidden.length; i++) hidden[i] = Math.max(0, hidden[i]);
    const p = forward(second, hidden, size);
    for (let b = 0; b < size; b++) {
      let [top, total] = [-Infinity, 0];
      for (let k = b; k < p.length; k += size) top = Math.max(top, p[k]);
      for (let k = b; k < p.length; k += size) total += p[k] = Math.exp(p[k] - top);
      for (let k = b; k < p.length; k += size) p[k] /= total;
    }
    return { hidden, p };
  }

  // Mean cross-entropy and the share of images whose likeliest class is the right one.
  function measure(net, batch) {
    const { p } = predict(net, batch);
    const { labels, size } = batch;
    const classes = range([0, SIZES[2]]);
    let [loss, right] = [0, 0];
    labels.forEach((label, b) => {
      const own = p[label * size + b];
      loss -= Math.log(Math.max(own, 1e-300));
      if (classes.every((k) => k === label || p[k * size + b] < own)) right += 1;
    });
    return { loss: loss / size, accuracy: right / size };
  }

  // Slopes of the mean cross-entropy, in the order of `parameters`.
  function gradients(net, batch) {
    const { input, labels, size } = batch;
    const { hidden, p } = predict(net, batch);
    labels.forEach((label, b) => (p[label * size + b] -= 1));
    const outer = p.map((value) => value / size);
    const inner = inputSlopes(net[1], outer, size);
    for (let i = 0; i < inner.length; i++) if (hidden[i] === 0) inner[i] = 0;
    return [
      weightSlopes(net[0], input, inner, size), biasSlopes(net[0], inner, size),
      weightSlopes(net[1], hidden, outer, size), biasSlopes(net[1], outer, size),
    ];
  }

  function adam(values) {
    const first = new Float64Array(values.length);
    const second = new Float64Array(values.length);
    let t = 0;
    return (gradient) => {
      t += 1;
      const [warm, wide] = [1 - 0.9 ** t, 1 - 0.999 ** t];
      for (let i = 0; i < values.length; i++) {
        first[i] = 0.9 * first[i] + 0.1 * gradient[i];
        second[i] = 0.999 * second[i] + 0.001 * gradient[i] * gradient[i];
        values[i] -= (LEARNING_RATE * first[i]) / warm / (Math.sqrt(second[i] / wide) + 1e-8);
      }
    };
  }

  // ---- masks -------------------------------------------------------------------------------

  function survivors(mask) {
    const kept = [];
    mask.forEach((bit, c) => { if (bit) kept.push(c); });
    return kept;
  }

  // How many weights of each layer go: the rate's share of those left, rounded; in the output layer
  // half the rate, as in the paper.
  const cut = (left, rate, layer) => Math.round((left * rate) / 100 / (layer + 1));

  // How many weights each layer has left after so many rounds.
  function left(rate, rounds) {
    return [0, 1].map((l) => {
      let count = SIZES[l] * SIZES[l + 1];
      for (let r = 0; r < rounds; r++) count -= cut(count, rate, l);
      return count;
    });
  }

  // Masks without the smallest surviving weights; of equal ones the first goes first.
  function prune(masks, weights, rate) {
    return masks.map((mask, l) => {
      const kept = survivors(mask);
      const size = (c) => Math.abs(weights[l][c]);
      const going = kept.slice().sort((a, b) => size(a) - size(b)).slice(0, cut(kept.length, rate, l));
      const pruned = mask.slice();
      going.forEach((c) => (pruned[c] = 0));
      return pruned;
    });
  }

  // Masks with as many survivors in each layer, anywhere.
  function scatter(masks, uniform) {
    return masks.map((mask) => {
      const places = shuffle(range([0, mask.length]), uniform);
      const random = new Uint8Array(mask.length);
      places.slice(0, survivors(mask).length).forEach((c) => (random[c] = 1));
      return random;
    });
  }

  const withSigns = (sizes, signs) =>
    sizes.map((layer, l) => layer.map((size, c) => Math.abs(size) * Math.sign(signs[l][c])));

  // ---- rounds ------------------------------------------------------------------------------

  // One network in training. Measurement i is taken after EVERY * i steps.
  function training(weights, masks, seed, round) {
    const net = network(weights, masks);
    const moves = parameters(net).map(adam);
    const nextBatch = batches(seed, round);
    const arm = { masks, step: 0, loss: [], accuracy: [], pictures: [], advance, weights: () => allWeights(net) };
    function note() {
      arm.loss.push(measure(net, validation).loss);
      arm.accuracy.push(measure(net, test).accuracy);
      arm.pictures.push(allWeights(net).map((values) => Float32Array.from(values)));
    }
    function advance() {
      const slopes = gradients(net, nextBatch());
      moves.forEach((move, i) => move(slopes[i]));
      arm.step += 1;
      if (arm.step % EVERY === 0) note();
    }
    note();
    return arm;
  }

  // Early stopping: the step of the lowest validation loss up to `step`, and the test accuracy there.
  function stopping({ loss, accuracy }, step) {
    const seen = loss.slice(0, step / EVERY + 1);
    const best = seen.indexOf(Math.min(...seen));
    return { step: best * EVERY, accuracy: accuracy[best] };
  }

  // All rounds of one seed, pruning rate and method, trained as far as somebody has asked.
  function experiment({ seed, rate, method }) {
    const start = initial(random(seed, "start", 0));
    const rounds = [];

    function open(round) {
      const before = rounds[round - 1];
      const trained = method === "one-shot" ? rounds[0] : before;
      const masks = before ? prune(before.masks, trained.arm("ticket").weights(), rate)
        : start.map((layer) => new Uint8Array(layer.length).fill(1));
      const fresh = initial(random(seed, "fresh", round));
      const begin = {
        ticket: () => training(start, masks, seed, round),
        reinit: () => training(fresh, masks, seed, round),
        random: () => training(initial(random(seed, "other", round)),
          scatter(masks, random(seed, "mask", round)), seed, round),
        signs: () => training(withSigns(fresh, start), masks, seed, round),
      };
      const arms = {};
      return { masks, arm: (name) => (arms[name] ??= begin[name]()) };
    }

    // Train all that leads to the goal, arms side by side; stop early when time is up. Returns the
    // place reached.
    function reach(goal, names, timeIsUp) {
      for (let round = 0; round <= goal.round; round++) {
        rounds[round] ??= open(round);
        const arms = names.map(rounds[round].arm);
        const end = round < goal.round ? STEPS : goal.step;
        for (;;) {
          const behind = arms.reduce((a, b) => (b.step < a.step ? b : a));
          if (behind.step >= end) break;
          if (timeIsUp()) return { round, step: behind.step - (behind.step % EVERY) };
          behind.advance();
        }
      }
      return goal;
    }

    // What there is to see at a place that was reached.
    function snapshot({ round, step }, names, shown) {
      const each = (value) => Object.fromEntries(names.map((name) => [name, value(name)]));
      const stops = (round, step) => each((name) => stopping(rounds[round].arm(name), step));
      const arm = rounds[round].arm(shown);
      const complete = step === STEPS ? round + 1 : round;
      return {
        round, step, rate, method, shown,
        weights: arm.pictures[step / EVERY],
        masks: arm.masks,
        before: round && shown !== "random" ? rounds[round - 1].masks : arm.masks,
        race: each((name) => rounds[round].arm(name).accuracy.slice(0, step / EVERY + 1)),
        stops: stops(round, step),
        dense: round && {
          race: rounds[0].arm("ticket").accuracy,
          stop: stopping(rounds[0].arm("ticket"), STEPS),
        },
        finished: range([0, complete]).map((done) => stops(done, STEPS)),
      };
    }

    return { reach, snapshot };
  }

  // A function from a question to a snapshot of that place, or, when it takes longer, of a place on
  // the way (done: false); asked again, it goes on.
  function session() {
    const experiments = new Map();
    return ({ seed, rate, method, signs, shown, round, step }) => {
      const key = JSON.stringify([seed, rate, method]);
      const current = experiments.get(key) ?? experiment({ seed, rate, method });
      experiments.delete(key);
      experiments.set(key, current); // the newest comes last
      if (experiments.size > KEPT) experiments.delete(experiments.keys().next().value);
      const names = ["ticket", "reinit", "random", ...(signs ? ["signs"] : [])];
      const goal = { round, step: step - (step % EVERY) };
      const end = performance.now() + BUDGET;
      const place = current.reach(goal, names, () => performance.now() > end);
      const done = place.round === goal.round && place.step === goal.step;
      return { ...current.snapshot(place, names, shown), done };
    };
  }

  return {
    SIZES, EVERY, PARTS, images, random, initial, batches, network, gradients, left, prune, scatter,
    withSigns, training, stopping, experiment, session,
  };
}

export const core = numerics(DIGITS);

const LAST_ROUND = manifest.state.round.maximum;
const STEPS = manifest.state.step.maximum;
const SIDE = 8; // of the images, in pixels
const ARMS = {
  ticket: { name: "Ticket", about: "mask and its first weights" },
  reinit: { name: "New weights", about: "same mask" },
  random: { name: "Random mask", about: "as many weights, anywhere" },
  signs: { name: "New weights, old signs", about: "same mask" },
};

const style = `
.card[hidden] { display: none; }
.starts { margin-bottom: 12px; }
.starts .name { padding: 0; }
.network { display: block; width: 100%; border-radius: 8px; }
.caption { margin-top: 6px; font-size: 13px; color: var(--soft); }
.caption b { color: var(--ink); font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: 11px; height: 11px; margin: 0 4px 0 10px; border-radius: 2px; vertical-align: -1px; }
.key.plus { background: var(--blue); }
.key.minus { background: var(--orange); }
.key.gone { background: var(--soft); width: 4px; height: 4px; vertical-align: 2px; }
.transport [data-out] { min-width: 122px; }
.card.ticket { --hue: var(--blue); }
.card.reinit { --hue: var(--orange); }
.card.random { --hue: var(--purple); }
.card.signs { --hue: var(--green); }
.card.dense .swatch { border-top: 2px dashed var(--hue); }
.card.dense b { color: var(--ink); }
.card.ticket .swatch { border-top-width: 5px; }
.line.ticket { stroke: var(--blue); stroke-width: 3.5; }
.line.reinit { stroke: var(--orange); }
.line.random { stroke: var(--purple); }
.line.signs { stroke: var(--green); }
.line.dense { stroke: var(--truth); stroke-dasharray: 6 4; }
.dot.ticket { fill: var(--blue); }
.dot.reinit { fill: var(--orange); }
.dot.random { fill: var(--purple); }
.dot.signs { fill: var(--green); }
.dot.dense { fill: var(--truth); }
.figures { margin-bottom: 16px; }
.figures .race { height: 240px; }
@container (min-width: 640px) {
  .figures .wide { grid-row: span 2; }
  .figures .race { height: 346px; }
}
`;

const cardHtml = (key, name, about) => `<div class="card ${key}">
  <b><i class="swatch"></i>${name}</b><small>${about}</small>
  <span class="big" data-out="${key}-accuracy"></span><small data-out="${key}-stop"></small></div>`;

const template = `
  <div class="row starts"><span class="name">Start here</span></div>
  <canvas class="network" role="img" aria-label="Not trained yet" data-thumbnail></canvas>
  <p class="caption"><b data-out="left"></b> <span data-out="layers"></span></p>
  <p class="caption">Each square is a hidden unit: its weights from the 8×8 pixels, and below them its weights to the digits 0 to 9.
    <i class="key plus"></i>positive <i class="key minus"></i>negative <i class="key gone"></i>removed just now. Crossed out: a unit that is dead, for it has lost all weights on one side.</p>
  <div data-control="step"></div>
  <p class="verdict" role="status" aria-live="polite"></p>
  <div class="cards">
    ${cardHtml("dense", "Dense network", "all weights, round 0")}
    ${Object.entries(ARMS).map(([key, { name, about }]) => cardHtml(key, name, about)).join("")}
  </div>
  <div class="figures">
    <div class="wide"><p>Test accuracy in this round, by training step; dots: early stopping</p><svg class="race" role="img" aria-label="Not trained yet"></svg></div>
    <div><p>Test accuracy at early stopping, by weights left</p><svg class="accuracies" role="img" aria-label="Not trained yet"></svg></div>
    <div><p>Step of early stopping, by weights left</p><svg class="speeds" role="img" aria-label="Not trained yet"></svg></div>
  </div>
  <div class="controls">
    <div data-control="round"></div>
    <div data-control="rate"></div>
    <div data-control="method"></div>
    <div data-control="shown"></div>
    <div><span class="name">is it the numbers, or their signs?</span>
      <div class="row"><button type="button" class="keep-signs">Add new weights with the old signs</button></div></div>
    <div data-control="seed"></div>
  </div>`;

// What the buttons at the top set, besides the settings' defaults.
const STARTS = [
  ["All rounds", { round: 0, step: 0, running: true }],
  ["The last race", { round: LAST_ROUND, step: 0, running: true }],
  ["Only the signs", { round: 8, step: STEPS, signs: true, running: false }],
  ["One shot", { round: 7, step: STEPS, method: "one-shot", running: false }],
];

// ---- numbers in words -----------------------------------------------------------------------

const TOTAL = core.SIZES[0] * core.SIZES[1] + core.SIZES[1] * core.SIZES[2];
const IMAGES = core.PARTS.test[1] - core.PARTS.test[0];
const shareLeft = (rate, round) => core.left(rate, round).reduce((sum, count) => sum + count) / TOTAL;
const percent = (share) => `${Number((100 * share).toPrecision(share < 0.1 ? 2 : 3))}\u00a0%`;
const exact = (accuracy) => `${(100 * accuracy).toFixed(1)}\u00a0%`;
const thousands = (count) => String(count).replace(/(\d)(?=\d{3}$)/, "$1,");

// A unit is dead when no weight leads into it or none out of it.
function deadUnits([first, second]) {
  const [pixels, units, classes] = core.SIZES;
  return Array.from({ length: units }, (_, j) => j).filter((j) => {
    const into = first.subarray(j * pixels, (j + 1) * pixels).includes(1);
    const out = Array.from({ length: classes }, (_, k) => second[k * units + j]).includes(1);
    return !into || !out;
  });
}

// Whether accuracies differ by more than two standard errors of so many test images: 1, 0 or -1.
function compare(a, b) {
  const error = Math.sqrt((a * (1 - a) + b * (1 - b)) / IMAGES);
  return Math.abs(a - b) > 2 * error ? Math.sign(a - b) : 0;
}

// What new weights with the old signs tell.
function signsSay({ ticket, reinit, signs }) {
  const better = compare(signs.accuracy, reinit.accuracy) > 0;
  return [
    better ? "the signs carry a part of the ticket, not all of it" : "the signs alone do not help here",
    better ? "not clearly different from the ticket, so the signs carry most of it"
      : "too close to the others to tell",
    "more than the ticket itself",
  ][compare(signs.accuracy, ticket.accuracy) + 1];
}

// The sentence for what is shown. Every judgement in it is computed from the accuracies it names.
function verdict({ round, step, rate, stops, dense }) {
  const { ticket, reinit, random, signs } = stops;
  const of = (stop) => exact(stop.accuracy);
  const start = `${step < STEPS ? `After ${step} steps with` : "With"} ` +
    `${percent(shareLeft(rate, round))} of the weights left`;
  if (step === 0 && round === 0) {
    return "A dense network before training. Press Run: it trains, loses its smallest weights, " +
      "goes back to these first weights, and trains again.";
  }
  if (step === 0) {
    return `Round ${round} begins: ${percent(shareLeft(rate, round))} of the weights are left, ` +
      "and they are back at their first values. Press Run for the race.";
  }
  if (round === 0) {
    return `After ${step} steps the dense network reads ${of(ticket)} of the test digits. ` +
      `Nothing is pruned yet: the other two, ${of(reinit)} and ${of(random)}, are dense networks ` +
      "with other weights and differ by chance.";
  }
  const first = compare(ticket.accuracy, reinit.accuracy);
  const second = compare(reinit.accuracy, random.accuracy);
  const weights = ["the ticket loses to its own mask with new weights",
    `${IMAGES} test images cannot tell the ticket from its own mask with new weights`,
    "the ticket beats its own mask with new weights"][first + 1];
  const mask = ["lose to a random mask", "are not clearly better than a random mask", "beat a random mask"][second + 1];
  const against = `: ${of(ticket)} against ${of(reinit)}`;
  const kept = signs ? ` With the old signs, new weights reach ${of(signs)}: ${signsSay(stops)}.` : "";
  return `${start}, ${weights}${against}. New weights under this mask ${mask} (${of(random)}). ` +
    `The dense network: ${of(dense.stop)}.${kept}`;
}

// ---- drawing --------------------------------------------------------------------------------

// The whole network: a tile for each hidden unit. Colour: sign; strength: size, up to 1.
function drawNetwork(canvas, shot, hues) {
  const [pixels, units, classes] = core.SIZES;
  const width = canvas.clientWidth;
  const across = width < 560 ? 8 : 16;
  const pitch = width / across;
  const cell = pitch / (SIDE + 1.4);
  const tall = cell * (SIDE + 3);
  const height = Math.round(tall * (units / across));
  const sharp = devicePixelRatio;
  canvas.style.height = `${height}px`;
  canvas.width = width * sharp;
  canvas.height = height * sharp;
  const ink = canvas.getContext("2d");
  ink.scale(sharp, sharp);
  const removed = shot.step === 0;

  // One weight in a box; gone ones leave it empty.
  function box(layer, c, x, y, w, h) {
    const weight = shot.weights[layer][c];
    if (shot.masks[layer][c]) {
      ink.fillStyle = weight < 0 ? hues.minus : hues.plus;
      ink.globalAlpha = 0.2 + 0.8 * Math.sqrt(Math.min(1, Math.abs(weight)));
      ink.fillRect(x, y, w - 0.5, h - 0.5);
    } else if (removed && shot.before[layer][c]) {
      ink.fillStyle = hues.ink;
      ink.globalAlpha = 0.5;
      ink.fillRect(x + w / 2 - 1, y + h / 2 - 1, 1.5, 1.5);
    }
  }

  const dead = new Set(deadUnits(shot.masks));
  for (let j = 0; j < units; j++) {
    const [x, y] = [(j % across) * pitch + 0.7 * cell, Math.floor(j / across) * tall + 0.5 * cell];
    const [side, strip] = [SIDE * cell, y + (SIDE + 0.5) * cell];
    ink.fillStyle = hues.ink;
    ink.globalAlpha = dead.has(j) ? 0.025 : 0.07;
    ink.fillRect(x, y, side, side);
    ink.fillRect(x, strip, side, 1.3 * cell);
    for (let i = 0; i < pixels; i++) {
      box(0, j * pixels + i, x + (i % SIDE) * cell, y + Math.floor(i / SIDE) * cell, cell, cell);
    }
    for (let k = 0; k < classes; k++) {
      box(1, k * units + j, x + (k * side) / classes, strip, side / classes, 1.3 * cell);
    }
    if (!dead.has(j)) continue;
    ink.globalAlpha = 0.45;
    ink.strokeStyle = hues.ink;
    ink.beginPath();
    ink.moveTo(x, y);
    ink.lineTo(x + side, y + side);
    ink.moveTo(x + side, y);
    ink.lineTo(x, y + side);
    ink.stroke();
  }
}

// Accuracies stand on a logarithmic axis of errors, so that 98 % and 99 % lie as far apart as 80 %
// and 90 %.
const ERRORS = {
  kind: "log", range: [0.95, 0.01], ticks: [0.9, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01],
  text: (error) => `${Math.round(100 * (1 - error))}\u00a0%`,
};
const errorOf = (accuracy) => Math.max(1 - accuracy, 0.01);

function drawRace(svg, { step, race, stops, dense }) {
  const steps = (values) => values.map((_, i) => i * core.EVERY);
  const curves = Object.entries(race).reverse().map(([name, values]) => ({ name, values, stop: stops[name] }));
  if (dense) curves.unshift({ name: "dense", values: dense.race, stop: dense.stop });
  lineChart(svg, {
    x: { range: [0, STEPS], ticks: [0, 100, 200, 300, 400] },
    y: ERRORS,
    lines: curves.flatMap(({ name, values, stop }) => [
      { name, xs: steps(values), ys: values.map(errorOf) },
      { name, xs: [stop.step], ys: [errorOf(stop.accuracy)], dots: true },
    ]),
    cursor: step,
    height: svg.clientHeight,
    label: `Test accuracy up to step ${step}: ` + Object.entries(race)
      .map(([name, values]) => `${ARMS[name].name} ${exact(values.at(-1))}`).join(", ") + ".",
  });
}

// A value of the early-stopped networks of all finished rounds against the share of weights left.
function drawRounds(svg, { finished, race, round, rate }, { what, y, value }) {
  const lefts = finished.map((_, r) => shareLeft(rate, r));
  const fewest = shareLeft(rate, LAST_ROUND);
  lineChart(svg, {
    x: {
      kind: "log", range: [1, fewest],
      ticks: [1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01].filter((share) => share >= fewest),
      text: percent,
    },
    y,
    lines: Object.keys(race).reverse().map((name) => ({
      name, xs: lefts, ys: finished.map((stops) => value(stops[name])), dots: true,
    })),
    cursor: shareLeft(rate, round),
    label: `${what} over ${finished.length} finished rounds, down to ${percent(lefts.at(-1) ?? 1)} of the weights.`,
  });
}

// ---- the page -------------------------------------------------------------------------------

// The player's places: every measurement of every round.
const PER_ROUND = STEPS / core.EVERY + 1;
const COURSE = {
  last: (LAST_ROUND + 1) * PER_ROUND - 1,
  at: ({ round, step }) => round * PER_ROUND + Math.floor(step / core.EVERY),
  state: (place) => ({ round: Math.floor(place / PER_ROUND), step: (place % PER_ROUND) * core.EVERY }),
};

// How long a place stays while playing, in milliseconds: time to see what was removed, and the end.
function pause({ step }) {
  if (step === 0) return 700;
  return step === STEPS ? 600 : 60;
}

function render({ model, el }) {
  const rules = manifest.state;
  const view = open({
    model, el, rules, style, template, update, draw, settled,
    title: manifest.title,
    waiting: "The networks are training. Which of the three reads digits best when few weights are left?",
  });
  const { find, listen, read, change, out } = view;
  const trainer = connect(numerics, receive, DIGITS);
  view.whenClosed(trainer.close);
  let shot = null;
  let shownAt = 0;
  let question = null;

  function update({ running, ...wanted }) {
    if (JSON.stringify(wanted) === JSON.stringify(question)) return draw();
    question = wanted;
    trainer.ask(question);
  }

  // Long training arrives in pieces: they are shown on the way, unless motion is unwelcome.
  function receive(snapshot) {
    if (!snapshot.done && !trainer.busy) trainer.ask(question);
    if (!snapshot.done && shot && view.calm.matches) return;
    shot = snapshot;
    shownAt = performance.now();
    draw();
    view.announce();
  }

  const ready = () => !trainer.busy && performance.now() - shownAt > pause(shot);

  function settled() {
    const state = read();
    const playing = state.running && COURSE.at(state) < COURSE.last;
    return playing || !shot || trainer.busy ? null : verdict(shot);
  }

  // ---- what is shown ----------------------------------------------------------------------

  // Where motion is unwelcome the picture waits for the last place, and must not seem to be there.
  const place = ({ round, step }) => `round ${round}, step ${step}`;
  function placeOrWait({ round, step }) {
    const waits = view.calm.matches && !(shot?.round === round && shot.step === step);
    return (waits ? "training up to " : "") + place({ round, step });
  }

  function draw() {
    if (!shot || !view.frame.clientWidth) return;
    out("step", placeOrWait(read()));
    const colours = getComputedStyle(view.frame);
    const hue = (name) => colours.getPropertyValue(`--${name}`);
    const canvas = find(".network");
    drawNetwork(canvas, shot, { plus: hue("blue"), minus: hue("orange"), ink: hue("ink") });
    const [first, second] = core.left(shot.rate, shot.round);
    const dead = deadUnits(shot.masks).length;
    const layers = `${thousands(first)} of 4,096 weights from the pixels, ${second} of 640 to the digits; ` +
      `${dead} of ${core.SIZES[1]} units ${dead === 1 ? "is" : "are"} dead.`;
    out("left", `${percent(shareLeft(shot.rate, shot.round))} left:`);
    out("layers", layers);
    canvas.setAttribute("aria-label", `${ARMS[shot.shown].name}, round ${shot.round}, step ${shot.step}: ${layers}`);
    drawRace(find(".race"), shot);
    drawRounds(find(".accuracies"), shot, {
      what: "Test accuracy", y: { ...ERRORS, ticks: [0.5, 0.2, 0.1, 0.05, 0.02] },
      value: (stop) => errorOf(stop.accuracy),
    });
    drawRounds(find(".speeds"), shot, {
      what: "Step of early stopping", y: { range: [0, STEPS * 1.05], ticks: [0, 100, 200, 300, 400] },
      value: (stop) => stop.step,
    });
    for (const [name, stop] of Object.entries({ dense: shot.dense?.stop ?? shot.stops.ticket, ...shot.stops })) {
      out(`${name}-accuracy`, exact(stop.accuracy));
      out(`${name}-stop`, `early stop at step ${stop.step}`);
    }
    find(".card.signs").hidden = !shot.stops.signs;
    Object.assign(view.frame.dataset, { round: shot.round, step: shot.step });
  }

  // ---- controls ---------------------------------------------------------------------------

  const still = () => ({ running: false });

  player(view, rules, {
    label: "round and step",
    stride: () => 1,
    ready,
    position: (place) => (100 * place) / COURSE.last,
    stepAt: (position) => (COURSE.last * position) / 100,
    course: COURSE,
    text: place,
  });
  view.follow((state) => out("step", placeOrWait(state)));
  slider(view, rules, "round", {
    label: "round", also: still,
    text: (round) => `${round}: ${percent(shareLeft(read().rate, round))} left`,
  });
  slider(view, rules, "rate", { label: "pruned in each round", text: (rate) => `${rate} %` });
  choices(view, rules, "method", { legend: "prune", labels: ["round by round", "once, after round 0"] });
  choices(view, rules, "shown", { legend: "draw the weights of", labels: ["the ticket", "new weights", "random mask"] });
  seedField(view, rules, "seed", { label: "seed" });

  const signs = find(".keep-signs");
  listen(signs, "click", () => change({ signs: !read().signs }));
  view.follow((state) => signs.setAttribute("aria-pressed", String(state.signs)));

  const defaults = Object.fromEntries(
    ["rate", "method", "signs", "shown"].map((key) => [key, rules[key].default]));
  for (const [name, values] of STARTS) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    listen(button, "click", () => change({ ...defaults, ...values }));
    find(".starts").append(button);
  }

  return view.start();
}

export default { render };
