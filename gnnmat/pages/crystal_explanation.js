"use strict";
(() => {
  const { scene } = JSON.parse(document.getElementById("report-figures").textContent);
  const place = document.querySelector("[data-figure='scene']");
  const choice = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;
  const inkOf = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "resetCameraDefault3d"]],
    toImageButtonOptions: { scale: 3 },
    showSendToCloud: false,
    plotlyServerURL: "",
  };
  const light = {
    lighting: { ambient: 0.62, diffuse: 0.55, specular: 0.18, roughness: 0.55, fresnel: 0.08 },
    lightposition: { x: 4000, y: -6000, z: 12000 },
    flatshading: false,
  };

  // A sphere as rings of latitude.
  const RINGS = scene.atoms.length > 150 ? 8 : 14;
  const SECTORS = 2 * RINGS;
  const empty = () => ({ x: [], y: [], z: [], i: [], j: [], k: [], vertexcolor: [], text: [] });

  function point(mesh, at, colour, words) {
    mesh.x.push(at[0]);
    mesh.y.push(at[1]);
    mesh.z.push(at[2]);
    mesh.vertexcolor.push(colour);
    mesh.text.push(words);
  }

  function face(mesh, a, b, c) {
    mesh.i.push(a);
    mesh.j.push(b);
    mesh.k.push(c);
  }

  function ball(mesh, { at, radius, colour, words }) {
    const start = mesh.x.length;
    for (let ring = 0; ring <= RINGS; ring++)
      for (let sector = 0; sector < SECTORS; sector++) {
        const polar = (Math.PI * ring) / RINGS;
        const azimuth = (2 * Math.PI * sector) / SECTORS;
        const around = Math.sin(polar);
        const way = [around * Math.cos(azimuth), around * Math.sin(azimuth), Math.cos(polar)];
        point(mesh, at.map((x, axis) => x + radius * way[axis]), colour, words);
      }
    for (let ring = 0; ring < RINGS; ring++)
      for (let sector = 0; sector < SECTORS; sector++) {
        const next = (sector + 1) % SECTORS;
        const [a, b] = [start + ring * SECTORS + sector, start + ring * SECTORS + next];
        face(mesh, a, b, b + SECTORS);
        face(mesh, a, b + SECTORS, a + SECTORS);
      }
  }

  const minus = (a, b) => a.map((x, axis) => x - b[axis]);
  const unit = (a) => a.map((x) => x / (Math.hypot(...a) || 1));
  const cross = (a, b) => [
    a[1] * b[2] - a[2] * b[1],
    a[2] * b[0] - a[0] * b[2],
    a[0] * b[1] - a[1] * b[0],
  ];

  const SIDES = 10;
  function rod(mesh, bond) {
    const along = unit(minus(bond.to, bond.from));
    const aside = unit(cross(along, Math.abs(along[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0]));
    const other = cross(along, aside);
    const start = mesh.x.length;
    for (const end of [bond.from, bond.to])
      for (let side = 0; side < SIDES; side++) {
        const angle = (2 * Math.PI * side) / SIDES;
        const [c, s] = [bond.radius * Math.cos(angle), bond.radius * Math.sin(angle)];
        point(mesh, end.map((x, axis) => x + c * aside[axis] + s * other[axis]), bond.colour, bond.words);
      }
    for (let side = 0; side < SIDES; side++) {
      const next = (side + 1) % SIDES;
      face(mesh, start + side, start + SIDES + next, start + next);
      face(mesh, start + side, start + SIDES + side, start + SIDES + next);
    }
  }

  function bodies(items, add) {
    const mesh = empty();
    items.forEach((item) => add(mesh, item));
    return { type: "mesh3d", ...light, ...mesh, hovertemplate: "%{text}<extra></extra>" };
  }

  function shownBonds() {
    const which = choice("bonds");
    return scene.bonds.filter((bond) => which === "all" || bond[which]);
  }

  function lines(colour) {
    const trace = { x: [], y: [], z: [] };
    for (const [from, to] of scene.cell)
      ["x", "y", "z"].forEach((name, axis) => trace[name].push(from[axis], to[axis], null));
    return {
      type: "scatter3d",
      mode: "lines",
      line: { color: colour, width: 2 },
      hoverinfo: "skip",
      ...trace,
    };
  }

  function note(at, text, colour) {
    const [x, y, z] = at;
    return { x, y, z, text, showarrow: false, font: { color: colour, size: 13 } };
  }

  // Where the camera stands, in Å: plotly measures its place from the middle of the drawing, in
  // units of the geometric mean of the three sides.
  function camera() {
    const drawn = place._fullLayout?.scene;
    if (!drawn?.camera || !drawn.xaxis?.range) return null;
    const sides = ["xaxis", "yaxis", "zaxis"].map((name) => drawn[name].range);
    const unitOf = Math.cbrt(sides.reduce((all, [low, high]) => all * (high - low), 1));
    const eye = [drawn.camera.eye.x, drawn.camera.eye.y, drawn.camera.eye.z];
    return sides.map(([low, high], axis) => (low + high) / 2 + eye[axis] * unitOf);
  }

  // Whether an atom nearer to the camera covers the middle of this one.
  function isHidden(at, eye) {
    const way = unit(minus(eye, at));
    return scene.atoms.some((other) => {
      const beside = minus(other.at, at);
      const along = beside.reduce((sum, x, axis) => sum + x * way[axis], 0);
      return along > 0.1 && Math.hypot(...cross(beside, way)) < other.radius;
    });
  }

  function notes(colour) {
    const found = [];
    const eye = camera();
    if (document.getElementById("names").checked)
      for (const { at, label } of scene.atoms)
        if (label && !(eye && isHidden(at, eye)))
          found.push(note(at, `<b>${label}</b>`, "#ffffff"));
    scene.lattice.forEach((vector, axis) => {
      const beyond = vector.map((x) => x * (1 + 1.2 / Math.hypot(...vector)));
      found.push(note(beyond, `<i>${"abc"[axis]}</i>`, colour("--muted")));
    });
    return found;
  }

  // Names of atoms that turned behind others go, those that turned to the front come back.
  const named = (colour) => Plotly.relayout(place, { "scene.annotations": notes(colour) });

  function draw() {
    const colour = inkOf;
    const axis = { visible: false, showspikes: false };
    const layout = {
      paper_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 0, r: 0, t: 0, b: 0 },
      showlegend: false,
      uirevision: "kept",
      font: { family: colour("--sans"), size: 13, color: colour("--text") },
      hoverlabel: {
        bgcolor: colour("--raised"),
        bordercolor: colour("--line"),
        font: { family: colour("--sans"), color: colour("--text") },
        align: "left",
      },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("--faint"), activecolor: colour("--text") },
      scene: {
        aspectmode: "data",
        dragmode: "orbit",
        xaxis: axis,
        yaxis: axis,
        zaxis: axis,
        annotations: notes(colour),
        camera: {
          eye: { x: 0.86, y: -1.66, z: 0.5 },
          up: { x: 0, y: 0, z: 1 },
        },
      },
    };
    const traces = [bodies(scene.atoms, ball), lines(colour("--muted"))];
    const bonds = shownBonds();
    if (bonds.length) traces.push(bodies(bonds, rod));
    return Plotly.react(place, traces, layout, config).then(() => named(colour));
  }

  const turned = (change) => "scene.camera" in change && named(inkOf);

  for (const input of document.querySelectorAll(".controls input"))
    input.addEventListener("change", draw);
  scheme.addEventListener("change", draw);
  addEventListener("beforeprint", () => document.documentElement.classList.add("printing"));
  addEventListener("afterprint", () => document.documentElement.classList.remove("printing"));
  draw().then(
    () => {
      place.on("plotly_relayout", turned);
      document.documentElement.dataset.ready = "true";
    },
    () => (document.documentElement.dataset.ready = "failed"),
  );
})();
