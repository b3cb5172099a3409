// Every pixel trains a network: the boundary between learning rates that converge and that diverge.
//
// One module for every place: the book's static page imports it through its host script, Jupyter
// and Colab through anywidget. The picture is a function of the model's state alone.
//
// Parts: `manifest` (what the state is; Python and the host read it too), `numerics` (training in
// float64 and, as a shader, in float32; it runs in workers), pictures (colours, layers, axes), the
// guided zoom (stored in _fractal-boundary-levels.js), and `render`, which shares the pixels out
// among the workers and follows the reader's hands.

// Strict JSON between the braces: Python reads this text as well.
export const manifest = {
  "title": "Zoom into the boundary between training and divergence",
  "fallback": "An interactive picture (it needs JavaScript or a live notebook): each pixel is one small network, trained from the same start with its own two learning rates, one for each layer. Blue pixels converge, orange ones diverge. The two colours meet in a boundary. Zooming in, some stretches of it stay smooth, while others show new teeth, islands and filaments at every scale, like a fractal.",
  "state": {
    "x": {"type": "number", "minimum": -6, "maximum": 9, "default": 1.5},
    "y": {"type": "number", "minimum": -6, "maximum": 9, "default": 1.5},
    "zoom": {"type": "number", "minimum": 0, "maximum": 12, "default": 0},
    "activation": {"type": "string", "enum": ["tanh", "relu", "identity"], "default": "tanh"},
    "points": {"type": "integer", "enum": [1, 2, 4, 8], "default": 1},
    "steps": {"type": "integer", "enum": [50, 100, 200, 500], "default": 500},
    "seed": {"type": "integer", "minimum": 0, "maximum": 9999, "default": 2},
    "precision": {"type": "string", "enum": ["auto", "float32", "float64"], "default": "auto"},
    "across": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.412626},
    "up": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.475981}
  }
};

