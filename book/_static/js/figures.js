/* Draws the book's plotly figures.
 *
 * Each <figure class="book-figure"> carries its own JSON and native controls. Plotly, one file for
 * the whole site, is fetched when the first figure comes near, so a page's text never waits for it.
 * A figure follows the page's light or dark theme and its own width, and its controls do what
 * plotly's sliders and buttons would.
 */
(() => {
  'use strict';

  const PLOTLY = new URL('../plotly.min.js', document.currentScript.src).href;
  const NARROW = 560; // px; below it layout.meta.phone applies
  const TITLE_SIZE = 13; // px, of axes
  const NEAR = '400px';
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

  /* Greys turn with the page (black lines become white in the dark); hues stay as they are. */
  const turnGrey = color => {
    const hex = /^#([\da-f]{3}|[\da-f]{6})$/i.exec(color);
    const named = {black: '#000000', white: '#ffffff', gray: '#808080', grey: '#808080'}[color];
    const rgb = /^rgba?\(\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+)\s*(?:,\s*([\d.]+)\s*)?\)$/.exec(color);
    let channels, alpha = 1;
    if (hex || named) {
      const digits = (named ?? color).slice(1).replace(/^(.)(.)(.)$/, '$1$1$2$2$3$3');
      channels = [0, 2, 4].map(i => parseInt(digits.slice(i, i + 2), 16));
    } else if (rgb) {
      channels = rgb.slice(1, 4).map(Number);
      alpha = rgb[4] ?? 1;
    } else return color;
    if (Math.max(...channels) - Math.min(...channels) > 12) return color;
    return `rgba(${channels.map(c => 255 - c).join(',')},${alpha})`;
  };

  /* A copy in which every colour string has been turned; number arrays are shared, not copied. */
  const turned = (value, key = '') => {
    if (Array.isArray(value)) return isObject(value[0]) ? value.map(v => turned(v)) : value;
    if (isObject(value)) {
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, turned(v, k)]));
    }
    return typeof value === 'string' && /color$/.test(key) ? turnGrey(value) : value;
  };

  const axisKeys = (layout, data) => {
    const keys = Object.keys(layout).filter(key => /^[xy]axis\d*$/.test(key));
    const used = data.flatMap(trace => [trace.xaxis ?? 'x', trace.yaxis ?? 'y'])
      .map(id => `${id[0]}axis${id.slice(1)}`);
    return [...new Set([...keys, ...used])];
  };

  /* The layout as plotly gets it: phone patch, theme, and without what the page's controls replace. */
  const compose = (figure, narrow) => {
    const {sliders, updatemenus, width, template, ...own} = figure.layout;
    const phone = narrow ? figure.layout.meta.phone : undefined;
    let layout = merge(own, phone);
    if (isDark()) layout = turned(layout);
    const token = name => getComputedStyle(root).getPropertyValue(name).trim();
    const ink = token('--figure-ink'), grid = token('--figure-grid'), paper = token('--surface');
    const axis = {gridcolor: grid, zerolinecolor: grid, linecolor: grid, tickcolor: grid};
    layout.paper_bgcolor = layout.plot_bgcolor = 'rgba(0,0,0,0)';
    layout.font = {...layout.font, color: ink, family: token('--font-ui')};
    layout.legend = {...layout.legend, bgcolor: 'rgba(0,0,0,0)'};
    layout.hoverlabel = {bgcolor: paper, bordercolor: grid, font: {color: ink}, ...layout.hoverlabel};
    layout.modebar = {bgcolor: 'rgba(0,0,0,0)', color: grid, activecolor: ink};
    for (const key of axisKeys(layout, figure.data)) {
      // Close to its axis, and so clear of the panel below.
      const title = {standoff: 8, font: {size: TITLE_SIZE}, ...layout[key]?.title};
      layout[key] = {automargin: true, ...layout[key], ...axis, title};
    }
    if (narrow) {
      // The full width of a phone for panel titles; the legend at the top, however tall the figure.
      layout.annotations = layout.annotations?.map(note => ({...note, font: {...note.font, size: 12}}));
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
      const dark = isDark();
      return {
        data: dark ? turned(this.data) : this.data.map(trace => ({...trace})),
        layout: compose(this, this.narrow),
        frames: dark ? turned(this.frames) : this.frames,
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
      this.connectControls();
      new ResizeObserver(() => this.resize()).observe(this.plot);
      this.element.dataset.ready = '1';
    }

    async redraw() {
      this.drawnNarrow = this.narrow;
      await Plotly.react(this.canvas, this.specification());
      if (this.lastAction) this.act(...this.lastAction);
    }

    resize() {
      if (this.narrow !== this.drawnNarrow) this.redraw();
      else Plotly.Plots.resize(this.canvas);
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

    label(input) {
      const slider = this.layout.sliders[input.dataset.slider];
      const text = `${slider.steps[input.value].label}${slider.currentvalue?.suffix ?? ''}`;
      input.setAttribute('aria-valuetext', text);
      input.parentElement.querySelector('output').textContent = text;
    }
  }

  const drawn = [];
  const draw = async element => {
    try {
      await loadPlotly();
      const figure = new Figure(element);
      await figure.draw();
      drawn.push(figure);
    } catch (error) {
      element.dataset.failed = '1';
      console.error(`Figure ${element.id} was not drawn:`, error);
    }
  };

  const approaching = new IntersectionObserver(entries => {
    for (const entry of entries.filter(entry => entry.isIntersecting)) {
      approaching.unobserve(entry.target);
      draw(entry.target);
    }
  }, {rootMargin: NEAR});
  document.querySelectorAll('.book-figure').forEach(element => approaching.observe(element));

  new MutationObserver(() => drawn.forEach(figure => figure.redraw()))
    .observe(root, {attributes: true, attributeFilter: ['data-theme']});
})();
