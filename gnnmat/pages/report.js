"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("report-figures").textContent);
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    // plotly offers to upload a figure to its cloud unless told not to.
    showSendToCloud: false,
    plotlyServerURL: "",
  };
  const scheme = matchMedia("(prefers-color-scheme: dark)");

  // Ink, paper and grid come from the style sheet, so figures follow light, dark and print.
  function dressed(figure) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    const layout = structuredClone(figure.layout);
    layout.paper_bgcolor = layout.plot_bgcolor = "rgba(0,0,0,0)";
    layout.font = { family: style.getPropertyValue("--sans"), size: 13, color: colour("--text") };
    layout.hoverlabel = {
      bgcolor: colour("--raised"),
      bordercolor: colour("--line"),
      font: { family: layout.font.family, color: colour("--text") },
      align: "left",
    };
    layout.modebar = {
      bgcolor: colour("--paper"),
      color: colour("--faint"),
      activecolor: colour("--text"),
    };
    if (layout.title) layout.title.font = { size: 14, color: colour("--muted") };
    for (const key of Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name))) {
      const axis = layout[key];
      Object.assign(axis, {
        gridcolor: colour("--line"),
        zerolinecolor: colour("--line"),
        linecolor: colour("--faint"),
        tickfont: { color: colour("--muted"), size: 12 },
      });
      if (axis.title) Object.assign(axis.title, { font: { size: 13, color: colour("--muted") } });
    }
    return layout;
  }

  const places = (root) => [...root.querySelectorAll(".plot")];

  // A parity plot keeps one range on both axes, wide enough for the splits switched on.
  function fit(place) {
    let [low, high] = [Infinity, -Infinity];
    for (const trace of place._fullData.filter((trace) => trace.meta && trace.visible === true))
      for (const value of [...trace.x, ...trace.y]) {
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
    if (low > high) return;
    const margin = 0.04 * (high - low) || 1e-3;
    const range = [low - margin, high + margin];
    Plotly.relayout(place, { "xaxis.range": range, "yaxis.range": range.slice() });
  }

  // Everything below root that can be seen; what is hidden has no size to draw in.
  function draw(root) {
    for (const place of places(root)) {
      if (place.closest("[hidden]")) continue;
      const figure = figures[place.dataset.figure];
      Plotly.react(place, figure.data, dressed(figure), config);
      if (!place.dataset.figure.endsWith("-parity")) continue;
      place.removeAllListeners("plotly_restyle");
      place.on("plotly_restyle", () => fit(place));
    }
  }

  const panels = [...document.querySelectorAll(".panel")];
  const buttons = [...document.querySelectorAll(".choice button")];

  // Hidden panels are wiped: a browser lends a page few WebGL contexts.
  function choose(chosen) {
    for (const panel of panels) {
      if (panel !== chosen && !panel.hidden) places(panel).forEach((place) => Plotly.purge(place));
      panel.hidden = panel !== chosen;
    }
    for (const button of buttons)
      button.setAttribute("aria-pressed", String(button.dataset.panel === chosen?.id));
    if (chosen) draw(chosen);
  }

  const redraw = () => draw(document);
  for (const button of buttons)
    button.addEventListener("click", () => choose(document.getElementById(button.dataset.panel)));

  const shown = () => panels.find((panel) => !panel.hidden);
  let before;
  addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    before = shown();
    panels.forEach((panel) => (panel.hidden = false));
    redraw();
  });
  addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    choose(before);
    redraw();
  });

  panels.slice(1).forEach((panel) => (panel.hidden = true));
  choose(panels[0]);
  document.querySelectorAll("#learning").forEach(draw);
  scheme.addEventListener("change", redraw);
  document.documentElement.dataset.ready = "true";
})();
