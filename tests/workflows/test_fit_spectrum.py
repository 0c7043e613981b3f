"""A spectrum fitted with the hypotheses of a simulation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gnnmat
from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation
from gnnmat.simulation.inference.contender import Effort
from gnnmat.simulation.inference.search import Search
from gnnmat.simulation.inference.space import Floats, render
from gnnmat.sources.spectrum import Spectrum, write_spectrum
from gnnmat.workflows.fit_result import SpectrumFit
from gnnmat.workflows.fit_spectrum import fit_spectrum, observe
from gnnmat.workflows.fit_start import network_starts, one_spectrum, stable_starts

from .square_lattice import square

TRUTH = np.array([3.0, 0.6])
QUICK = Effort(search=Search(draws=40, generations=1, around=16, best=6), keep=2, replicas=4)
STARTS = {"heisenberg": [2.5], "frustrated": {"J2": 0.5, "J1": 2.8}}


def small() -> Simulation:
    """The square lattice with enough pixels to fit."""
    return square(
        layout={"incident_energies": [8, 16], "slices": 4, "pixels": 12, "width": 0.2},
        rendering={"grid": 24, "samples": 8, "stability_grid": 8},
    )


def measured(
    simulation: Simulation, values: Floats, *, scale: float = 20.0, counts: float = 60.0
) -> Spectrum:
    """Poisson counts of the second hypothesis with a gap in the detector, background taken off."""
    layout = simulation.layout.build()
    fine = simulation.rendering.model_copy(update={"samples": 24, "seed": 5})
    exact = simulation.model_copy(update={"rendering": fine})
    image = scale * render(exact.simulator("frustrated"), values)
    per = counts / np.percentile(image, 99)
    rng = np.random.default_rng(1)
    background = 20.5
    values = np.clip((rng.poisson(per * image + background) - background) / per, 0, None)
    mask = np.zeros(layout.image_shape, bool)
    mask[4:6, 10:40] = True
    return Spectrum(np.where(mask, 0, values).astype(np.float32), mask, layout, "made")


@pytest.fixture(scope="module")
def spectrum() -> Spectrum:
    return measured(small(), TRUTH)


@pytest.fixture(scope="module")
def fitted(spectrum: Spectrum, tmp_path_factory: pytest.TempPathFactory) -> SpectrumFit:
    folder = tmp_path_factory.mktemp("fit") / "out"
    return fit_spectrum(
        spectrum, small(), effort=QUICK, output=folder, incident_energies=[6.0, 12.0]
    )


def test_couplings_of_the_true_hypothesis_are_found(fitted: SpectrumFit) -> None:
    fit = fitted["frustrated"]
    assert np.all(np.abs(fit.values - TRUTH) < 4 * fit.errors)
    assert np.all(fit.errors < 0.1)
    assert fitted.best is fit
    np.testing.assert_allclose(fit.scale, 20.0, rtol=0.2)


def test_conclusion_names_the_hypothesis_and_says_whether_to_trust_it(
    fitted: SpectrumFit,
) -> None:
    assert fitted.conclusion.startswith("frustrated, with odds of 10^")
    assert "fits: chi^2" in fitted.conclusion
    assert fitted["heisenberg"].verdict.startswith("is not to be trusted: chi^2")


def test_tables_hold_values_errors_odds_and_every_slice(fitted: SpectrumFit) -> None:
    folder = fitted.folder
    assert folder is not None
    couplings = pd.read_csv(folder / "couplings.csv")
    assert list(couplings["coupling"]) == ["J1", "J1", "J2"]
    assert set(couplings["unit"]) == {"meV"}
    comparison = pd.read_csv(folder / "comparison.csv", index_col="hypothesis")
    assert comparison.loc["frustrated", "probability"] > 0.99
    assert comparison.loc["heisenberg", "behind"] > 0
    slices = pd.read_csv(folder / "slices.csv")
    assert len(slices) == 2 * 2 * 4
    assert slices["energy_high"].max() == pytest.approx(16 * 0.9)


def test_json_and_arrays_say_the_same_as_the_result(fitted: SpectrumFit) -> None:
    folder = fitted.folder
    assert folder is not None
    plain = json.loads((folder / "fit.json").read_text())
    assert plain["best"] == "frustrated"
    assert plain["fits"][1]["values"] == pytest.approx(list(fitted["frustrated"].values))
    assert plain["layout"]["incident_energies"] == [8.0, 16.0]
    with np.load(folder / "images.npz", allow_pickle=False) as arrays:
        image, residual = arrays["frustrated.image"], arrays["frustrated.residual"]
    np.testing.assert_allclose(image, fitted["frustrated"].image, rtol=1e-5, atol=1e-6)
    assert (residual[4:6, 10:40] == 0).all()  # no detector
    assert image[4:6, 10:40].any()  # but an expectation


def test_advice_covers_measured_and_new_incident_energies(fitted: SpectrumFit) -> None:
    whole = fitted.advice[fitted.advice["what"].str.endswith("all slices")]
    assert set(whole["what"]) == {f"Ei {e} meV, all slices" for e in (6, 8, 12, 16)}
    assert whole["separation"].is_monotonic_decreasing
    assert set(fitted.advice.loc[fitted.advice["measured"], "what"]) & set(whole["what"])


def test_a_start_saves_the_search(spectrum: Spectrum) -> None:
    effort = Effort(replicas=0, rounds=1)
    result = fit_spectrum(
        spectrum, small(), starts=STARTS, hypotheses=["frustrated", "heisenberg"], effort=effort
    )
    assert np.all(np.abs(result["frustrated"].values - TRUTH) < 4 * result["frustrated"].errors)
    assert result["frustrated"].images < 40
    assert result["frustrated"].verdict.startswith("is not judged")


def test_one_hypothesis_alone_needs_no_odds(spectrum: Spectrum) -> None:
    effort = Effort(replicas=0, rounds=1)
    result = fit_spectrum(
        spectrum, small(), hypotheses=["heisenberg"], starts={"heisenberg": [2.5]}, effort=effort
    )
    assert result.conclusion.startswith("heisenberg is not judged")
    assert result.advice.empty


def test_unstable_start_is_refused(spectrum: Spectrum) -> None:
    with pytest.raises(GnnmatError, match="start given for 'frustrated'.*no minimum"):
        fit_spectrum(spectrum, small(), starts={"frustrated": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("starts", "words"),
    [
        ({"frustratd": [1.0, 0.1]}, "'frustratd', which is no hypothesis"),
        ({"frustrated": {"J1": 2.0}}, "start of hypothesis 'frustrated' lacks J2"),
        ({"frustrated": {"J3": 2.0}}, "no coupling 'J3'"),
        ({"frustrated": [1.0, 9.0]}, "J2 = 9 meV lies outside its range"),
    ],
)
def test_wrong_starts_are_refused(spectrum: Spectrum, starts: Any, words: str) -> None:
    with pytest.raises(GnnmatError, match=words):
        fit_spectrum(spectrum, small(), starts=starts)


def test_unknown_hypothesis_is_refused_with_the_nearest(spectrum: Spectrum) -> None:
    with pytest.raises(GnnmatError, match="no hypothesis 'heisenburg'") as error:
        fit_spectrum(spectrum, small(), hypotheses=["heisenburg"])
    assert "heisenberg" in error.value.fix


def test_other_axes_than_those_of_the_simulation_are_refused(spectrum: Spectrum) -> None:
    other = small()
    layout = other.layout.model_copy(update={"incident_energies": (8.0, 20.0)})
    with pytest.raises(
        GnnmatError, match="incident energies of the spectrum and the simulation's ones"
    ):
        fit_spectrum(spectrum, other.model_copy(update={"layout": layout}))


def test_a_spectrum_drawn_the_other_way_round_is_turned_with_its_mask(spectrum: Spectrum) -> None:
    own = spectrum.layout
    assert own is not None
    turned = replace(
        own,
        h=own.h[::-1],
        k=own.k[::-1],
        incident_energies=(16.0, 8.0),
        energy_edges=own.energy_edges[::-1],
    )
    image, mask = (
        np.ascontiguousarray(turned.to_image(own.to_tiles(array)[::-1, :, ::-1, ::-1]))
        for array in (spectrum.image, spectrum.mask)
    )
    other = observe(Spectrum(image, mask, turned, "turned"), small())
    wanted = observe(spectrum, small())
    assert not np.array_equal(image, spectrum.image)
    np.testing.assert_array_equal(other.image, wanted.image)
    np.testing.assert_array_equal(other.mask, wanted.mask)


def test_a_folder_with_a_fit_is_kept_unless_told_otherwise(
    fitted: SpectrumFit, spectrum: Spectrum, tmp_path: Path
) -> None:
    with pytest.raises(GnnmatError, match="already holds a fit"):
        fit_spectrum(spectrum, small(), output=fitted.folder)
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(GnnmatError, match="not empty and holds no fit"):
        fit_spectrum(spectrum, small(), output=tmp_path)
    with pytest.raises(GnnmatError, match="is a file, not a folder"):
        fit_spectrum(spectrum, small(), output=tmp_path / "thesis.tex")


def _network(monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]]) -> list[Any]:
    """A trained run that predicts these rows; the records it was shown."""
    shown: list[Any] = []

    def predict(records: Any) -> pd.DataFrame:
        shown.append(records)
        return pd.DataFrame(rows)

    monkeypatch.setattr("gnnmat.zoo.find_model", lambda name: Path("run"))
    monkeypatch.setattr(
        "gnnmat.train.judge.load_model", lambda folder: SimpleNamespace(predict=predict)
    )
    return shown


def test_a_network_says_where_to_start(spectrum: Spectrum, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[dict[str, Any]] = [
        {"target": "hypothesis", "prediction": "frustrated"},
        {"target": "frustrated.J1", "prediction": 2.9, "error": 0.1},
        {"target": "frustrated.J2", "prediction": 0.5, "error": 0.2},
    ]
    shown = _network(monkeypatch, rows)
    starts, errors = network_starts("run", spectrum, small())
    assert list(starts) == ["frustrated"]  # it knows nothing of the other
    np.testing.assert_allclose(starts["frustrated"], [2.9, 0.5])
    np.testing.assert_allclose(errors["frustrated"], [0.1, 0.2])
    assert shown[0].read(shown[0].raws[0]) is spectrum


def test_a_network_without_couplings_is_refused(
    spectrum: Spectrum, monkeypatch: pytest.MonkeyPatch
) -> None:
    _network(monkeypatch, [{"target": "hypothesis", "prediction": "frustrated"}])
    with pytest.raises(GnnmatError, match="does not predict the couplings of heisenberg or"):
        network_starts("run", spectrum, small())


def test_an_unstable_estimate_is_replaced_by_the_nearest_that_is_stable() -> None:
    simulation = small()
    from gnnmat.simulation.inference.space import CouplingSpace

    within = CouplingSpace(simulation.couplings("frustrated"), simulation.ranges("frustrated"))
    simulator = simulation.simulator("frustrated")
    near = stable_starts(simulator, within, np.array([2.0, 1.05]), np.array([0.1, 0.1]), keep=2)
    assert near is not None
    assert near.shape == (2, 2)
    assert (near[:, 1] < near[:, 0] / 2).all()  # where the order is a minimum
    np.testing.assert_allclose(near[0], [2.0, 1.0], atol=0.15)
    kept = stable_starts(simulator, within, np.array([2.0, 0.5]), np.array([0.1, 0.1]))
    np.testing.assert_array_equal(kept, [[2.0, 0.5]])


def test_records_of_one_spectrum_change_with_it(spectrum: Spectrum) -> None:
    other = Spectrum(spectrum.image * 2, spectrum.mask, spectrum.layout, "made")
    assert one_spectrum(spectrum).fingerprint == one_spectrum(spectrum).fingerprint
    assert one_spectrum(spectrum).fingerprint != one_spectrum(other).fingerprint


def test_python_reads_files_and_takes_options(spectrum: Spectrum, tmp_path: Path) -> None:
    path = write_spectrum(tmp_path / "made.npz", spectrum)
    result = gnnmat.fit_spectrum(
        path,
        small(),
        start=STARTS,
        hypotheses=["frustrated"],
        effort=Effort(replicas=0, rounds=1),
        device="cpu",
    )
    assert result.name == "made"
    assert np.all(np.abs(result.best.values - TRUTH) < 4 * result.best.errors)
