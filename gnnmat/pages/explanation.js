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
  paint();
  show();
  document.documentElement.dataset.ready = "yes";
})();
