"""The figures of ``docs/spectra.md``: simulated images, calibration, map, couplings in pairs.

    GNNMAT_DATA=/path/to/data python tests/benchmarks/figures.py

Spectra are simulated; of the published reference images only correlations are shown. The pictures
of pages need a Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from refinement import as_measured
from results import shared_data

import gnnmat
from gnnmat.sources.spectrum import Spectrum, write_spectrum

matplotlib.use("Agg")
FOLDER = Path(__file__).parents[2] / "docs" / "figures"
HYPOTHESES = ("goodenough", "dimer")
COLOURS = {"goodenough": "#1f6fb2", "dimer": "#d9822b"}


def reference_image(simulation: Any, name: str) -> Any:
    """(R, C) image at the published couplings."""
    import torch

    values = torch.as_tensor(np.asarray(simulation.reference(name))[None])
    return simulation.simulator(name).images(values)[0].numpy()


def labelled(axes: Any, simulation: Any) -> None:
    """Name the incident energies and the slices of an image."""
    layout = simulation.layout.build()
    rows, columns = layout.tile_shape
    middles = (np.arange(len(layout.incident_energies)) + 0.5) * rows
    axes.set_yticks(middles, [f"{energy:g}" for energy in layout.incident_energies])
    share = np.asarray(layout.energy_edges)[0] / layout.incident_energies[0]
    places = (np.arange(layout.slices) + 0.5) * columns
    axes.set_xticks(places, [f"{low:.2f}-{high:.2f}" for low, high in share], fontsize=6)
    for edge in np.arange(1, layout.slices):
        axes.axvline(edge * columns - 0.5, color="white", lw=0.4)
    for edge in np.arange(1, len(layout.incident_energies)):
        axes.axhline(edge * rows - 0.5, color="white", lw=0.4)
    axes.set_xlabel("energy transfer / incident energy; k from -1 to 1 in every slice")
    axes.set_ylabel("incident energy, meV; h from 1 to -1")
    axes.tick_params(length=0)


def correlations(simulation: Any, name: str, data: Path) -> tuple[Any, Any]:
    """(E,) correlation with the published image, as it is and averaged over its mirrors."""
    rendering = simulation.rendering.model_copy(update={"physics": "horace_2021"})
    ours = reference_image(simulation.model_copy(update={"rendering": rendering}), name)
    layout = simulation.layout.build()
    with np.load(data / f"horace_reference_{name}.npz", allow_pickle=False) as archive:
        theirs = layout.to_tiles(archive["image"].reshape(layout.image_shape))
    own = layout.to_tiles(ours)
    turned = (theirs + theirs[..., ::-1] + theirs[..., ::-1, :] + theirs[..., ::-1, ::-1]) / 4
    return tuple(  # type: ignore[return-value]
        np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(own, other, strict=True)])
        for other in (theirs, turned)
    )


def simulated(simulation: Any, data: Path) -> None:
    """Both models at the published couplings, and how they compare with the published images."""
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(11, 8.6), layout="constrained")
    parts = figure.subplot_mosaic([["goodenough", "dimer"], ["difference", "correlation"]])
    images = {name: reference_image(simulation, name) for name in HYPOTHESES}
    scaled = {name: image / np.percentile(image, 99) for name, image in images.items()}
    for name in HYPOTHESES:
        parts[name].imshow(np.sqrt(scaled[name]), cmap="magma", vmin=0, vmax=1.2, aspect="auto")
        parts[name].set_title(f"{name} (square root of intensity)", fontsize=10)
        labelled(parts[name], simulation)
    gap = scaled["goodenough"] - scaled["dimer"]
    parts["difference"].imshow(gap, cmap="RdBu_r", vmin=-0.8, vmax=0.8, aspect="auto")
    parts["difference"].set_title("goodenough minus dimer", fontsize=10)
    labelled(parts["difference"], simulation)
    axes = parts["correlation"]
    energies = [f"{energy:g}" for energy in simulation.layout.build().incident_energies]
    for name in HYPOTHESES:
        raw, turned = correlations(simulation, name, data)
        axes.plot(energies, raw, "o--", color=COLOURS[name], label=f"{name}, as published")
        axes.plot(energies, turned, "o-", color=COLOURS[name], label=f"{name}, mirror average")
    axes.set_ylim(0.7, 1.0)
    axes.set_xlabel("incident energy, meV")
    axes.set_ylabel("correlation with the published image")
    axes.set_title("option horace_2021 against the images of Butler et al.", fontsize=10)
    axes.legend(fontsize=8)
    figure.savefig(FOLDER / "simulated.png", dpi=110)
    pyplot.close(figure)


def calibration() -> None:
    """How often the shipped model is right, against how sure it is, on its validation rows."""
    from matplotlib import pyplot

    from gnnmat.train.trust import load_trust
    from gnnmat.zoo import find_model

    found = load_trust(find_model("pcsmo-exchange")).facts["calibration"]
    figure, axes = pyplot.subplots(figsize=(4.6, 4.4), layout="constrained")
    axes.plot([0.5, 1], [0.5, 1], color="#888888", lw=1, label="perfect")
    for name, colour in (("before", "#d9822b"), ("after", "#1f6fb2")):
        bins = found[name]["bins"]
        size = [8 + 60 * np.sqrt(one["count"] / 520) for one in bins]
        label = f"{name} temperature: ECE {found[name]['ece']:.3f}"
        x, y = ([one[key] for one in bins] for key in ("confidence", "accuracy"))
        axes.scatter(x, y, s=size, color=colour, alpha=0.8, label=label)
    axes.set_xlabel("probability of the predicted hypothesis")
    axes.set_ylabel("share that is right")
    axes.set_title("pcsmo-exchange, 520 validation spectra", fontsize=10)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(FOLDER / "calibration.png", dpi=110)
    pyplot.close(figure)


def photograph(page: Path, name: str, size: tuple[int, int]) -> None:
    """A picture of a page as a browser shows it."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("There is no Chromium to take pictures of pages with.")
    options = ["--headless", "--no-sandbox", "--hide-scrollbars", "--virtual-time-budget=8000"]
    window = f"--window-size={size[0]},{size[1]}"
    target = f"--screenshot={FOLDER / name}"
    command = [browser, *options, window, target, page.resolve().as_uri()]
    subprocess.run(command, check=True, capture_output=True)