// Everything that is computed. Besides the kit's shared functions it uses nothing from outside,
// because its source text is also the workers' program.
function numerics() {
  const WIDTH = 16; // inputs, and units of the hidden layer
  const TAIL = 20; // the last losses decide between converged and diverged
  const CEILING = 1e6; // stands for losses that are larger, infinite or not a number

  // The network is f(x) = w . act(W0^T x / sqrt(WIDTH)) / WIDTH, its labels are noise. W0 only ever
  // moves along the data, so training needs of W0 just the sums z = W0^T x / sqrt(WIDTH), a row for
  // each point, and of the data their inner products.
  function problem({ points, seed }) {
    const draw = (stream, count) => {
      const random = generator(seed, stream);
      return Float64Array.from({ length: count }, () => normal(random));
    };
    const [W0, w, x, y] = [draw(1, WIDTH * WIDTH), draw(2, WIDTH), draw(3, points * WIDTH), draw(4, points)];
    const z = new Float64Array(points * WIDTH);
    const gram = new Float64Array(points * points);
    for (let j = 0; j < points; j++) {
      for (let k = 0; k < WIDTH; k++) {
        const input = x[j * WIDTH + k];
        for (let i = 0; i < WIDTH; i++) z[j * WIDTH + i] += (input * W0[k * WIDTH + i]) / Math.sqrt(WIDTH);
        for (let p = 0; p < points; p++) gram[j * points + p] += (input * x[p * WIDTH + k]) / WIDTH;
      }
    }
    return { z, w, gram, y };
  }

  // Each fills the activations and their slopes for the sums z.
  const ACTIVATIONS = {
    tanh(z, act, slope) {
      for (let i = 0; i < z.length; i++) {
        act[i] = Math.tanh(Math.SQRT2 * z[i]);
        slope[i] = Math.SQRT2 * (1 - act[i] * act[i]);
      }
    },
    relu(z, act, slope) {
      for (let i = 0; i < z.length; i++) {
        act[i] = z[i] > 0 ? Math.SQRT2 * z[i] : 0 * z[i]; // 0 * z keeps "not a number"
        slope[i] = z[i] > 0 ? Math.SQRT2 : 0;
      }
    },
    identity(z, act, slope) {
      act.set(z);
      slope.fill(1);
    },
  };

  // The convergence measure, one loss at a time: minus the sum of the losses relative to the first
  // if the mean of the last ones is below the first ("converged"), else the sum of their inverses.
  function meter(steps) {
    let [t, first, sum, inverses, tail] = [0, 0, 0, 0, 0];
    return {
      add(loss) {
        if (t === 0) first = loss;
        const v = Math.min((Number.isFinite(loss) ? loss : CEILING) / first, CEILING);
        sum += v;
        inverses += 1 / v;
        if (t >= steps - TAIL) tail += v;
        t += 1;
        return v;
      },
      result: () => (tail / TAIL < 1 ? -sum : inverses),
    };
  }

  function measure(losses) {
    const { add, result } = meter(losses.length);
    losses.forEach(add);
    return result();
  }

  // Train one network by gradient descent, rate0 for W0 and rate1 for w, and measure how it ends.
  // note(t, v): told the relative loss before each step, Infinity after an overflow.
  function train({ z: z0, w: w0, gram, y }, activation, steps, rate0, rate1, note) {
    const points = y.length;
    const activate = ACTIVATIONS[activation];
    const z = z0.slice();
    const w = w0.slice();
    const act = new Float64Array(z.length);
    const slope = new Float64Array(z.length);
    const error = new Float64Array(points);
    const { add, result } = meter(steps);
    const step0 = (2 * rate0) / points / WIDTH;
    const step1 = (2 * rate1) / points / WIDTH;
    let lost = false; // once an output overflows, all weights do
    for (let t = 0; t < steps; t++) {
      let total = 0;
      if (!lost) {
        activate(z, act, slope);
        for (let j = 0; j < points; j++) {
          let f = 0;
          for (let i = 0; i < WIDTH; i++) f += w[i] * act[j * WIDTH + i];
          error[j] = f / WIDTH - y[j];
          total += error[j] * error[j];
          if (!Number.isFinite(error[j])) lost = true;
        }
      }
      const loss = lost ? Infinity : total / points; // overflows before the weights do
      const v = add(loss);
      note?.(t, loss === Infinity ? loss : v);
      if (lost) continue;
      for (let k = 0; k < points; k++) {
        for (let i = 0; i < WIDTH; i++) {
          let push = 0;
          for (let j = 0; j < points; j++) push += error[j] * gram[j * points + k] * slope[j * WIDTH + i];
          z[k * WIDTH + i] -= step0 * push * w[i];
        }
      }
      for (let i = 0; i < WIDTH; i++) {
        let push = 0;
        for (let j = 0; j < points; j++) push += error[j] * act[j * WIDTH + i];
        w[i] -= step1 * push;
      }
    }
    return result();
  }

  // The learning rates of `size` pixel centres along one side of a window.
  function rates(centre, span, size) {
    return Float64Array.from({ length: size }, (_, i) => 10 ** (centre + span * ((i + 0.5) / size - 0.5)));
  }

  // The measure at the pixels with these numbers: row after row, from the lowest rate of the output layer.
  function pixels({ settings, window, size }, indices) {
    const start = problem(settings);
    const [across, up] = [rates(window.x, window.span, size), rates(window.y, window.span, size)];
    return Float64Array.from(indices, (index) => train(start, settings.activation, settings.steps,
      across[index % size], up[Math.floor(index / size)]));
  }

  // All losses of one pixel, relative to the first.
  function curve({ settings, window, size }, index) {
    const rate0 = rates(window.x, window.span, size)[index % size];
    const rate1 = rates(window.y, window.span, size)[Math.floor(index / size)];
    const losses = new Float64Array(settings.steps);
    const V = train(problem(settings), settings.activation, settings.steps, rate0, rate1,
      (t, v) => (losses[t] = v));
    return { losses, V, rate0, rate1 };
  }

  // ---- the same on the graphics processor, in float32 ---------------------------------------------

  const LINE = 64; // pixels are rendered in whole lines of this length, whatever the size of the picture
  const MOST = 32768; // pixels in one go

  const VERTICES = `#version 300 es
    void main() {
      gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0);
    }`;

  // `train` from above. A row of WIDTH numbers is four vec4. The built-in tanh gives "not a number"
  // for large inputs, hence one of our own, from tanh(x) = 2t / (1 + t^2) with t = tanh(x / 2).
  const SHADERS = {
    tanh: `
      void activate(vec4 z, out vec4 act, out vec4 slope) {
        vec4 x = 1.41421356 * z;
        vec4 h = clamp(0.5 * x, -4.9, 4.9);
        vec4 u = h * h;
        vec4 p = h * (135135.0 + u * (17325.0 + u * (378.0 + u)));
        vec4 q = 135135.0 + u * (62370.0 + u * (3150.0 + u * 28.0));
        act = 2.0 * p * q / (p * p + q * q);
        vec4 e = exp(-2.0 * abs(x)); // 1 - act^2 would lose the small slopes far out
        slope = 1.41421356 * 4.0 * e / ((1.0 + e) * (1.0 + e));
      }`,
    relu: `
      void activate(vec4 z, out vec4 act, out vec4 slope) {
        act = 1.41421356 * max(z, 0.0);
        slope = 1.41421356 * vec4(greaterThan(z, vec4(0.0)));
      }`,
    identity: `
      void activate(vec4 z, out vec4 act, out vec4 slope) {
        act = z;
        slope = vec4(1.0);
      }`,
  };

  const FRAGMENTS = ({ activation, points }) => `#version 300 es
    precision highp float;
    precision highp int;
    #define POINTS ${points}
    uniform vec4 startZ[POINTS * 4];
    uniform vec4 startW[4];
    uniform float gram[POINTS * POINTS];
    uniform float y[POINTS];
    uniform highp sampler2D rates; // at i: the rates of column i (red) and of row i (green)
    uniform int first, size, steps;
    out vec4 bytes;
    ${SHADERS[activation]}
    void main() {
      int pixel = first + int(gl_FragCoord.y) * ${LINE} + int(gl_FragCoord.x);
      float step0 = texelFetch(rates, ivec2(pixel % size, 0), 0).r * 2.0 / float(POINTS * ${WIDTH});
      float step1 = texelFetch(rates, ivec2(pixel / size, 0), 0).g * 2.0 / float(POINTS * ${WIDTH});
      vec4 z[POINTS * 4];
      vec4 act[POINTS * 4];
      vec4 slope[POINTS * 4];
      vec4 w[4];
      for (int i = 0; i < POINTS * 4; i++) z[i] = startZ[i];
      for (int i = 0; i < 4; i++) w[i] = startW[i];
      float start = 1.0, sum = 0.0, inverses = 0.0, tail = 0.0;
      for (int t = 0; t < steps; t++) {
        float error[POINTS];
        float total = 0.0;
        for (int j = 0; j < POINTS; j++) {
          float f = 0.0;
          for (int i = 0; i < 4; i++) {
            activate(z[4 * j + i], act[4 * j + i], slope[4 * j + i]);
            f += dot(w[i], act[4 * j + i]);
          }
          error[j] = f / ${WIDTH}.0 - y[j];
          total += error[j] * error[j] / float(POINTS);
        }
        if (t == 0) start = total;
        if (!(total < 1e34)) { // it can only overflow from here
          float left = float(steps - t);
          float v = min(${CEILING}.0 / start, ${CEILING}.0);
          sum += left * v;
          inverses += left / v;
          tail = ${CEILING}.0 * ${TAIL}.0;
          break;
        }
        float v = min(total / start, ${CEILING}.0);
        sum += v;
        if (t > 0) inverses += 1.0 / v; // beside the first, 1, float32 would lose the small ones
        if (t >= steps - ${TAIL}) tail += v;
        for (int i = 0; i < 4; i++) {
          vec4 push1 = vec4(0.0);
          for (int k = 0; k < POINTS; k++) {
            vec4 push0 = vec4(0.0);
            for (int j = 0; j < POINTS; j++) push0 += error[j] * gram[j * POINTS + k] * slope[4 * j + i];
            z[4 * k + i] -= step0 * push0 * w[i];
            push1 += error[k] * act[4 * k + i];
          }
          w[i] -= step1 * push1;
        }
      }
      float V = tail / ${TAIL}.0 < 1.0 ? -sum : 1.0 + inverses;
      uvec4 bits = uvec4(floatBitsToUint(V)) >> uvec4(0, 8, 16, 24);
      bytes = vec4(bits & 255u) / 255.0;
    }`;

  // A function (question, from, count) -> Float32Array of measures. Throws where WebGL2 fails.
  function graphics() {
    const canvas = new OffscreenCanvas(LINE, MOST / LINE);
    const gl = canvas.getContext("webgl2", { antialias: false, depth: false });
    if (!gl) throw new Error("no WebGL2");
    const programs = new Map();
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);

    function shader(program, kind, text) {
      const part = gl.createShader(kind);
      gl.shaderSource(part, text);
      gl.compileShader(part);
      gl.attachShader(program, part);
    }
    function programFor(settings) {
      const key = `${settings.activation} ${settings.points}`;
      if (!programs.has(key)) {
        const program = gl.createProgram();
        shader(program, gl.VERTEX_SHADER, VERTICES);
        shader(program, gl.FRAGMENT_SHADER, FRAGMENTS(settings));
        gl.linkProgram(program);
        if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(`the shader was refused: ${gl.getProgramInfoLog(program)}`);
        programs.set(key, program);
      }
      return programs.get(key);
    }

    return ({ settings, window, size }, from, count) => {
      const program = programFor(settings);
      const start = problem(settings);
      const at = (name) => gl.getUniformLocation(program, name);
      gl.useProgram(program);
      gl.uniform4fv(at("startZ"), start.z);
      gl.uniform4fv(at("startW"), start.w);
      gl.uniform1fv(at("gram"), start.gram);
      gl.uniform1fv(at("y"), start.y);
      gl.uniform1i(at("first"), from);
      gl.uniform1i(at("size"), size);
      gl.uniform1i(at("steps"), settings.steps);
      const [across, up] = [rates(window.x, window.span, size), rates(window.y, window.span, size)];
      const table = Float32Array.from({ length: 2 * size }, (_, i) => (i % 2 ? up : across)[i >> 1]);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RG32F, size, 1, 0, gl.RG, gl.FLOAT, table);
      const lines = Math.ceil(count / LINE);
      gl.viewport(0, 0, LINE, MOST / LINE);
      gl.enable(gl.SCISSOR_TEST);
      gl.scissor(0, 0, LINE, lines);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      const bytes = new Uint8Array(4 * LINE * lines);
      gl.readPixels(0, 0, LINE, lines, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
      if (gl.isContextLost()) throw new Error("the graphics processor was lost");
      return new Float32Array(bytes.buffer, 0, count);
    };
  }

  // Questions: { kind: "float32" | "float64", from, count } for pixels in a row of numbers,
  // { kind: "check", indices } for some pixels in float64, { kind: "curve", index }.
  function session() {
    let render = null;
    const answers = {
      float32({ from, count, ...picture }) {
        render ??= graphics();
        return { values: render(picture, from, count) };
      },
      float64: ({ from, count, ...picture }) =>
        ({ values: pixels(picture, Array.from({ length: count }, (_, i) => from + i)) }),
      check: ({ indices, ...picture }) => ({ values: pixels(picture, indices) }),
      curve: ({ index, ...picture }) => curve(picture, index),
    };
    return (question) => {
      const started = performance.now();
      let answer;
      try {
        answer = answers[question.kind](question);
      } catch (error) {
        answer = { failed: error.message };
      }
      return { question, ...answer, time: performance.now() - started };
    };
  }

  return { CEILING, problem, measure, train, rates, pixels, curve, session };
}

