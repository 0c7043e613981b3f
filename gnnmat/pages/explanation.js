"use strict";
// Layers over the whole image, and one slice at a time, large.
(() => {
  const facts = JSON.parse(document.getElementById("facts").textContent);
  const image = (name) => document.querySelector(`#picture image[data-layer="${name}"]`);
  const opacity = document.getElementById("opacity");
  const layers = [...document.querySelectorAll("input[name=layer]")];
  const paint = () => {
    const chosen = layers.find((one) => one.checked).value;
    for (const one of document.querySelectorAll("#picture image")) {
      const name = one.dataset.layer;
      one.style.opacity = name === "map" ? opacity.value : name === chosen ? 1 : 0;
      // Under the map's red and blue, intensities are grey; the residual has signs of its own.
      const grey = name !== "map" && name !== "residual" && Number(opacity.value) > 0;
      one.style.filter = grey ? "grayscale(1)" : "";
    }
  };
  for (const one of [...layers, opacity]) one.addEventListener("input", paint);

  const views = [...document.querySelectorAll("#slice [data-layer]")];
  const title = document.getElementById("slice-title");
  let place = facts.first;
  const show = () => {
    const row = Math.floor(place / facts.slices), column = place % facts.slices;
    for (const one of views) {
      const source = image(one.dataset.layer).getAttribute("href");
      one.style.backgroundImage = `url(${source})`;
      one.style.backgroundSize = `${facts.slices * 100}% ${facts.rows * 100}%`;
      const x = facts.slices > 1 ? (column / (facts.slices - 1)) * 100 : 0;
      const y = facts.rows > 1 ? (row / (facts.rows - 1)) * 100 : 0;
      one.style.backgroundPosition = `${x}% ${y}%`;
    }
    title.textContent = facts.titles[place];
    for (const frame of document.querySelectorAll("#picture rect"))
      frame.classList.toggle("chosen", Number(frame.dataset.place) === place);
  };
  const go = (step) => {
    place = (place + step + facts.titles.length) % facts.titles.length;
    show();
  };
  document.getElementById("previous").addEventListener("click", () => go(-1));
  document.getElementById("next").addEventListener("click", () => go(1));
  document.addEventListener("keydown", (event) => {
    if (event.target.tagName === "INPUT") return;
    if (event.key === "ArrowLeft") go(-1);
    if (event.key === "ArrowRight") go(1);
  });
  document.querySelectorAll("#picture rect").forEach((frame, number) => {
    frame.dataset.place = number;
    frame.addEventListener("click", () => {
      place = number;
      show();
    });
  });
  // What lies under the pointer, in numbers.
  const floats = (text) =>
    new Float32Array(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
  const intensity = floats(facts.image), contribution = floats(facts.map);
  const picture = document.getElementById("picture"), readout = document.getElementById("readout");
  const [left, top, side] = facts.area, hint = readout.textContent;
  const plain = (value, digits) => Number(value.toPrecision(digits)).toString().replace("-", "−");
  const read = (x, y) => {
    const column = Math.floor((x - left) / side), row = Math.floor((y - top) / side);
    if (column < 0 || column >= facts.slices || row < 0 || row >= facts.rows) return hint;
    const i = Math.floor(((y - top) / side - row) * facts.h.length);
    const j = Math.floor(((x - left) / side - column) * facts.k.length);
    const at = (row * facts.h.length + i) * facts.slices * facts.k.length
      + column * facts.k.length + j;
    const [low, high] = facts.edges[row][column].map((one) => plain(one, 4));
    const seen = Number.isNaN(intensity[at])
      ? "no detector"
      : `intensity ${plain(intensity[at], 3)}, map ${plain(contribution[at], 3)}`;
    return `Ei ${facts.energies[row]} meV, E ${low} to ${high} meV, `
      + `h ${plain(facts.h[i], 3)}, k ${plain(facts.k[j], 3)}: ${seen}`;
  };
  picture.addEventListener("pointermove", (event) => {
    const point = new DOMPoint(event.clientX, event.clientY);
    const { x, y } = point.matrixTransform(picture.getScreenCTM().inverse());
    readout.textContent = read(x, y);
  });
  picture.addEventListener("pointerleave", () => { readout.textContent = hint; });
  paint();
  show();
  document.documentElement.dataset.ready = "yes";
})();
