"use strict";
// Draws the charts, keeps them as wide as the page allows, and ties slider, curve and map together.
(() => {
  const byId = (id) => document.getElementById(id);
  const linked = JSON.parse(byId("linked").textContent);
  const budget = byId("budget"), ranking = byId("ranking");
  const buttons = [...document.querySelectorAll("button[data-budget]")];
  const views = new Map();
  const narrow = () => window.matchMedia("(max-width: 640px)").matches;

  // Beside a narrow chart there is no room for a key: it goes below.
  const keysBelow = (part) => {
    if (!part || typeof part !== "object") return;
    for (const [name, value] of Object.entries(part)) {
      if (name === "data" || name === "datasets") continue;
      if (name === "legend" && value && typeof value === "object") {
        Object.assign(value, {orient: "bottom", offset: 26, columns: 2, labelLimit: 140});
        if ("gradientLength" in value) value.gradientLength = 200;
      } else keysBelow(value);
    }
  };

  const fit = async (place) => {
    const {view, width, height, scaled} = views.get(place);
    if (!place.clientWidth) return;  // folded away: it has no width yet
    for (let round = 0; round < 2; round++) {  // a narrower chart may need less or more room beside it
      const drawn = place.querySelector("svg.marks");
      const beside = Number(drawn.getAttribute("width")) - view.width();
      const most = scaled ? width : Math.max(width, 780);  // a map that grows would not fit the height of a screen
      const wanted = Math.max(140, Math.min(most, Math.floor(place.clientWidth - beside)));
      if (wanted === Math.round(view.width())) return;
      view.width(wanted);
      if (scaled) view.height(Math.round(height * wanted / width));
      await view.runAsync();
    }
  };

  const draw = async (place) => {
    const spec = JSON.parse(byId("spec-" + place.id).textContent);
    if (narrow()) {
      keysBelow(spec);
      const config = spec.config ??= {};
      config.legend = {...config.legend, layout: {bottom: {direction: "vertical"}}};  // one key below the other
    }
    const {view} = await dynstDraw(place, spec, {actions: false});
    views.set(place, {view, width: view.width(), height: view.height(), scaled: "scaled" in place.dataset});
    await fit(place);
    if (place.id.startsWith("curve-")) view.addEventListener("click", (event) => pick(view, place, event));
  };

  // A click anywhere on a curve picks the nearest number of sensors that was judged.
  const pick = (view, place, event) => {
    const box = place.querySelector("svg.marks").getBoundingClientRect();
    const scale = Number(place.querySelector("svg.marks").getAttribute("width")) / box.width;
    const across = (event.clientX - box.left) * scale - view.origin()[0];
    if (across < -12 || across > view.width() + 12) return;
    const x = view.scale("x");
    const near = (a, b) => (Math.abs(x(a) - across) <= Math.abs(x(b) - across) ? a : b);
    if (linked.budgets.length) set(linked.budgets.reduce(near));
  };

  const tell = (count, name) => {
    const shown = Math.min(count, linked.ranked[name]);
    const share = Number((1 - shown / linked.sites).toPrecision(4));
    let text = `${shown.toLocaleString("en")} of ${linked.sites.toLocaleString("en")} sites, sparsity ${share}, ` +
      `ranking by ${name}.`;
    const errors = linked.errors[count];
    if (errors && errors[name]) {
      text += ` Forecast error ${errors[name]}`;
      if (name !== "uniform_random" && errors.uniform_random) text += `, random plans ${errors.uniform_random}`;
      text += ".";
    } else if (linked.budgets.length) {
      const nearest = linked.budgets.reduce((a, b) => (Math.abs(a - count) <= Math.abs(b - count) ? a : b));
      text += ` Not judged at this number; the nearest is ${nearest.toLocaleString("en")}.`;
    }
    return text;
  };

  const show = () => {
    const count = Number(budget.value), name = ranking ? ranking.value : Object.keys(linked.ranked)[0];
    byId("count").value = count.toLocaleString("en");
    budget.setAttribute("aria-valuetext", `${count} sensors`);
    byId("now").textContent = tell(count, name);
    for (const button of buttons) button.setAttribute("aria-pressed", String(Number(button.dataset.budget) === count));
    for (const [place, {view}] of views) {
      if (place.id !== "map" && !place.id.startsWith("curve-")) continue;
      view.signal("budget", count);
      if (place.id === "map") view.signal("ranking", name);
      view.runAsync();
    }
  };

  const set = (count) => {
    budget.value = String(count);
    show();
  };

  // On paper nothing can be opened: what is folded away is printed too.
  const folded = new Set();
  window.addEventListener("beforeprint", () => {
    for (const part of document.querySelectorAll("details:not([open])")) {
      part.open = true;
      folded.add(part);
    }
  });
  window.addEventListener("afterprint", () => {
    for (const part of folded) part.open = false;
    folded.clear();
  });

  const refit = () => Promise.all([...views.keys()].map(fit));

  for (const part of document.querySelectorAll("details")) {
    for (const place of part.querySelectorAll(".chart")) {
      part.addEventListener("toggle", () => views.has(place) && fit(place));
    }
  }
  budget.addEventListener("input", show);
  budget.form.addEventListener("submit", (event) => event.preventDefault());
  if (ranking) ranking.addEventListener("change", show);
  for (const button of buttons) button.addEventListener("click", () => set(Number(button.dataset.budget)));

  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(refit, 150);
  });
  Promise.all([...document.querySelectorAll(".chart")].map(draw)).then(() => {
    show();
    document.documentElement.dataset.ready = "yes";
  });
})();