def pages(simulation: Any, data: Path, scratch: Path) -> None:
    """The page of `gnnmat explain` and the couplings of `gnnmat fit-spectrum`, photographed."""
    rng = np.random.default_rng(40_000)
    image = reference_image(simulation, "goodenough")
    spectrum: Spectrum = as_measured(image, simulation, rng, data, "simulated-goodenough")
    path = write_spectrum(scratch / "simulated-goodenough.npz", spectrum)
    fit = gnnmat.fit_spectrum(path, start="pcsmo-exchange", output=scratch / "fit")
    print(fit.conclusion)
    page = scratch / "explanation.html"
    gnnmat.explain("pcsmo-exchange", path, fit=fit, output=page)
    photograph(page, "explanation.png", (1200, 1500))
    photograph(scratch / "fit" / "fit.html", "fit.png", (1000, 2300))


def main() -> None:
    """Draw them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without-pages", action="store_true", help="no browser, no fit")
    options = parser.parse_args()
    from gnnmat.simulation.hypotheses import load_simulation

    FOLDER.mkdir(exist_ok=True)
    data = shared_data() / "ins_pcsmo"
    simulation = load_simulation("pcsmo")
    simulated(simulation, data)
    calibration()
    if not options.without_pages:
        with tempfile.TemporaryDirectory() as scratch:
            pages(simulation, data, Path(scratch))


if __name__ == "__main__":
    main()
