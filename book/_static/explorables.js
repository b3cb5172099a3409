/* Starts the explorables of a page without a kernel.
 *
 * An explorable is an ES module in anywidget's front-end format. Its source stands in the page
 * once; it is imported through a Blob URL, which also works from a file:// address. The model below
 * is the part of anywidget's model that needs no Python: state, and listeners to its changes.
 */
(() => {
  'use strict';

  const createModel = state => {
    const listeners = {};
    const emit = (event, ...rest) => [...(listeners[event] ?? [])].forEach(f => f(...rest));
    const model = {
      get: key => state[key],
      set(key, value) {
        const changes = typeof key === 'object' ? key : {[key]: value};
        const changed = Object.keys(changes).filter(name => state[name] !== changes[name]);
        for (const name of changed) state[name] = changes[name];
        for (const name of changed) emit(`change:${name}`, model, state[name]);
        if (changed.length) emit('change', model);
      },
      on(event, listener) { (listeners[event] ??= []).push(listener); },
      off(event, listener) {
        if (listener) listeners[event] = (listeners[event] ?? []).filter(f => f !== listener);
        else if (event) delete listeners[event];
        else Object.keys(listeners).forEach(name => delete listeners[name]);
      },
      save_changes() {}, // nobody else holds the state
      send() {},
    };
    return model;
  };

  const modules = new Map();
  const load = slug => {
    if (!modules.has(slug)) {
      const source = document.querySelector(`script[data-explorable="${slug}"]`).textContent;
      const url = URL.createObjectURL(new Blob([source], {type: 'text/javascript'}));
      modules.set(slug, import(url));
    }
    return modules.get(slug);
  };

  const start = async place => {
    try {
      const exported = (await load(place.dataset.slug)).default;
      const widget = typeof exported === 'function' ? await exported() : exported;
      const model = createModel(JSON.parse(place.querySelector('script').textContent));
      const el = document.createElement('div');
      el.className = 'explorable-body';
      place.append(el);
      await widget.initialize?.({model});
      await widget.render({model, el});
      place.querySelector('.explorable-fallback').hidden = true;
      place.dataset.ready = '1';
    } catch (error) {
      place.dataset.failed = '1';
      console.error(`Explorable ${place.dataset.slug} did not start:`, error);
    }
  };

  const approaching = new IntersectionObserver(entries => {
    for (const entry of entries.filter(entry => entry.isIntersecting)) {
      approaching.unobserve(entry.target);
      start(entry.target);
    }
  }, {rootMargin: '400px'});
  document.querySelectorAll('.explorable').forEach(place => approaching.observe(place));
})();
