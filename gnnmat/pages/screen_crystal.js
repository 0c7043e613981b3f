// The crystal chosen, in three dimensions: balls by covalent radius, bonds, the cell.
function screenCrystal(screen) {
  const place = document.getElementById("crystal");
  const { symbols, radii, colours } = screen.elements;
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const BALL = 0.42;
  const ROD = 0.09;
  const SIDES = 8;
  const DETAILED = 150;
  const ASIDE = [0.445, -0.86, 0.259];
  const light = {
    lighting: { ambient: 0.72, diffuse: 0.6, specular: 0.16, roughness: 0.55, fresnel: 0.06 },
    lightposition: { x: 4000, y: -6000, z: 12000 },
  };
  const config = {
    responsive: true,
    displaylogo: false,
    modeBarButtons: [["toImage", "resetCameraDefault3d"]],
    showSendToCloud: false,
    plotlyServerURL: "",
  };

  const minus = (a, b) => a.map((part, axis) => part - b[axis]);
  const unit = (a) => a.map((part) => part / (Math.hypot(...a) || 1));
  const cross = (a, b) => [
    a[1] * b[2] - a[2] * b[1],
    a[2] * b[0] - a[0] * b[2],
    a[0] * b[1] - a[1] * b[0],
  ];
  const rowsOf = (flat, width) =>
    Array.from({ length: flat.length / width }, (_, i) => flat.slice(i * width, (i + 1) * width));
  const empty = () => ({ x: [], y: [], z: [], i: [], j: [], k: [], vertexcolor: [], text: [] });

  function vertex(mesh, at, colour, words) {
    ["x", "y", "z"].forEach((name, axis) => mesh[name].push(at[axis]));
    mesh.vertexcolor.push(colour);
    mesh.text.push(words);
  }

  // A grid of vertices, rows joined at their ends, as triangles.
  function surface(mesh, start, rings, sectors) {
    for (let ring = 0; ring < rings; ring++)
      for (let sector = 0; sector < sectors; sector++) {
        const a = start + ring * sectors + sector;
        const b = start + ring * sectors + ((sector + 1) % sectors);
        mesh.i.push(a, a);
        mesh.j.push(b, b + sectors);
        mesh.k.push(b + sectors, a + sectors);
      }
  }

  function ball(mesh, [x, y, z, number], rings) {
    const start = mesh.x.length;
    const radius = BALL * radii[number];
    for (let ring = 0; ring <= rings; ring++)
      for (let sector = 0; sector < 2 * rings; sector++) {
        const [polar, around] = [(Math.PI * ring) / rings, (Math.PI * sector) / rings];
        const [s, c] = [radius * Math.sin(polar), radius * Math.cos(polar)];
        vertex(mesh, [x + s * Math.cos(around), y + s * Math.sin(around), z + c], colours[number], symbols[number]);
      }
    surface(mesh, start, rings, 2 * rings);
  }

  function rod(mesh, bond) {
    const [from, to] = rowsOf(bond, 3);
    const along = unit(minus(to, from));
    const aside = unit(cross(along, Math.abs(along[2]) < 0.9 ? [0, 0, 1] : [1, 0, 0]));
    const other = cross(along, aside);
    const start = mesh.x.length;
    for (const end of [from, to])
      for (let side = 0; side < SIDES; side++) {
        const angle = (2 * Math.PI * side) / SIDES;
        const [c, s] = [ROD * Math.cos(angle), ROD * Math.sin(angle)];
        vertex(mesh, end.map((part, axis) => part + c * aside[axis] + s * other[axis]), "#a9afb7", "");
      }
    surface(mesh, start, 1, SIDES);
  }

  function edges(crystal) {
    const line = { x: [], y: [], z: [] };
    for (const edge of rowsOf(crystal.cell, 6))
      ["x", "y", "z"].forEach((name, axis) => line[name].push(edge[axis], edge[axis + 3], null));
    const drawing = { color: ink("--muted"), width: 2 };
    return { type: "scatter3d", mode: "lines", line: drawing, hoverinfo: "skip", ...line };
  }

  function names(crystal) {
    return rowsOf(crystal.lattice, 3).map((vector, axis) => {
      const [x, y, z] = vector.map((part) => part * (1 + 0.9 / Math.hypot(...vector)));
      const font = { color: ink("--muted"), size: 13 };
      return { x, y, z, text: `<i>${"abc"[axis]}</i>`, showarrow: false, font };
    });
  }

  function traces(crystal) {
    const [atoms, bonds] = [empty(), empty()];
    const places = rowsOf(crystal.atoms, 4);
    places.forEach((atom) => ball(atoms, atom, places.length > DETAILED ? 8 : 14));
    rowsOf(crystal.bonds, 6).forEach((bond) => rod(bonds, bond));
    const balls = { type: "mesh3d", ...light, ...atoms, hovertemplate: "%{text}<extra></extra>" };
    const rods = { type: "mesh3d", ...light, ...bonds, hoverinfo: "skip" };
    return bonds.x.length ? [balls, edges(crystal), rods] : [balls, edges(crystal)];
  }

  // The camera so far away that the whole crystal is in sight. plotly measures its place in units
  // of the geometric mean of the three sides of the drawing.
  function eye(crystal, way) {
    const places = [...rowsOf(crystal.atoms, 4), ...rowsOf(crystal.cell, 3), ...rowsOf(crystal.bonds, 3)];
    const sides = [0, 1, 2].map((axis) => {
      const along = places.map((place) => place[axis]);
      return along.reduce((a, b) => Math.max(a, b)) - along.reduce((a, b) => Math.min(a, b)) + 1;
    });
    const far = (1.08 * Math.hypot(...sides)) / Math.cbrt(sides[0] * sides[1] * sides[2]);
    const [x, y, z] = way.map((part) => part * far);
    return { x, y, z };
  }

  function layout(crystal, id) {
    const axis = { visible: false, showspikes: false };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 0, r: 0, t: 0, b: 0 },
      showlegend: false,
      // The view is kept while one crystal is redrawn, not from one to the next.
      uirevision: id,
      font: { family: ink("--sans"), size: 13, color: ink("--text") },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: ink("--faint"), activecolor: ink("--text") },
      hoverlabel: { bgcolor: ink("--raised"), bordercolor: ink("--line"), font: { color: ink("--text") } },
      scene: {
        aspectmode: "data",
        dragmode: "orbit",
        xaxis: axis,
        yaxis: axis,
        zaxis: axis,
        annotations: names(crystal),
        camera: { eye: eye(crystal, ASIDE), up: { x: 0, y: 0, z: 1 } },
      },
    };
  }

  function swatches(crystal) {
    const found = [...new Set(rowsOf(crystal.atoms, 4).map((atom) => atom[3]))].sort((a, b) => a - b);
    return found.map((number) => {
      const item = document.createElement("span");
      item.appendChild(document.createElement("i")).style.background = colours[number];
      item.append(symbols[number]);
      return item;
    });
  }

  // Along a lattice vector: for those who cannot drag, and to see columns of atoms.
  function look(crystal, axis) {
    const vectors = rowsOf(crystal.lattice, 3).map(unit);
    const [x, y, z] = vectors[(axis + 2) % 3];
    const camera = { eye: eye(crystal, vectors[axis]), up: { x, y, z }, center: { x: 0, y: 0, z: 0 } };
    Plotly.relayout(place, { "scene.camera": camera });
  }

  function turns(crystal) {
    const buttons = ["a", "b", "c"].map((name, axis) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = `along ${name}`;
      button.addEventListener("click", () => look(crystal, axis));
      return button;
    });
    const words = document.createElement("span");
    words.textContent = "drag to turn";
    return [...buttons, words];
  }

  function show(row) {
    const id = screen.ids[row];
    const crystal = Object.hasOwn(screen.crystals, id) ? screen.crystals[id] : null;
    say(crystal ? "" : "Its structure is not in this page: only those of the shortlist and the front are.");
    document.getElementById("swatches").replaceChildren(...(crystal ? swatches(crystal) : []));
    document.getElementById("turns").replaceChildren(...(crystal ? turns(crystal) : []));
    place.setAttribute("aria-label", `crystal ${id}, ${screen.formulas[row]}`);
    if (!crystal) return Promise.resolve();
    return Plotly.react(place, traces(crystal), layout(crystal, id), config);
  }

  // Words where no crystal is drawn.
  function say(words) {
    const absent = document.getElementById("crystal-absent");
    absent.textContent = words;
    absent.hidden = !words;
    place.hidden = Boolean(words);
  }
  return { show, none: () => say("Click a point to see what it is.") };
}