export const core = numerics();

// ---- pictures -------------------------------------------------------------------------------------

const SPAN = 9; // decades of each learning rate in the whole map
const SIZES = [48, 96, 192, 384]; // pixels a side, coarse to fine
const FINEST = SIZES.at(-1);
const KNOTS = 64; // places at which the order of the measures is kept
const SHADES = 256;

// From fast to slow, light to dark, in both themes: the colours of the chapter's maps.
const COLOURS = {
  converged: ["#d6ebf8", "#7dbfe8", "#0072b2", "#00294d"],
  diverged: ["#fdeed6", "#f2a95a", "#c2540a", "#5a1c00"],
};

// SHADES colours along some given ones, as numbers 0..255: red, green, blue, red, ...
function ramp(colours) {
  const parts = colours.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)));
  return Uint8Array.from({ length: 3 * SHADES }, (_, i) => {
    const place = (Math.floor(i / 3) / (SHADES - 1)) * (parts.length - 1);
    const left = Math.min(parts.length - 2, Math.floor(place));
    const [from, to] = [parts[left][i % 3], parts[left + 1][i % 3]];
    return Math.round(from + (place - left) * (to - from));
  });
}

const RAMPS = { converged: ramp(COLOURS.converged), diverged: ramp(COLOURS.diverged) };

// The sizes of the measures of each phase, in order, at KNOTS + 1 places.
function knotsOf(values) {
  const knots = (inPhase) => {
    const sizes = values.filter(inPhase).map(Math.abs).sort();
    return sizes.length ? Float64Array.from({ length: KNOTS + 1 },
      (_, k) => sizes[Math.round((k * (sizes.length - 1)) / KNOTS)]) : [0];
  };
  return { converged: knots((V) => V < 0), diverged: knots((V) => V >= 0) };
}

// Where a size stands between the knots, 0 to 1.
function rankOf(knots, size) {
  let [low, high] = [0, knots.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (knots[middle] <= size) low = middle;
    else high = middle;
  }
  if (high === knots.length) return 1;
  const part = (size - knots[low]) / (knots[high] - knots[low]);
  return (low + Math.max(0, part)) / (knots.length - 1);
}

// One size of a picture: its measures as they arrive, and a canvas that shows them.
function makeLayer(size) {
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  const values = new Float64Array(size * size).fill(NaN);
  return {
    size, canvas, values,
    missing: size * size,
    paint(knots, from = 0, to = size * size) {
      for (let i = from; i < to; i++) {
        const V = values[i];
        if (Number.isNaN(V)) continue;
        const phase = V < 0 ? "converged" : "diverged";
        const shade = 3 * Math.round(rankOf(knots[phase], Math.abs(V)) * (SHADES - 1));
        const at = 4 * ((size - 1 - Math.floor(i / size)) * size + (i % size)); // row 0 is at the bottom
        for (let c = 0; c < 3; c++) image.data[at + c] = RAMPS[phase][shade + c];
        image.data[at + 3] = 255;
      }
      context.putImageData(image, 0, 0);
    },
  };
}

// Whether the boundary runs between a pixel and its right or upper neighbour.
function isEdge(values, size, i) {
  const differs = (other) => values[i] < 0 !== values[other] < 0;
  return ((i + 1) % size !== 0 && differs(i + 1)) || (i + size < size * size && differs(i + size));
}

function edgesOf({ values, size }) {
  return Array.from(values.keys()).filter((i) => isEdge(values, size, i));
}

// ---- the guided zoom ------------------------------------------------------------------------------

const zoomOf = (span) => Number(Math.log10(SPAN / span).toFixed(6));

