// Runs explorables on a static page, with no kernel.
//
// The page holds <div class="explorable" data-slug="..."> with the state as JSON, and each module's
// source once, as text: a module imported from a Blob also works when the page is opened from disk.
// The host gives the module the model interface that anywidget gives it in Jupyter, and keeps the
// state in the page's address:  #fourier-head.frequencies=20&fourier-head.seed=3
(() => {
  const urls = new Map();
  function moduleUrl(slug) {
    if (!urls.has(slug)) {
      const holder = document.querySelector(`script[data-explorable="${CSS.escape(slug)}"]`);
      if (!holder) throw new Error(`the page does not contain the module ${slug}`);
      urls.set(slug, URL.createObjectURL(new Blob([holder.textContent], { type: "text/javascript" })));
    }
    return urls.get(slug);
  }

  // ---- state as text ------------------------------------------------------------------------

  const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);
  const asText = (value) => (Array.isArray(value) ? value.join(".") : String(value));

  // The value that a text in the address stands for, or undefined when the rule forbids it.
  function fromText(text, rule) {
    const number = (part) => {
      const form = rule.type === "number" ? /^-?\d+(\.\d+)?(e[+-]?\d+)?$/ : /^-?\d+$/;
      const value = form.test(part) ? Number(part) : NaN;
      return value >= rule.minimum && value <= rule.maximum ? value : NaN;
    };
    if (rule.type === "boolean") return { true: true, false: false }[text];
    if (rule.enum) return rule.enum.find((value) => String(value) === text);
    if (rule.type !== "array") return Number.isNaN(number(text)) ? undefined : number(text);
    const items = text ? text.split(".").map(number) : [];
    return rule.lengths.includes(items.length) && !items.some(Number.isNaN) ? items : undefined;
  }

  // What the address says about the explorable `name`, and what it asks for that the rules forbid.
  function fromAddress(name, rules, start) {
    const state = { ...start };
    const refused = [];
    for (const [key, text] of new URLSearchParams(location.hash.slice(1))) {
      if (!key.startsWith(`${name}.`)) continue;
      const rule = rules[key.slice(name.length + 1)];
      const value = rule && fromText(text, rule);
      if (value === undefined) refused.push(`${key} = ${text}`);
      else state[key.slice(name.length + 1)] = value;
    }
    for (const [key, { belowHalfOf }] of Object.entries(rules)) {
      if (belowHalfOf) state[key] = Math.min(state[key], Math.ceil(state[belowHalfOf] / 2) - 1);
    }
    return { state, refused };
  }

  // The page's address with this explorable's part replaced; other explorables keep theirs.
  function address(name, state, start) {
    const kept = [...new URLSearchParams(location.hash.slice(1))].filter(
      ([key]) => key.includes(".") && !key.startsWith(`${name}.`));
    const own = Object.keys(state).filter((key) => !same(state[key], start[key]))
      .map((key) => [`${name}.${key}`, asText(state[key])]);
    const hash = new URLSearchParams([...kept, ...own]).toString();
    return `${location.href.split("#")[0]}${hash ? `#${hash}` : ""}`;
  }

  function asPython(value) {
    if (typeof value === "boolean") return value ? "True" : "False";
    return Array.isArray(value) ? `[${value.join(", ")}]` : JSON.stringify(value);
  }

  function pythonLine(slug, state, rules) {
    const changed = Object.keys(state).filter((key) => !same(state[key], rules[key].default));
    const parts = [JSON.stringify(slug), ...changed.map((key) => `${key}=${asPython(state[key])}`)];
    return `tl.explorable(${parts.join(", ")})`;
  }

  // ---- the model that the module sees ---------------------------------------------------------

  function makeModel(state, onSave) {
    const listeners = {};
    const tell = (event, ...values) => [...(listeners[event] ?? [])].forEach((listener) => listener(...values));
    return {
      get: (key) => state[key],
      set(key, value) {
        if (same(state[key], value)) return;
        state[key] = value;
        tell(`change:${key}`, this, value);
      },
      save_changes: onSave,
      send() {},
      on(event, listener) { (listeners[event] ??= []).push(listener); },
      off(event, listener) {
        listeners[event] = listener ? (listeners[event] ?? []).filter((other) => other !== listener) : [];
      },
    };
  }

  const sheet = new CSSStyleSheet();
  sheet.replaceSync(`
    .explorable-tools { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.6rem; }
    .explorable-tools button {
      min-height: 2.4rem; padding: 0.2rem 0.8rem; font: inherit; font-size: 0.88rem; color: inherit;
      background: none; border: 1px solid currentColor; border-radius: 8px; cursor: pointer;
    }
    .explorable-said { min-height: 1.6em; margin: 0.4rem 0 0; font-size: 0.88rem; overflow-wrap: anywhere; }
    @media (pointer: coarse) { .explorable-tools button { min-height: 2.75rem; } }
    @media print { .explorable-tools, .explorable-said { display: none; } }
  `);

  // ---- one explorable -------------------------------------------------------------------------

  function button(label, action) {
    const node = document.createElement("button");
    node.type = "button";
    node.textContent = label;
    node.addEventListener("click", action);
    return node;
  }

  async function mount(div, name) {
    const slug = div.dataset.slug;
    const start = JSON.parse(div.querySelector('script[type="application/json"]').textContent);
    const { default: explorable, manifest } = await import(moduleUrl(slug));
    const rules = manifest.state;
    const { state, refused } = fromAddress(name, rules, start);

    // The address changes only after the reader has touched something, so that a page that merely
    // plays keeps the address, and the section, that the reader came with.
    let touched = false;
    for (const event of ["pointerdown", "keydown", "input"]) {
      div.addEventListener(event, () => (touched = true), { capture: true });
    }
    const write = () => history.replaceState(history.state, "", address(name, state, start));
    let timer = 0;
    const model = makeModel(state, () => {
      if (!touched) return;
      clearTimeout(timer);
      timer = setTimeout(write, 300); // browsers limit how often an address may change
    });
    const setAll = (values) => Object.entries(values).forEach(([key, value]) => model.set(key, value));

    const said = document.createElement("p");
    said.className = "explorable-said";
    said.setAttribute("role", "status");
    const complain = (refused) => said.replaceChildren(refused.length
      ? `The address asks for ${refused.join(" and ")}, which cannot be set; the usual setting is shown instead.` : "");
    addEventListener("hashchange", () => {
      if (!location.hash.includes(`${name}.`)) return;
      const asked = fromAddress(name, rules, start);
      setAll(asked.state);
      complain(asked.refused);
    });

    // What comes below stays where it is: the picture that gives way kept about the same room.
    div.style.minHeight = `${div.offsetHeight}px`;
    addEventListener("resize", () => (div.style.minHeight = ""), { once: true });
    div.querySelector(".explorable-fallback")?.setAttribute("hidden", "");
    const el = document.createElement("div");
    el.className = "explorable-body";
    div.append(el);
    await explorable.render({ model, el });

    const copy = async (text, what) => {
      const code = Object.assign(document.createElement("code"), { textContent: text });
      let copied = true;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        copied = false; // no clipboard without permission or on an insecure page
      }
      said.replaceChildren(`${copied ? "Copied" : "To copy"}: ${what} `, code);
    };
    const tools = document.createElement("div");
    tools.className = "explorable-tools";
    tools.append(
      button("Copy link to these settings", () => {
        write();
        copy(location.href, "the link");
      }),
      button("Use these settings in the notebook", () =>
        copy(pythonLine(slug, state, rules), "a line to run in the notebook,")),
      button("Reset settings", () => {
        setAll(start);
        write();
        touched = false;
        said.replaceChildren("All settings are back to where they started.");
      }),
    );
    div.append(tools, said);
    complain(refused);
    div.dataset.ready = "1";
    div.style.minHeight = "";
  }

  async function start(div, name) {
    try {
      await mount(div, name);
    } catch (error) {
      // The text for readers without JavaScript stays in place.
      div.querySelector(".explorable-fallback")?.removeAttribute("hidden");
      div.dataset.failed = "1";
      div.style.minHeight = "";
      console.error(`explorable ${name}:`, error);
    }
  }

  // An explorable starts when it comes near the screen, so that a page with several loads fast.
  function startAll() {
    document.adoptedStyleSheets.push(sheet);
    const names = new Map();
    const count = {};
    const near = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        start(target, names.get(target));
      }
    }, { rootMargin: "400px" });
    for (const div of document.querySelectorAll(".explorable[data-slug]")) {
      const slug = div.dataset.slug;
      count[slug] = (count[slug] ?? 0) + 1;
      names.set(div, count[slug] === 1 ? slug : `${slug}-${count[slug]}`);
      div.style.minHeight = "100vh"; // what is on the screen below must not jump when it starts
      near.observe(div);
    }
    const shared = [...names].find(([, name]) => location.hash.startsWith(`#${name}.`));
    shared?.[0].scrollIntoView({ block: "start" });
  }

  if (document.readyState === "loading") addEventListener("DOMContentLoaded", startAll);
  else startAll();
})();
