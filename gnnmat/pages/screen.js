// The page of a screen: what is chosen and what is filtered, for diagram, crystal and table alike.
(async () => {
  const root = document.documentElement;
  const at = (id) => document.getElementById(id);
  const form = at("filters");
  const ranges = [...form.querySelectorAll("[data-column]")];

  // What the form says, as `screenData.passing` takes it.
  function filter(screen) {
    const { symbols } = screen.elements;
    const byColumn = new Map();
    for (const input of ranges) {
      if (input.value === "" || !Number.isFinite(input.valueAsNumber)) continue;
      const column = Number(input.dataset.column);
      const range = byColumn.get(column) ?? { column, low: -Infinity, high: Infinity };
      byColumn.set(column, { ...range, [input.dataset.end]: input.valueAsNumber });
    }
    const shown = { every: 0, front: FRONT, short: SHORTLISTED }[at("shown").value];
    return {
      ranges: [...byColumn.values()],
      wanted: screenData.elementsIn(at("elements").value, symbols),
      without: screenData.elementsIn(at("without").value, symbols),
      how: at("how").value,
      needs: shown | (at("in-domain")?.checked ? IN_DOMAIN : 0),
      bars: at("not-learned")?.checked ? LEARNED : 0,
    };
  }

  function say(screen, wanted, passed) {
    const left = passed.reduce((all, one) => all + one, 0);
    root.dataset.passed = String(left);
    at("count").textContent =
      `${left.toLocaleString("en")} of ${screen.rows.toLocaleString("en")} candidates pass`;
    const unknown = [...wanted.wanted.unknown, ...wanted.without.unknown];
    at("unknown").textContent = unknown.length ? `No element: ${unknown.join(", ")}.` : "";
    for (const [name, part] of [["elements", wanted.wanted], ["without", wanted.without]])
      at(name).ariaInvalid = String(part.unknown.length > 0);
    at("ranges-used").textContent = wanted.ranges.length ? ` (${wanted.ranges.length} set)` : "";
  }

  function facts(screen, row) {
    const pairs = [["id", screen.ids[row]]];
    const flag = screen.flags[row];
    for (const { label, unit, values, low, high } of screen.columns) {
      const ends = [low?.[row], high?.[row]];
      const between = ends.every(Number.isFinite) ? ends.map(screenData.shown).join(" to ") : "";
      const value = screenData.shown(values[row]);
      pairs.push([label, value === "–" ? value : `${value} ${unit}`, between]);
    }
    const place = screen.shortlist.indexOf(row);
    if (place >= 0) pairs.push(["shortlist", `rank ${place + 1} of ${screen.shortlist.length}`]);
    if (flag & FRONT) pairs.push(["Pareto front", "on it"]);
    if (flag & LEARNED) pairs.push(["training", "learned: its value was taught to the model"]);
    else if (flag & OUT_OF_FOLD) pairs.push(["training", "scored out of fold"]);
    else if (screen.hasLearned) pairs.push(["training", "never seen"]);
    if (screen.hasDomain) pairs.push(["domain", flag & IN_DOMAIN ? "inside" : "outside"]);
    return pairs.map(([name, value, between]) => {
      const line = document.createElement("div");
      line.appendChild(document.createElement("dt")).textContent = name;
      const cell = line.appendChild(document.createElement("dd"));
      cell.textContent = value;
      if (between) cell.appendChild(document.createElement("small")).textContent = ` ${between}`;
      return line;
    });
  }

  // A formula with its numbers set low.
  function formula(text) {
    return text.split(/(?<=[A-Za-z)\]])([0-9]+(?:\.[0-9]+)?)/).map((part, i) => {
      if (i % 2 === 0) return part;
      const low = document.createElement("sub");
      low.textContent = part;
      return low;
    });
  }

  try {
    const screen = await screenData.read();
    let [chosen, passed, left] = [screen.shortlist[0] ?? null, null, []];
    const diagram = screenDiagram(screen, choose);
    const crystal = screenCrystal(screen);
    const shortlist = screenShortlist(screen, choose);

    function choose(row) {
      chosen = row;
      root.dataset.chosen = screen.ids[row];
      at("chosen-name").replaceChildren(...formula(screen.formulas[row]));
      at("facts").replaceChildren(...facts(screen, row));
      shortlist.mark(row);
      return Promise.all([crystal.show(row), diagram.mark(chosen)]);
    }

    function update() {
      const wanted = filter(screen);
      passed = screenData.passing(screen, wanted);
      left = shortlist.filter(passed);
      say(screen, wanted, passed);
      return diagram.draw(passed, chosen);
    }

    let waiting;
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(update, 150);
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    at("clear").addEventListener("click", () => {
      const isLog = at("log").checked;
      form.reset();
      at("log").checked = isLog;
      update();
    });
    at("get-csv")?.addEventListener("click", () => screenFiles.csv(screen, left));
    at("get-cifs")?.addEventListener("click", () => screenFiles.cifs(screen, left));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      update();
      if (chosen !== null) crystal.show(chosen);
    });
    addEventListener("beforeprint", () => root.classList.add("printing"));
    addEventListener("afterprint", () => root.classList.remove("printing"));

    const undrawn = screen.rows - diagram.drawn;
    if (undrawn)
      at("undrawn").textContent =
        `Without one of the two numbers, and not drawn: ${undrawn.toLocaleString("en")}.`;
    await update();
    diagram.listen();
    if (chosen !== null) await choose(chosen);
    else crystal.none();
    root.dataset.rows = String(screen.ids.length);
    root.dataset.ready = "true";
  } catch (error) {
    root.dataset.ready = "failed";
    at("count").textContent = "This page could not be drawn; a browser of 2023 or later is needed.";
    throw error;
  }
})();
