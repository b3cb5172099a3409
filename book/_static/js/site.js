/* What the theme does in ways that this book does not allow: handlers written into the page, which
 * the Content-Security-Policy does not run, and asking for the size of everything at load.
 */
(() => {
  'use strict';
  const actions = {
    'window.print()': () => print(),
    'toggleFullScreen()': () => toggleFullScreen(),
  };
  for (const button of document.querySelectorAll('[data-click]')) {
    button.addEventListener('click', actions[button.dataset.click]);
  }

  // What scrolls can be reached by the keyboard, as soon as it is on the screen.
  const seen = new IntersectionObserver(entries => {
    const shown = entries.filter(entry => entry.isIntersecting).map(entry => entry.target);
    const scrolling = shown.filter(({scrollWidth, clientWidth, scrollHeight, clientHeight}) =>
      scrollWidth > clientWidth || scrollHeight > clientHeight);
    scrolling.forEach(element => (element.tabIndex = 0));
    shown.forEach(element => seen.unobserve(element));
  });
  document.querySelectorAll('pre, .cell_output > .output, .pst-scrollable-table-container')
    .forEach(element => seen.observe(element));
})();