const STOPS = LEVELS.windows.map(([x, y, span]) => ({ ...LEVELS.settings, x, y, zoom: zoomOf(span) }));

const agree = (keys, state) => Object.keys(keys).every((key) => keys[key] === state[key]);

// The number of the guided zoom's stop that a state shows, or -1.
const stopOf = (state) => STOPS.findIndex((stop) => agree(stop, state));

// A stop, and as the marked pixel the point to which all of them lead: it lies at the boundary.
function stopAt(at) {
  const [{ x, y, zoom }, end] = [STOPS[at], STOPS.at(-1)];
  const place = (from, to) => Number((0.5 + ((to - from) * 10 ** zoom) / SPAN).toFixed(6));
  return { ...STOPS[at], across: place(x, end.x), up: place(y, end.y), precision: "auto" };
}

// Where the next stop lies in the window of a state, in parts of it; null if that is not in sight.
function outlineIn(state) {
  const next = STOPS.find(({ zoom }) => zoom > state.zoom);
  if (!next || !agree(LEVELS.settings, state)) return null;
  const side = 10 ** (state.zoom - next.zoom);
  const place = (key) => 0.5 - side / 2 + ((next[key] - state[key]) * 10 ** state.zoom) / SPAN;
  const [left, low] = [place("x"), place("y")];
  const slack = 0.01; // some lie at the very edge
  return Math.min(left, low) > -slack && Math.max(left, low) + side < 1 + slack ? { left, low, side } : null;
}

