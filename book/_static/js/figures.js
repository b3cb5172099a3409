/* Draws the book's plotly figures.
 *
 * Each <figure class="book-figure"> carries its own JSON and native controls. Plotly, one file for
 * the whole site, is fetched when the first figure comes near, so a page's text never waits for it.
 * A figure follows the page's light or dark theme and its own width, and its controls do what
 * plotly's sliders and buttons would. A question may cover it until the reader has answered, and
 * links in the prose, or the page's address, move its slider.
 */
(() => {
  'use strict';

  const PLOTLY = new URL('../plotly.min.js', document.currentScript.src).href;
  const NARROW = 560; // px; below it layout.meta.phone applies
  const TITLE_SIZE = 13; // px, of axes
  const NEAR = '400px';
  const PHONE_LINE = 42; // characters of a title
  const TICK_ROOM = 24; // px to the right of the panels
  const LEGEND_GAP = 4; // px between a phone's legend and the titles below it
  const root = document.documentElement;
  const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');
  const touch = matchMedia('(pointer: coarse)');

  let plotly;
  const loadPlotly = () => plotly ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = PLOTLY;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${PLOTLY} could not be loaded`));
    document.head.append(script);
  });

  const isObject = value => Boolean(value) && typeof value === 'object' && !ArrayBuffer.isView(value);

  /* A copy of base with patch laid over it; arrays are replaced whole. */
  const merge = (base, patch) => {
    const merged = {...base};
    for (const [key, value] of Object.entries(patch ?? {})) {
      merged[key] = isObject(value) && !Array.isArray(value) ? merge(base?.[key], value) : value;
    }
    return merged;
  };

  const isDark = () => root.dataset.theme === 'dark';

  /* The hues of tutorlib.COLORS, and the page's tokens that stand for them in its theme. */
  const HUES = {
    '0,114,178': '--data-blue', '213,94,0': '--data-orange', '0,158,115': '--data-green',
    '204,121,167': '--data-purple', '230,159,0': '--data-yellow', '86,180,233': '--data-sky',
    '118,118,118': '--data-truth',
  };
  const token = name => getComputedStyle(root).getPropertyValue(name).trim();

  /* [red, green, blue, alpha], or nothing for what is not a plain colour. */
  const channelsOf = color => {
    const named = {black: '#000000', white: '#ffffff', gray: '#808080', grey: '#808080'}[color];
    const hex = /^#([\da-f]{3}|[\da-f]{6})$/i.exec(named ?? color);
    if (hex) {
      const digits = hex[1].replace(/^(.)(.)(.)$/, '$1$1$2$2$3$3');
      return [...[0, 2, 4].map(i => parseInt(digits.slice(i, i + 2), 16)), 1];
    }
    const rgb = /^rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)$/.exec(color);
    return rgb && [...rgb.slice(1, 4).map(Number), Number(rgb[4] ?? 1)];
  };

  /* A colour as this page shows it: our hues from its tokens; in the dark, greys turn over (black
   * lines become white); every other colour stays as it is. */
  const fitting = color => {
    const channels = channelsOf(color);
    if (!channels) return color;
    const alpha = channels.pop();
    const hue = HUES[channels.join()];
    if (hue) return `rgba(${channelsOf(token(hue)).slice(0, 3).join(',')},${alpha})`;
    const grey = Math.max(...channels) - Math.min(...channels) <= 12;
    return grey && isDark() ? `rgba(${channels.map(c => 255 - c).join(',')},${alpha})` : color;
  };

  /* A copy in which every colour fits the page; number arrays are shared, not copied. */
  const fitted = (value, key = '') => {
    if (Array.isArray(value)) return isObject(value[0]) ? value.map(v => fitted(v)) : value;
    if (isObject(value)) {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, fitted(v, k)]));
    }
    return typeof value === 'string' && /color$/.test(key) ? fitting(value) : value;
  };

  const axisKeys = (layout, data) => {
    const keys = Object.keys(layout).filter(key => /^[xy]axis\d*$/.test(key));
    const used = data.flatMap(trace => [trace.xaxis ?? 'x', trace.yaxis ?? 'y'])
      .map(id => `${id[0]}axis${id.slice(1)}`);
    return [...new Set([...keys, ...used])];
  };

  /* A title in lines of at most so many characters; plotly would let it run off a phone. */
  const wrapped = title => title?.split(' ').reduce((text, word) => {
    const line = text.split('<br>').at(-1);
    return text + (line.length + word.length < PHONE_LINE ? ' ' : '<br>') + word;
  });

  /* The layout as plotly gets it: phone patch, theme, and without what the page's controls replace. */
  const compose = (figure, narrow) => {
    const {sliders, updatemenus, width, template, ...own} = figure.layout;
    const phone = narrow ? figure.layout.meta.phone : undefined;
    const layout = fitted(merge(own, phone));
    const ink = token('--figure-ink'), grid = token('--figure-grid'), paper = token('--surface');
    const axis = {gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickcolor: grid};
    // Half of the last tick label hangs over the panel's edge.
    layout.margin = {...layout.margin, r: Math.max(layout.margin?.r ?? 0, TICK_ROOM)};
    layout.paper_bgcolor = layout.plot_bgcolor = 'rgba(0,0,0,0)';
    layout.font = {...layout.font, color: ink, family: token('--font-ui')};
    layout.legend = {...layout.legend, bgcolor: 'rgba(0,0,0,0)'};
    layout.hoverlabel = {bgcolor: paper, bordercolor: grid, font: {color: ink}, ...layout.hoverlabel};
    layout.modebar = {bgcolor: 'rgba(0,0,0,0)', color: grid, activecolor: ink};
    for (const key of axisKeys(layout, figure.data)) {
      // Close to its axis, and so clear of the panel below.
      const title = {standoff: 8, font: {size: TITLE_SIZE}, ...layout[key]?.title};
      if (narrow && key[0] === 'x') title.text = wrapped(title.text);
      layout[key] = {automargin: true, ...layout[key], ...axis, title};
    }
    if (narrow) {
      // The full width of a phone for panel titles; the legend at the top, however tall the figure.
      layout.annotations = layout.annotations?.map(note =>
        ({...note, text: wrapped(note.text), font: {...note.font, size: 12}}));
      layout.legend = {...layout.legend, yref: 'container', y: 1, yanchor: 'top', font: {size: 12}};
    }
    for (const key of Object.keys(layout).filter(key => /^scene\d*$/.test(key))) {
      layout[key] = {...layout[key]};
      for (const name of ['xaxis', 'yaxis', 'zaxis']) {
        layout[key][name] = {...layout[key][name], ...axis, color: ink, showbackground: false};
      }
    }
    layout.uirevision = 'kept'; // zoom, camera and hidden traces outlive a change of theme
    const spatial = Object.keys(layout).some(key => /^scene\d*$/.test(key));
    if (touch.matches && !spatial) layout.dragmode = false; // a swipe scrolls the page
    if (reducedMotion.matches) layout.transition = {duration: 0};
    return layout;
  };

  /* Plotly's arguments for a control, without movement where the reader asked for none. */
  const calmed = (method, args) => {
    if (method !== 'animate' || !reducedMotion.matches) return args;
    const [frames, options] = args;
    return [frames, {...options, transition: {...options?.transition, duration: 0}}];
  };

  class Figure {
    constructor(element) {
      this.element = element;
      this.plot = element.querySelector('.book-figure-plot');
      Object.assign(this, {frames: undefined, config: undefined},
        JSON.parse(element.querySelector('script').textContent));
      this.inputs = [...element.querySelectorAll('input[data-slider]')];
      this.lastAction = undefined;
    }

    get narrow() { return this.plot.clientWidth < NARROW; }

    specification() {
      return {
        data: fitted(this.data),
        layout: compose(this, this.narrow),
        frames: fitted(this.frames),
        config: {displaylogo: false, displayModeBar: touch.matches ? false : 'hover', ...this.config, responsive: false},
      };
    }

    async draw() {
      this.canvas = document.createElement('div');
      this.canvas.className = 'book-figure-canvas';
      const {data, layout, frames, config} = this.specification();
      this.drawnNarrow = this.narrow;
      this.plot.append(this.canvas);
      await Plotly.newPlot(this.canvas, {data, layout, frames, config});
      this.plot.querySelector('.book-figure-waiting')?.remove();
      await this.clearLegend();
      this.connectControls();
      new ResizeObserver(() => this.resize()).observe(this.plot);
      this.element.dataset.ready = '1';
    }

    async redraw() {
      this.drawnNarrow = this.narrow;
      await Plotly.react(this.canvas, this.specification());
      await this.clearLegend();
      if (this.lastAction) this.act(...this.lastAction);
    }

    async resize() {
      if (this.narrow !== this.drawnNarrow) return this.redraw();
      await Plotly.Plots.resize(this.canvas);
      await this.clearLegend();
    }

    /* On a phone the legend hangs from the figure's top and may take many rows; only once it is
     * drawn can one know how many, and move the panels down. */
    async clearLegend() {
      const legend = this.canvas.querySelector('.legend');
      if (!this.narrow || !legend) return;
      const top = selector => Math.min(...[...this.canvas.querySelectorAll(selector)]
        .map(element => element.getBoundingClientRect().top));
      const [highest, panels] = [top('.annotation-text, .nsewdrag'), top('.nsewdrag')];
      const {bottom} = legend.getBoundingClientRect();
      if (bottom + LEGEND_GAP <= highest) return;
      const room = bottom - this.canvas.getBoundingClientRect().top + LEGEND_GAP;
      await Plotly.relayout(this.canvas, {'margin.t': room + panels - highest});
    }

    act(method, args) { return Plotly[method](this.canvas, ...calmed(method, args)); }

    steps(position) { return this.layout.sliders[position].steps; }

    connectControls() {
      for (const input of this.inputs) {
        input.disabled = false;
        input.addEventListener('input', () => {
          const {method, args} = this.steps(input.dataset.slider)[input.value];
          this.label(input);
          this.lastAction = [method ?? 'restyle', args];
          this.act(...this.lastAction);
        });
      }
      for (const button of this.element.querySelectorAll('button[data-menu]')) {
        const {method, args} = this.layout.updatemenus[button.dataset.menu].buttons[button.dataset.button];
        button.disabled = false;
        button.addEventListener('click', () => this.act(method ?? 'restyle', args));
      }
      this.canvas.on('plotly_animatingframe', ({name}) => this.follow(name));
    }

    /* Keep the sliders at the frame that is being shown. */
    follow(frame) {
      for (const input of this.inputs) {
        const at = this.steps(input.dataset.slider).findIndex(step =>
          step.method === 'animate' && [step.args[0]].flat().includes(frame));
        if (at < 0) continue;
        input.value = at;
        this.label(input);
        const {method, args} = this.steps(input.dataset.slider)[at];
        this.lastAction = [method, args];
      }
    }

    /* Move the first slider to the step with this label; says in words what is shown then. */
    moveTo(label) {
      const [input] = this.inputs;
      const at = this.steps(0).findIndex(step => step.label === label);
      if (at < 0) return ''; // an address that somebody typed, or from an older edition
      input.value = at;
      input.dispatchEvent(new Event('input'));
      return input.parentElement.querySelector('span').textContent;
    }

    moveToStart() {
      const [{active, steps}] = this.layout.sliders;
      this.moveTo(steps[active ?? 0].label);
    }

    label(input) {
      const slider = this.layout.sliders[input.dataset.slider];
      const text = `${slider.steps[input.value].label}${slider.currentvalue?.suffix ?? ''}`;
      input.setAttribute('aria-valuetext', text);
      input.parentElement.querySelector('output').textContent = text;
    }
  }

  const recall = key => {
    try { return localStorage.getItem(key); } catch { return null; } // storage may be forbidden
  };
  const keep = (key, value) => {
    try { localStorage.setItem(key, value); } catch { /* kept for this visit only */ }
  };
  const forget = key => {
    try { localStorage.removeItem(key); } catch { /* nothing was kept */ }
  };

  /* A question that covers its figure until the reader commits to an answer.
   * The answer, '' for "just show me", stays in this browser and is sent nowhere.
   */
  class Question {
    constructor(element) {
      this.element = element;
      this.form = element.querySelector('.book-figure-question');
      this.note = element.querySelector('.book-figure-note');
      this.said = element.querySelector('.book-figure-said');
      const key = `prediction ${location.pathname}#${element.id}`;
      const answers = [...this.form.querySelectorAll('button')];
      for (const button of answers) {
        button.addEventListener('click', () => {
          keep(key, button.value);
          this.reveal(button.value);
          this.said.querySelector('p').focus({preventScroll: true});
        });
      }
      this.said.querySelector('button').addEventListener('click', () => {
        forget(key);
        this.cover();
        this.focus();
      });
      this.cover();
      const kept = recall(key);
      if (answers.some(button => button.value === kept)) this.reveal(kept);
    }

    /* Say why a link to the figure shows none. */
    remind() {
      if (!('covered' in this.element.dataset)) return;
      this.note.hidden = false;
      status.textContent = this.note.textContent;
    }

    focus() { this.form.querySelector('button').focus({preventScroll: true}); }

    cover() {
      this.answered = new Promise(resolve => { this.resolve = resolve; });
      this.form.hidden = false;
      this.note.hidden = true;
      this.said.hidden = true;
      this.element.dataset.covered = '1';
    }

    reveal(guess) {
      const {answer} = this.form.dataset;
      let outcome = guess ? `You said: “${guess}”` : 'You looked without a guess';
      if (answer) {
        outcome += guess === answer ? ', and so does the measurement' : `; the measurement says: “${answer}”`;
      }
      const asked = document.createElement('q');
      asked.textContent = this.form.querySelector('p').textContent;
      this.said.querySelector('p').replaceChildren(asked, ` ${outcome}.`);
      this.form.hidden = true;
      this.said.hidden = false;
      delete this.element.dataset.covered;
      this.resolve();
    }
  }

  const elements = [...document.querySelectorAll('.book-figure')];
  const questions = new Map(elements.filter(element => element.querySelector('.book-figure-question'))
    .map(element => [element, new Question(element)]));
  const uncovered = element => questions.get(element)?.answered;

  const drawn = [];
  const draw = async element => {
    try {
      await Promise.all([loadPlotly(), uncovered(element)]);
      const figure = new Figure(element);
      await figure.draw();
      drawn.push(figure);
      return figure;
    } catch (error) {
      element.dataset.failed = '1';
      console.error(`Figure ${element.id} was not drawn:`, error);
    }
  };

  /* The drawing of a figure, begun when it is first wanted: a promise, undefined if it fails. */
  const drawings = new Map();
  const drawing = element => {
    if (!drawings.has(element)) drawings.set(element, draw(element));
    return drawings.get(element);
  };

  const approaching = new IntersectionObserver(entries => {
    for (const entry of entries.filter(entry => entry.isIntersecting)) {
      approaching.unobserve(entry.target);
      drawing(entry.target);
    }
  }, {rootMargin: NEAR});
  elements.forEach(element => approaching.observe(element));

  new MutationObserver(() => drawn.forEach(figure => figure.redraw()))
    .observe(root, {attributes: true, attributeFilter: ['data-theme']});

  // What links do, for readers who cannot see it.
  const status = document.createElement('p');
  status.className = 'book-figure-status';
  status.setAttribute('role', 'status');
  document.body.append(status);

  /* The figure and the label that a fragment like #figure-hook=25 names, or nothing. */
  const placeIn = fragment => {
    const [, id, label] = /^#(figure-[^=]+)=(.*)$/.exec(fragment) ?? [];
    const element = elements.find(element => element.id === id && element.querySelector('input[data-slider]'));
    if (!element) return undefined;
    try { return {element, label: decodeURIComponent(label)}; } catch { return undefined; }
  };

  /* Bring a figure on the screen, unless half of it, or half a screen of it, is there already. */
  const bringIntoView = (element, behavior) => {
    const {top, bottom, height} = element.getBoundingClientRect();
    const seen = Math.min(bottom, innerHeight) - Math.max(top, 0);
    if (seen < Math.min(height, innerHeight) / 2) element.scrollIntoView({block: 'nearest', behavior});
  };

  let placed; // the figure that the address moved last
  const go = async ({element, label}, behavior) => {
    placed = element;
    bringIntoView(element, behavior);
    questions.get(element)?.remind();
    await uncovered(element);
    const said = (await drawing(element))?.moveTo(label);
    if (said) status.textContent = `The figure shows ${said}.`;
  };

  for (const link of document.querySelectorAll('a.figure-link')) {
    link.hash += `=${encodeURIComponent(link.dataset.position)}`;
    link.setAttribute('role', 'button');
    link.title = 'Moves the figure';
    link.addEventListener('click', event => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // opens a window of its own
      event.preventDefault();
      if (location.hash !== link.hash) history.pushState(null, '', link.hash);
      const place = placeIn(link.hash);
      go(place, reducedMotion.matches ? 'instant' : 'smooth');
      if ('covered' in place.element.dataset) questions.get(place.element).focus();
    });
    link.addEventListener('keydown', event => {
      if (event.key !== ' ') return;
      event.preventDefault(); // a space presses a button; it does not scroll
      link.click();
    });
  }

  /* Without a position in the address the figure goes back to where it started. */
  const followAddress = async () => {
    const place = placeIn(location.hash);
    if (place) go(place, 'instant');
    else if (placed) (await drawing(placed))?.moveToStart();
  };
  addEventListener('hashchange', followAddress);
  followAddress();
})();
