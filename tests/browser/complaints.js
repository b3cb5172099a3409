/* Everything a page can tell about itself in a browser, as a list of complaints. */
() => {
  const found = [];
  const all = selector => [...document.querySelectorAll(selector)];

  if (!all('h1').length) found.push('no H1');

  for (const figure of all('.book-figure')) {
    const name = figure.id || 'a figure';
    const canvas = figure.querySelector('.js-plotly-plot');
    const area = canvas?._fullLayout?._size;
    const marks = [...figure.querySelectorAll('.trace path[d], .hm image, .gl-container canvas')]
      .map(mark => mark.getBoundingClientRect()).filter(box => box.width + box.height > 0);
    if (!figure.dataset.ready || !figure.querySelector('.main-svg')) {
      found.push(`${name} is not drawn`);
    } else if (!(area.w > 40 && area.h > 40)) {
      found.push(`${name} has no plot area: ${area.w} x ${area.h}`);
    } else if (!canvas.calcdata.length || !marks.length) {
      found.push(`${name} is blank`);
    }
    const legend = figure.querySelector('.legend')?.getBoundingClientRect();
    for (const title of figure.querySelectorAll('.annotation-text')) {
      const {left, right, top, bottom} = title.getBoundingClientRect();
      const covers = legend && left < legend.right - 1 && right > legend.left + 1
        && top < legend.bottom - 1 && bottom > legend.top + 1;
      if (covers) found.push(`${name}: the legend covers "${title.textContent}"`);
    }
    const frame = canvas?.getBoundingClientRect();
    const labels = figure.querySelectorAll('.infolayer text[class$=title], [class$=tick] text');
    const panels = [...figure.querySelectorAll('.nsewdrag')].map(panel => panel.getBoundingClientRect());
    for (const words of labels) {
      const {left, right, top, bottom} = words.getBoundingClientRect();
      const over = panels.some(panel => Math.min(right, panel.right) - Math.max(left, panel.left) > 3
        && Math.min(bottom, panel.bottom) - Math.max(top, panel.top) > 3);
      if (over) found.push(`${name}: "${words.textContent}" lies over a panel`);
    }
    for (const words of [...labels, ...figure.querySelectorAll('.annotation-text, .legendtext')]) {
      const {left, right, top, bottom} = words.getBoundingClientRect();
      const cut = left < frame.left - 1 || right > frame.right + 1
        || top < frame.top - 1 || bottom > frame.bottom + 1;
      if (cut) found.push(`${name}: "${words.textContent}" is cut off`);
    }
    const label = figure.querySelector('.book-figure-plot').getAttribute('aria-label') ?? '';
    if (label.trim().length < 20) found.push(`${name} has no description`);
  }
  const figures = all('.book-figure').length, tables = all('details.figure-data').length;
  if (tables !== figures) found.push(`${tables} data tables for ${figures} figures`);

  for (const place of all('.explorable:not([data-ready])')) {
    found.push(`explorable ${place.dataset.slug} is not ready`);
  }

  const formulas = all('.math').length, typeset = all('mjx-container').length;
  if (typeset < formulas) found.push(`${typeset} of ${formulas} formulas typeset`);
  for (const error of all('mjx-merror')) found.push(`formula with an error: ${error.textContent}`);
  for (const unknown of all('mjx-mtext[style*="red"]')) {
    found.push(`formula with an unknown command near: ${unknown.closest('.math')?.textContent}`);
  }
  const text = document.querySelector('article')?.cloneNode(true);
  text?.querySelectorAll('pre, code, script, mjx-container, .explorable').forEach(e => e.remove());
  const raw = /\$[^$\n]*[\\^_{][^$\n]*\$/.exec(text?.textContent ?? '');
  if (raw) found.push(`formula left as text: ${raw[0]}`);

  const page = document.documentElement;
  if (page.scrollWidth > page.clientWidth) {
    found.push(`the page is ${page.scrollWidth} px wide on a screen of ${page.clientWidth} px`);
  }
  return found;
}