// The stored pixels of all the last stops.
async function unpack() {
  const packed = Uint8Array.from(atob(LEVELS.pixels), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Int8Array(await new Response(stream).arrayBuffer());
}

// ---- words ----------------------------------------------------------------------------------------

const percent = (part) => `${(100 * part).toPrecision(part > 0 && part < 0.01 ? 1 : 3)} %`;
const many = (count) => count.toLocaleString("en").replaceAll(",", "\u202f");

// How the numbers of a picture were computed, and whether they can be trusted.
function precisionWords({ precision, stop, reason, check, ranOut }) {
  if (precision === "stored") {
    return `Stop ${stop} of the guided zoom was computed beforehand, in float64. The loss curve is computed now.`;
  }
  if (precision === "float64" && ranOut) return `Float32 has run out of zoom here: ${ranOut}. Computed in float64 by workers instead.`;
  if (precision === "float64") return `Computed in float64${reason}.`;
  if (!check) return "Computed in float32 on the graphics processor; being checked against float64.";
  const { changed, of } = check;
  if (ranOut) return `Float32 has run out of zoom here: ${ranOut}.`;
  return `Computed in float32 on the graphics processor; float64 gives the same verdict on ${of - changed} of ${of} pixels, most of them at the boundary.`;
}

function verdict(picture) {
  const { values, size } = picture.layers.at(-1);
  const converged = values.reduce((total, V) => total + (V < 0), 0) / values.length;
  const edges = edgesOf({ values, size }).length / values.length;
  const networks = `Of these ${many(values.length)} networks `;
  const sentence = converged === 1 ? "All these networks converge: no boundary in sight."
    : converged === 0 ? "All these networks diverge: no boundary in sight."
    : `${networks}${percent(converged)} converge; the boundary runs through ${percent(edges)} of the pixels.`;
  const remark = picture.precision === "stored" ? " Computed beforehand, in float64."
    : !picture.ranOut ? ""
    : picture.precision === "float64" ? " Float32 no longer resolves this window, so it was computed in float64."
    : " But float32 no longer resolves this window: its details are not to be trusted.";
  return sentence + remark;
}

const minus = (text) => text.replaceAll("-", "−");

// Marks for one axis: plain numbers, or, deep inside, distances from the centre.
function axisMarks(centre, span, count) {
  const deep = span < 0.05;
  const start = deep ? 0 : centre;
  return ticksOf("linear", [start - span / 2, start + span / 2], count).map((tick) => ({
    place: (tick - start) / span + 0.5,
    text: (deep && tick > 0 ? "+" : "") + minus(tickText(tick)),
  }));
}

function axisTitle(layer, centre, span) {
  return span >= 0.05 ? `log₁₀ of the ${layer} layer’s rate`
    : `log₁₀ ${layer} rate, from ${minus(centre.toFixed(Math.ceil(-Math.log10(span)) + 2))}`;
}

// ---- the explorable -------------------------------------------------------------------------------

const SIDE = 768; // pixels of the canvas; a multiple of the finest picture
const MARGIN = { left: 68, right: 6, top: 6, bottom: 42 };
const PATIENCE = 40; // milliseconds that a worker should be busy with one share of the pixels
const FIRST_SHARE = { float32: 64, float64: 4 }; // pixels; later shares are multiples of it
const DWELL = 1500; // milliseconds, at least, at a stop of the guided zoom
const CHECKS = 24; // pixels whose float32 verdict is compared with float64
const WORKERS = Math.max(1, Math.min(6, (navigator.hardwareConcurrency ?? 2) - 1));

const blend = (phase) => `linear-gradient(to right, ${COLOURS[phase].join(", ")})`;

const style = `
.bench { display: grid; gap: 16px 24px; }
.lead { margin-bottom: 12px; }
.plot { position: relative; width: 100%; max-width: 640px; margin: 0 auto; aspect-ratio: 1.02; touch-action: pan-x pan-y; user-select: none; -webkit-user-select: none; border-radius: 8px; }
.plot canvas { position: absolute; left: ${MARGIN.left}px; top: ${MARGIN.top}px; width: calc(100% - ${MARGIN.left + MARGIN.right}px); height: calc(100% - ${MARGIN.top + MARGIN.bottom}px); background: var(--wash); cursor: crosshair; }
.plot.dragged canvas { cursor: grabbing; }
.plot svg { position: absolute; inset: 0; pointer-events: none; }
.ring { fill: none; stroke: var(--ink); stroke-width: 2; }
.ring.halo { stroke: var(--paper); stroke-width: 5; }
.work { height: 3px; margin: 0 ${MARGIN.right}px 8px ${MARGIN.left}px; background: var(--ink); transform-origin: left; }
.hint, .how { font-size: 13px; color: var(--soft); }
.how { min-height: 2.9em; }
.bench .side { display: grid; gap: 14px; align-content: start; min-width: 0; }
.legend { display: grid; grid-template-columns: auto 1fr; gap: 4px 10px; align-items: center; font-size: 13px; }
.scale { height: 14px; border-radius: 4px; }
.scale.converged { background: ${blend("converged")}; }
.scale.diverged { background: ${blend("diverged")}; }
.ends { grid-column: 2; display: flex; justify-content: space-between; color: var(--soft); }
.note { grid-column: 1 / -1; }
.guide .name { display: flex; justify-content: space-between; gap: 12px; padding: 0; }
.player { display: flex; align-items: center; gap: 12px; }
.play { white-space: nowrap; }
.presets, .row + .hint { margin: 10px 0; }
.pixel { --hue: var(--truth); }
.pixel[data-phase="converged"] { --hue: var(--blue); }
.pixel[data-phase="diverged"] { --hue: var(--orange); }
.pixel svg { height: 150px; }
.pixel .line.loss { stroke: var(--hue); }
.pixel .line.first { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 5 4; }
@container (min-width: 760px) {
  .bench { grid-template-columns: minmax(0, 1.5fr) minmax(0, 1fr); }
}
`;

const template = `
  <p class="lead">Each pixel trains one small network: all start from the same weights and see the same data. Only their two learning rates differ.</p>
  <div class="bench">
    <div>
      <div class="plot" data-thumbnail tabindex="0" role="application" aria-roledescription="map" aria-label="Map of learning rates" aria-describedby="keys">
        <canvas width="${SIDE}" height="${SIDE}" aria-hidden="true"></canvas>
        <svg class="axes" aria-hidden="true"></svg>
      </div>
      <div class="work"></div>
      <div class="guide">
        <div class="name"><label for="stop">guided zoom</label><span><span data-out="stop"></span>, <span data-out="window"></span></span></div>
        <div class="player"><button type="button" class="run play"></button><input type="range" id="stop" min="0" max="${STOPS.length - 1}" step="1"></div>
      </div>
      <div class="choices presets" role="group" aria-label="Places to start"></div>
      <div class="row">
        <button type="button" class="in">Zoom in</button>
        <button type="button" class="out">Zoom out</button>
        <button type="button" class="home">Zoom out fully</button>
      </div>
      <p class="hint">The square outlines the next stop: a quarter as wide, where most of the boundary is.</p>
      <p class="hint" id="keys">Drag to move, click to mark a pixel, wheel to zoom (click first, or hold Ctrl); the buttons zoom about the mark. Touch: two fingers. Keys: arrows, + and −, Home; Shift with arrows moves the mark.</p>
    </div>
    <div class="side">
      <div class="legend">
        <span>converged</span><div class="scale converged"></div>
        <span>diverged</span><div class="scale diverged"></div>
        <div class="ends"><span>quickly</span><span>slowly</span></div>
        <p class="hint note">Very high rates darken again: in the paper’s measure a loss that overflows can count less than one that is merely huge.</p>
      </div>
      <div class="card pixel"><b>Loss of the marked pixel</b><small data-out="pixel"></small><svg class="loss" role="img"></svg><small>loss / first loss, at most a million, over the steps; computed in float64</small></div>
      <p class="how" data-out="precision"></p>
    </div>
  </div>
  <p class="verdict" role="status" aria-live="polite"></p>
  <div class="controls">
    <div data-control="activation"></div>
    <div data-control="points"></div>
    <div data-control="steps"></div>
    <div data-control="precision"></div>
    <div data-control="seed"></div>
  </div>`;

// Each marks a pixel at the boundary.
const FOUR = { ...LEVELS.settings, points: 4, steps: 200, x: 2, y: 1, zoom: 0.5 };
const PRESETS = {
  "The whole map": stopAt(0),
  "A rough stretch": stopAt(9),
  "A smooth stretch": { ...LEVELS.settings, x: 4.5, y: 1.204, zoom: 2.5, across: 0.5, up: 0.52352 },
  "ReLU": { ...FOUR, activation: "relu", across: 0.3, up: 0.4686 },
  "Linear network": { ...FOUR, activation: "identity", across: 0.3, up: 0.3826 },
};

const within = (value, least, most) => Math.max(least, Math.min(most, value));

function render({ model, el }) {
  const rules = manifest.state;
  const view = open({
    model, el, rules, style, template, update, draw, settled,
    title: manifest.title,
    waiting: "Every pixel is training its own network; the picture sharpens as they finish.",
  });
  const { find, listen, read, change, out } = view;
  const plot = find(".plot");
  const canvas = find("canvas");
  const context = canvas.getContext("2d");

  const settingsOf = ({ activation, points, steps, seed }) => ({ activation, points, steps, seed });
  const windowOf = ({ x, y, zoom }) => ({ x, y, span: SPAN / 10 ** zoom });

  // ---- who computes -----------------------------------------------------------------------------

  // Workers that take shares of a picture: one that drives the graphics processor, and, once they
  // are needed, some in float64. `share` follows their speed.
  function hire() {
    const helper = { share: 1, pace: 0 };
    helper.link = connect(numerics, (answer) => receive(answer, helper));
    view.whenClosed(helper.link.close);
    return helper;
  }
  const hasGraphics = "Worker" in globalThis && "OffscreenCanvas" in globalThis && "WebGL2RenderingContext" in globalThis;
  let graphics = hasGraphics ? hire() : null;
  let withoutGraphics = " by workers, because this browser offers no WebGL2 here";
  let crew = null;
  const referee = connect(numerics, judge);
  const inspector = connect(numerics, showCurve);
  view.whenClosed(referee.close);
  view.whenClosed(inspector.close);

  // ---- one picture at a time ----------------------------------------------------------------------

  let picture = null; // what is being computed, or is complete
  let backdrop = null; // { canvas, window }: what to show until then
  let asked = "";
  let serial = 0;
  let stored = null; // the promise of the guided zoom's pixels

  function update(state) {
    const text = JSON.stringify([settingsOf(state), windowOf(state), state.precision]);
    if (text !== asked) {
      asked = text;
      begin(state);
    }
    feed();
    drawCursor(state);
    inspect(state);
  }

  // Start the picture of a state: stored, in float32, or in float64 and for which reason.
  function begin(state, { precision = state.precision, reason = ", as you asked", ranOut = "" } = {}) {
    const stop = stopOf(state);
    const firstStored = STOPS.length - LEVELS.stored;
    if (precision !== "float64" && !graphics) [precision, reason] = ["float64", withoutGraphics];
    const [settings, window] = [settingsOf(state), windowOf(state)];
    keepBackdrop(settings);
    const isStored = state.precision === "auto" && stop >= firstStored;
    picture = {
      serial: (serial += 1), settings, window, stop, reason, ranOut,
      precision: isStored ? "stored" : precision === "float64" ? "float64" : "float32",
      layers: [], next: 0, knots: null, check: null,
    };
    if (isStored) showStored(stop - firstStored);
    else feed();
    draw();
  }

  function keepBackdrop(settings) {
    if (!picture) return;
    const complete = picture.layers.filter((layer) => !layer.missing).at(-1);
    if (JSON.stringify(picture.settings) !== JSON.stringify(settings)) backdrop = null;
    else if (complete) backdrop = { canvas: complete.canvas, window: picture.window };
  }

  // Give every idle worker its next share. The sizes follow one another, coarse to fine.
  function feed() {
    if (!view.visible || !picture || picture.precision === "stored") return;
    const { settings, window, precision } = picture;
    if (precision === "float64") crew ??= Array.from({ length: "Worker" in globalThis ? WORKERS : 1 }, hire);
    for (const helper of precision === "float64" ? crew : [graphics]) {
      if (helper.link.busy) continue;
      if (picture.next === SIZES[picture.layers.length - 1] ** 2 || !picture.layers.length) {
        if (picture.layers.length === SIZES.length) return;
        picture.layers.push(makeLayer(SIZES[picture.layers.length]));
        picture.next = 0;
      }
      const size = picture.layers.at(-1).size;
      const load = `${settings.activation} ${settings.points} ${settings.steps}`;
      if (helper.load !== load) [helper.load, helper.share] = [load, FIRST_SHARE[precision]];
      const count = Math.min(helper.share, size * size - picture.next);
      helper.link.ask({ kind: precision, serial: picture.serial, settings, window, size, from: picture.next, count });
      picture.next += count;
    }
  }

  function receive({ question, values, failed, time }, helper) {
    if (failed) return loseGraphics(failed); // only graphics can fail
    const { serial, size, from, count } = question;
    helper.pace = time / count;
    const unit = FIRST_SHARE[question.kind];
    const units = within(Math.round(PATIENCE / helper.pace / unit), 1, Math.min((4 * count) / unit, 512));
    if (count >= helper.share) helper.share = unit * Math.floor(units);
    if (serial === picture.serial) {
      const layer = picture.layers.find((layer) => layer.size === size);
      layer.values.set(values, from);
      layer.missing -= count;
      if (picture.knots) layer.paint(picture.knots, from, from + count);
      else if (!picture.layers[0].missing) showFirst();
    }
    feed();
    drawSoon();
    if (isComplete()) view.announce();
  }

  const isComplete = () => picture !== null && picture.layers.every((layer) => !layer.missing) &&
    picture.layers.length === (picture.precision === "stored" ? 1 : SIZES.length);

  // The coarsest size is complete: it sets the colours, and tells where to check float32.
  function showFirst() {
    const [first] = picture.layers;
    picture.knots = knotsOf(first.values);
    picture.layers.forEach((layer) => layer.paint(picture.knots));
    if (picture.precision === "float64") return;
    const edges = edgesOf(first);
    const wanted = Array.from({ length: CHECKS }, (_, i) => Math.floor(((i + 0.5) * first.values.length) / CHECKS));
    const stride = Math.max(1, edges.length / (CHECKS - 4));
    for (let i = 0; i < CHECKS - 4 && i * stride < edges.length; i++) wanted[i] = edges[Math.floor(i * stride)];
    const { serial, settings, window } = picture;
    referee.ask({ kind: "check", serial, settings, window, size: first.size, indices: wanted });
  }

  // What float64 says about the checked pixels.
  function judge({ question: { serial, indices, window }, values, time }) {
    if (serial !== picture.serial) return;
    const coarse = picture.layers[0].values;
    const changed = indices.filter((index, i) => coarse[index] < 0 !== values[i] < 0).length;
    const apart = (window.span / FINEST) * Math.LN10; // relative distance of two pixels' rates
    const ranOut = apart < 2 ** -23 ? "neighbouring pixels get the same learning rate"
      : changed > CHECKS / 12 ? `float64 changes the verdict on ${changed} of ${CHECKS} checked pixels` : "";
    Object.assign(picture, { ranOut, check: { changed, of: CHECKS } });
    const state = read();
    const { pace } = graphics ?? { pace: 0 };
    const tedious = pace * FINEST ** 2 > 4000 && time / CHECKS / WORKERS < pace;
    if (state.precision === "auto" && ranOut) begin(state, { precision: "float64", ranOut });
    else if (state.precision === "auto" && tedious) begin(state, { precision: "float64", reason: ", which is faster here than float32 on the graphics processor" });
    showProgress();
    view.announce();
  }

  function loseGraphics(failed) {
    graphics.link.close();
    graphics = null;
    withoutGraphics = ` by workers, because of the graphics processor: ${failed}`;
    begin(read());
  }

  async function showStored(place) {
    const target = picture;
    stored ??= unpack().catch(() => null); // an old browser cannot inflate: then compute
    const pixels = await stored;
    if (target !== picture) return;
    if (!pixels) {
      picture.precision = "float64";
      picture.reason = " by workers";
      return feed();
    }
    const { size } = LEVELS;
    const layer = makeLayer(size);
    layer.values.set(pixels.subarray(place * size * size, (place + 1) * size * size));
    layer.missing = 0;
    picture.layers = [layer];
    picture.knots = knotsOf(layer.values);
    layer.paint(picture.knots);
    draw();
    view.announce();
  }

  function settled() {
    const unchecked = picture?.precision === "float32" && !picture.check;
    return isComplete() && !unchecked ? verdict(picture) : null;
  }

  // ---- what is shown ------------------------------------------------------------------------------

  let frameId = 0;
  view.whenClosed(() => cancelAnimationFrame(frameId));

  function drawSoon() {
    frameId ||= requestAnimationFrame(() => {
      frameId = 0;
      drawMap();
    });
  }

  // After a change of size or theme, or of the picture.
  function draw() {
    if (!picture || !plot.clientWidth) return;
    drawMap();
    drawAxes(read());
    drawCursor(read());
    drawCurve();
  }

  function drawMap() {
    const now = windowOf(read());
    const put = (source, { x, y, span }) => {
      const side = (SIDE * span) / now.span;
      const left = SIDE / 2 + (SIDE * (x - now.x)) / now.span - side / 2;
      const top = SIDE / 2 - (SIDE * (y - now.y)) / now.span - side / 2;
      context.drawImage(source, left, top, side, side);
    };
    context.imageSmoothingEnabled = false;
    context.clearRect(0, 0, SIDE, SIDE);
    if (backdrop) put(backdrop.canvas, backdrop.window);
    // The finest complete size hides the coarser ones; the one in work covers it bit by bit.
    const top = Math.max(0, picture.layers.findLastIndex((layer) => !layer.missing));
    if (picture.knots) picture.layers.slice(top).forEach((layer) => put(layer.canvas, picture.window));
    showProgress();
  }

  function showProgress() {
    const all = SIZES.reduce((total, size) => total + size * size, 0);
    const done = picture.layers.reduce((total, layer) => total + layer.size ** 2 - layer.missing, 0);
    find(".work").style.transform = `scaleX(${isComplete() ? 0 : done / all})`;
    const { precision, layers } = picture;
    const finest = layers.filter((layer) => !layer.missing).at(-1);
    view.frame.dataset.size = finest?.size ?? 0;
    view.frame.dataset.precision = precision;
    out("precision", precisionWords(picture));
  }

  function drawAxes(state) {
    const window = windowOf(state);
    const svg = find(".axes");
    const [width, height] = [svg.clientWidth, svg.clientHeight];
    const [right, bottom] = [width - MARGIN.right, height - MARGIN.bottom];
    const count = width < 420 ? 3 : 6;
    svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    svg.replaceChildren();
    const add = (attributes, text) => svg.append(svgElement("text", { "text-anchor": "middle", ...attributes }, text));
    for (const { place, text } of axisMarks(window.x, window.span, count)) {
      const at = round(MARGIN.left + place * (right - MARGIN.left));
      add({ x: at, y: bottom + 16, "text-anchor": at > width - 24 ? "end" : "middle" }, text);
    }
    for (const { place, text } of axisMarks(window.y, window.span, count)) {
      add({ x: MARGIN.left - 6, y: round(bottom - place * (bottom - MARGIN.top) + 4), "text-anchor": "end" }, text);
    }
    add({ x: (MARGIN.left + right) / 2, y: height - 6 }, axisTitle("hidden", window.x, window.span));
    const middle = (MARGIN.top + bottom) / 2;
    add({ transform: `translate(12 ${middle}) rotate(-90)` }, axisTitle("output", window.y, window.span));
    const outline = outlineIn(state);
    for (const name of ["ring halo", "ring"]) {
      if (outline) {
        const { left, low, side } = outline;
        svg.append(svgElement("rect", {
          class: name, width: round(side * (right - MARGIN.left)), height: round(side * (bottom - MARGIN.top)),
          x: round(MARGIN.left + left * (right - MARGIN.left)), y: round(bottom - (low + side) * (bottom - MARGIN.top)),
        }));
      }
      svg.append(svgElement("circle", { class: name, r: 7 }));
    }
    out("window", `${figure(window.span)} decades wide`);
  }

  // ---- one pixel and its loss curve -----------------------------------------------------------------

  let hover = null; // { across, up } under the pointer, else the picked place
  let curveShown = null;
  let curveAsked = "";

  const spotOf = (state) => hover ?? { across: state.across, up: state.up };

  function drawCursor(state) {
    const svg = find(".axes");
    const { across, up } = spotOf(state);
    const [width, height] = [svg.clientWidth, svg.clientHeight];
    for (const ring of svg.querySelectorAll("circle")) {
      ring.setAttribute("cx", round(MARGIN.left + across * (width - MARGIN.left - MARGIN.right)));
      ring.setAttribute("cy", round(height - MARGIN.bottom - up * (height - MARGIN.top - MARGIN.bottom)));
    }
  }

  function inspect(state) {
    const { across, up } = spotOf(state);
    const place = (part) => Math.min(FINEST - 1, Math.floor(part * FINEST));
    const index = place(up) * FINEST + place(across);
    const question = { kind: "curve", settings: settingsOf(state), window: windowOf(state), size: FINEST, index };
    const text = JSON.stringify(question);
    if (text === curveAsked) return;
    curveAsked = text;
    inspector.ask(question);
  }

  function showCurve(answer) {
    curveShown = answer;
    drawCurve();
  }

  function drawCurve() {
    if (!curveShown) return;
    const { losses, V, rate0, rate1 } = curveShown;
    const phase = V < 0 ? "converged" : "diverged";
    const values = losses.map((v) => within(v, 1e-12, core.CEILING));
    find(".pixel").dataset.phase = phase;
    out("pixel", `rates ${figure(rate0)} (hidden layer) and ${figure(rate1)} (output layer): ${phase}, V = ${minus(figure(V))}`);
    lineChart(find(".loss"), {
      x: { range: [0, losses.length - 1] },
      y: { kind: "log", range: [0.8 * Math.min(0.1, ...values), 1.25 * Math.max(10, ...values)] },
      lines: [
        { name: "first", xs: [0, losses.length - 1], ys: [1, 1] },
        { name: "loss", xs: Array.from(values.keys()), ys: values },
      ],
      label: `The loss starts at 1 and ends at ${figure(losses.at(-1))} after ${losses.length} steps: ${phase}.`,
    });
    plot.setAttribute("aria-label", `Map of learning rates, ${figure(windowOf(read()).span)} decades wide. ` +
      `Marked pixel: learning rates ${figure(rate0)} and ${figure(rate1)}, ${phase}.`);
  }

  // ---- controls -------------------------------------------------------------------------------------

  choices(view, rules, "activation", { legend: "activation", labels: ["tanh", "ReLU", "identity"] });
  choices(view, rules, "points", { legend: "data points, with labels of pure noise", labels: rules.points.enum });
  choices(view, rules, "steps", { legend: "steps of training", labels: rules.steps.enum });
  choices(view, rules, "precision", {
    legend: "arithmetic", labels: ["as precise as needed", "float32", "float64"],
  });
  seedField(view, rules, "seed", { label: "seed of weights and data" });

  // The guided zoom. Play goes on to the next stop once this one can be seen, and pauses as soon as
  // anything else moves the map. Who wants no motion goes on by hand.
  const stop = find("#stop");
  const play = find(".play");
  let timer = 0;
  let shown = 0; // the stop at which play is
  view.whenClosed(() => clearInterval(timer));

  function pause() {
    clearInterval(timer);
    timer = 0;
  }
  function goTo(at) {
    shown = at;
    if (at === STOPS.length - 1) pause();
    change(stopAt(at));
  }
  function goOn() {
    if (view.visible && view.frame.dataset.size >= SIZES[1]) goTo(shown + 1);
  }
  listen(stop, "input", () => {
    pause();
    goTo(Number(stop.value));
  });
  listen(play, "click", () => {
    if (timer) {
      pause();
      return change({});
    }
    const at = stopOf(read());
    const isOn = at >= 0 && at < STOPS.length - 1;
    if (!view.calm.matches) timer = setInterval(goOn, DWELL);
    goTo(!isOn ? 0 : view.calm.matches ? at + 1 : at);
  });
  view.follow((state) => {
    const at = stopOf(state);
    if (at !== shown) pause();
    stop.value = at >= 0 ? at : Math.round(state.zoom / STOPS[1].zoom);
    const words = at >= 0 ? `stop ${at} of ${STOPS.length - 1}` : "elsewhere";
    out("stop", words);
    drawAxes(state);
    drawCursor(state);
    stop.setAttribute("aria-valuetext", `${words}, ${find("[data-out=window]").textContent}`);
    play.textContent = timer ? "Pause" : view.calm.matches ? "Next stop" : "Play";
  });

  for (const [words, state] of Object.entries(PRESETS)) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    listen(button, "click", () => change({ ...state, precision: "auto" }));
    find(".presets").append(button);
  }

  // ---- moving about -----------------------------------------------------------------------------------

  function move(x, y, zoom) {
    zoom = Number(within(zoom, 0, rules.zoom.maximum).toFixed(6));
    const digits = Math.min(15, Math.ceil(zoom) + 4); // a small part of a pixel
    const place = (value) => Number(within(value, rules.x.minimum, rules.x.maximum).toFixed(digits));
    change({ x: place(x), y: place(y), zoom });
  }

  // Zoom by some decades and keep the point `spot` of the picture where it is.
  function zoomBy(decades, spot) {
    const { x, y, zoom } = read();
    const to = within(zoom + decades, 0, rules.zoom.maximum);
    const gained = SPAN / 10 ** zoom - SPAN / 10 ** to;
    move(x + gained * (spot.across - 0.5), y + gained * (spot.up - 0.5), to);
  }

  function panBy(across, up) {
    const { x, y, zoom } = read();
    const { span } = windowOf(read());
    move(x + across * span, y + up * span, zoom);
  }

  const goHome = () => move(1.5, 1.5, 0);

  function spotAt({ clientX, clientY }) {
    const box = canvas.getBoundingClientRect();
    return {
      across: within((clientX - box.left) / box.width, 0, 1),
      up: within((box.bottom - clientY) / box.height, 0, 1),
    };
  }

  function pick({ across, up }) {
    const tidy = (part) => Number(within(part, 0, 1).toFixed(4));
    change({ across: tidy(across), up: tidy(up) });
  }

  function setHover(spot) {
    hover = spot;
    drawCursor(read());
    inspect(read());
  }

  // Mouse and pen drag the map; a click without a drag picks a pixel. Fingers are handled below.
  let grip = null; // where the pointer went down or was last: { spot, moved }

  listen(canvas, "pointerdown", (event) => {
    if (event.pointerType === "touch" || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    grip = { x: event.clientX, y: event.clientY, moved: false };
  });
  listen(canvas, "pointermove", (event) => {
    if (event.pointerType === "touch") return;
    if (!grip) return setHover(spotAt(event));
    const [across, up] = [grip.x - event.clientX, event.clientY - grip.y];
    if (!grip.moved && Math.hypot(across, up) < 4) return;
    grip = { x: event.clientX, y: event.clientY, moved: true };
    plot.classList.add("dragged");
    panBy(across / canvas.clientWidth, up / canvas.clientHeight);
  });
  const letGo = () => {
    plot.classList.remove("dragged");
    setTimeout(() => (grip = null)); // after the click that follows
  };
  listen(canvas, "pointerup", letGo);
  listen(canvas, "pointercancel", letGo);
  listen(canvas, "pointerleave", () => setHover(null));
  listen(canvas, "click", (event) => {
    if (!grip?.moved) pick(spotAt(event));
  });
  listen(canvas, "dblclick", (event) => zoomBy(Math.log10(2), spotAt(event)));

  // The wheel scrolls the page unless the map has the focus or a modifier asks for zoom (which is
  // also what a pinch on a trackpad sends).
  listen(canvas, "wheel", (event) => {
    if (!view.isActive(plot) && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const lines = event.deltaMode === 0 ? event.deltaY / 100 : event.deltaY / 3;
    zoomBy(-0.15 * within(lines * (event.ctrlKey && Math.abs(lines) < 0.5 ? 4 : 1), -3, 3), spotAt(event));
  }, { passive: false });

  // One finger scrolls the page and taps; two fingers move and zoom the map.
  let fingers = null;

  function pair([first, second]) {
    const middle = { clientX: (first.clientX + second.clientX) / 2, clientY: (first.clientY + second.clientY) / 2 };
    return { ...spotAt(middle), apart: Math.hypot(first.clientX - second.clientX, first.clientY - second.clientY) };
  }
  listen(canvas, "touchstart", (event) => {
    fingers = event.touches.length === 2 ? pair(event.touches) : null;
    if (fingers && event.cancelable) event.preventDefault();
  }, { passive: false });
  listen(canvas, "touchmove", (event) => {
    if (!fingers || event.touches.length !== 2) return;
    if (event.cancelable) event.preventDefault();
    const now = pair(event.touches);
    panBy(fingers.across - now.across, fingers.up - now.up);
    zoomBy(Math.log10(now.apart / fingers.apart), now);
    fingers = now;
  }, { passive: false });
  listen(canvas, "touchend", () => (fingers = null));
  listen(canvas, "touchcancel", () => (fingers = null));

  listen(plot, "keydown", (event) => {
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    const zooms = { "+": 1, "=": 1, "-": -1, "_": -1 };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const spot = spotOf(read());
    if (event.key in arrows) {
      const [across, up] = arrows[event.key];
      if (event.shiftKey) pick({ across: spot.across + across / 96, up: spot.up + up / 96 });
      else panBy(across / 8, up / 8);
    } else if (event.key in zooms) {
      zoomBy(zooms[event.key] * Math.log10(2), spot);
    } else if (event.key === "Home") {
      goHome();
    } else {
      return;
    }
    event.preventDefault();
  });

  listen(find(".in"), "click", () => zoomBy(Math.log10(2), read()));
  listen(find(".out"), "click", () => zoomBy(-Math.log10(2), read()));
  listen(find(".home"), "click", goHome);

  return view.start();
}

export default { render };
