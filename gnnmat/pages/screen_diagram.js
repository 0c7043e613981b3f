// The Ashby diagram: all candidates by WebGL, front and shortlist with intervals above them.
function screenDiagram(screen, choose) {
  const place = document.getElementById("diagram");
  const tip = document.getElementById("tip");
  const [x, y] = screen.columns;
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const BLUE = "#2b7fc0";
  const ORANGE = "#e08a00";
  const VIOLET = "#9a5fc0";
  const MOST_SVG = 500;

  const isDrawn = (row) => Number.isFinite(x.values[row]) && Number.isFinite(y.values[row]);
  const drawn = [];
  for (let row = 0; row < screen.rows; row++) if (isDrawn(row)) drawn.push(row);
  // The more points, the smaller and the fainter.
  const sizeOf = (count) => (count > 20000 ? 3 : count > 2000 ? 4.5 : 7);
  const opacityOf = (count) => (count > 20000 ? 0.45 : count > 2000 ? 0.6 : 0.85);

  const ofColumn = (values, rows) => Float32Array.from(rows, (row) => values[row]);
  function errors(column, rows, colour) {
    if (!column.low || !column.high) return undefined;
    const away = (ends) => Float32Array.from(rows, (row) => Math.abs(ends[row] - column.values[row]) || 0);
    const drawing = { color: colour, thickness: 1, width: 0 };
    return { type: "data", symmetric: false, array: away(column.high), arrayminus: away(column.low), ...drawing };
  }

  function points(name, rows, marker, more = {}) {
    const [xs, ys] = [ofColumn(x.values, rows), ofColumn(y.values, rows)];
    const count = rows.length.toLocaleString("en");
    return { type: "scattergl", mode: "markers", name: `${name} (${count})`, x: xs, y: ys, marker, rows,
      hoverinfo: "none", visible: rows.length > 0, ...more };
  }

  const symbol = (row) => (screen.flags[row] & FRONT ? "diamond" : "circle");
  function judged(name, rows, marker) {
    const kind = rows.length > MOST_SVG ? "scattergl" : "scatter";
    const bars = { error_x: errors(x, rows, marker.bar), error_y: errors(y, rows, marker.bar) };
    return points(name, rows, marker, { type: kind, ...bars });
  }

  // The front as a line, if it is one in these two axes: further objectives would make it zigzag.
  function frontLine() {
    const rows = drawn.filter((row) => screen.flags[row] & FRONT);
    rows.sort((a, b) => x.values[a] - x.values[b] || y.values[b] - y.values[a]);
    const falls = rows.every((row, i) => !i || y.values[row] <= y.values[rows[i - 1]]);
    const rises = rows.every((row, i) => !i || y.values[row] >= y.values[rows[i - 1]]);
    return rows.length > 1 && (falls || rises) ? rows : [];
  }
  const front = frontLine();

  function traces(passed) {
    const among = { plain: [], outside: [], learned: [], front: [], short: [], away: [] };
    for (const row of drawn) {
      const flag = screen.flags[row];
      if (!passed[row]) among.away.push(row);
      else if (flag & SHORTLISTED) among.short.push(row);
      else if (flag & FRONT) among.front.push(row);
      else if (flag & LEARNED) among.learned.push(row);
      else if (screen.hasDomain && !(flag & IN_DOMAIN)) among.outside.push(row);
      else among.plain.push(row);
    }
    const count = drawn.length - among.away.length;
    const [size, opacity] = [sizeOf(count), opacityOf(count)];
    const line = { color: ink("--muted"), width: 1.5, dash: "dot" };
    const rim = { width: 1, color: ink("--paper") };
    return [
      points("filtered out", among.away, { size: 0.8 * sizeOf(drawn.length), color: ink("--faint"), opacity: 0.25 },
        { hoverinfo: "skip", showlegend: false }),
      points("outside the domain", among.outside, { size, color: "#969da6", opacity }),
      points("candidates", among.plain, { size, color: BLUE, opacity }),
      points("learned", among.learned, { size, color: VIOLET, opacity }),
      points("Pareto front", front, {}, { type: "scatter", mode: "lines", line, hoverinfo: "skip" }),
      judged("on the front", among.front, { size: 10, symbol: "diamond", color: BLUE, line: rim, bar: `${BLUE}99` }),
      judged("shortlist", among.short, { size: 10, symbol: among.short.map(symbol), color: ORANGE, line: rim, bar: `${ORANGE}99` }),
    ];
  }

  // A frame around the point chosen: a note, because a new trace would draw all points again, and
  // plotly misplaces shapes of a fixed size on log scales.
  function frame(chosen) {
    if (chosen === null || !isDrawn(chosen)) return [];
    const [left, up] = [x.values[chosen], y.values[chosen]].map((at) => (isLog() ? Math.log10(at) : at));
    if (!Number.isFinite(left) || !Number.isFinite(up)) return [];
    const box = { width: 15, height: 15, borderpad: 0, borderwidth: 2.5, bordercolor: ink("--text") };
    return [{ x: left, y: up, text: " ", showarrow: false, ...box }];
  }
  const mark = (chosen) => Plotly.relayout(place, { annotations: frame(chosen) });

  // From the smallest to the largest point, with intervals that reach a little further; on log
  // scales the lowest thousandth is out of sight.
  const judgedRows = drawn.filter((row) => screen.flags[row] & (FRONT | SHORTLISTED));
  function range({ values, high: above }, isLog) {
    const found = Float32Array.from(drawn, (row) => values[row]).filter((value) => !isLog || value > 0).sort();
    if (!found.length) return isLog ? [-1, 1] : [0, 1];
    const ends = [found[isLog ? Math.floor(found.length / 1000) : 0], found[found.length - 1]];
    const reach = judgedRows.reduce((most, row) => Math.max(most, above?.[row] || 0), 0);
    if (reach > ends[1]) ends[1] = Math.min(reach, ends[1] + 0.2 * Math.abs(ends[1]));
    const [low, high] = isLog ? ends.map(Math.log10) : ends;
    const margin = 0.05 * (high - low) || 0.1 * Math.abs(high) || 0.1;
    return [low - margin, high + margin];
  }

  const escaped = (text) =>
    text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/%\{/g, "&#37;{");
  const isLog = () => document.getElementById("log").checked;
  function axis(column) {
    return {
      title: { text: escaped(column.name), standoff: 10, font: { size: 13, color: ink("--muted") } },
      automargin: true,
      type: isLog() ? "log" : "linear",
      range: range(column, isLog()),
      gridcolor: ink("--line"),
      zerolinecolor: ink("--line"),
      linecolor: ink("--faint"),
      tickfont: { color: ink("--muted"), size: 12 },
    };
  }

  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "pan2d", "resetScale2d"]],
    showSendToCloud: false,
    plotlyServerURL: "",
  };
  const layout = (chosen) => ({
    annotations: frame(chosen),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: ink("--sans"), size: 13, color: ink("--text") },
    margin: { l: 56, r: 12, t: 12, b: 52 },
    legend: { orientation: "h", x: 0, y: 1.02, xanchor: "left", yanchor: "bottom", itemsizing: "constant" },
    showlegend: true,
    hovermode: "closest",
    // A place that was zoomed to stays while filters change.
    uirevision: String(isLog()),
    modebar: { bgcolor: ink("--paper"), color: ink("--faint"), activecolor: ink("--text") },
    xaxis: axis(x),
    yaxis: axis(y),
  });

  function draw(passed, chosen) {
    return Plotly.react(place, traces(passed), layout(chosen), config);
  }

  const rowOf = (event) => {
    const point = event.points?.[0];
    return point?.data.rows?.[point.pointNumber];
  };

  function point(event) {
    const row = rowOf(event);
    if (row === undefined) return;
    tip.replaceChildren();
    const head = tip.appendChild(document.createElement("b"));
    head.textContent = screen.formulas[row];
    const words = [screen.ids[row], ...[x, y].map((c) => `${c.label} ${screenData.shown(c.values[row])} ${c.unit}`)];
    for (const word of words) tip.appendChild(document.createElement("span")).textContent = word;
    tip.hidden = false;
    const frame = place.getBoundingClientRect();
    const [left, top] = [event.event.clientX - frame.left, event.event.clientY - frame.top];
    const isRight = left > frame.width / 2;
    tip.style.left = `${isRight ? Math.max(0, left - tip.offsetWidth - 14) : left + 14}px`;
    tip.style.top = `${Math.max(0, top - tip.offsetHeight / 2)}px`;
  }

  function listen() {
    place.on("plotly_hover", point);
    place.on("plotly_unhover", () => (tip.hidden = true));
    place.on("plotly_click", (event) => {
      const row = rowOf(event);
      if (row !== undefined) choose(row);
    });
  }
  return { draw, mark, listen, drawn: drawn.length };
}
