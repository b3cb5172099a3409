/* Typesets formulas as they come near, with only the parts of MathJax that the book uses.
 *
 * A chapter has hundreds of formulas. Typeset at once they would block the page for seconds on a
 * slow machine; so MathJax is fetched when the first formula is within a screen of what the
 * reader sees, and each formula waits for its turn.
 */
(() => {
  'use strict';

  const NEAR = '100%'; // of the screen's height
  const START = new URL('../mathjax/startup.js', document.currentScript.src).href;
  const waiting = new Set(document.querySelectorAll('.math'));

  let mathjax;
  const loadMathJax = () => mathjax ??= new Promise((resolve, reject) => {
    window.MathJax = {
      ...window.MathJax,
      loader: {load: ['input/tex', 'output/chtml', 'a11y/assistive-mml']},
      startup: {typeset: false, pageReady: () => MathJax.startup.defaultPageReady().then(resolve)},
    };
    const script = document.createElement('script');
    script.src = START;
    script.onerror = () => reject(new Error(`${START} could not be loaded; formulas stay as text`));
    document.head.append(script);
  });

  const typeset = async formulas => {
    formulas.forEach(formula => waiting.delete(formula));
    await loadMathJax();
    await MathJax.typesetPromise(formulas);
    // One that is wider than the page scrolls, and what scrolls must be reached by the keyboard.
    const displayed = 'mjx-container[display=true]';
    formulas.flatMap(formula => [...formula.querySelectorAll(displayed)])
      .filter(({scrollWidth, clientWidth}) => scrollWidth > clientWidth)
      .forEach(formula => (formula.tabIndex = 0));
  };

  const near = new IntersectionObserver(entries => {
    const reached = entries.filter(entry => entry.isIntersecting).map(entry => entry.target)
      .filter(formula => waiting.has(formula));
    reached.forEach(formula => near.unobserve(formula));
    if (reached.length) typeset(reached);
  }, {rootMargin: NEAR});
  waiting.forEach(formula => near.observe(formula));
  addEventListener('beforeprint', () => typeset([...waiting]));
})();
