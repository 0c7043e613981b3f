"""Foreign families: what is done to images, what is simulated, and how it is judged."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, TableResolution, Widths, load_simulation
from gnnmat.simulation.layout import SliceLayout, relative_layout
from gnnmat.sources.arrays import ArraysSource
from gnnmat.sources.records import Records
from gnnmat.workflows import foreign_magnets
from gnnmat.workflows.ensemble import train_ensemble
from gnnmat.workflows.foreign import measure_foreign
from gnnmat.workflows.foreign_images import IMAGE_FAMILIES, Images, franken
from gnnmat.workflows.foreign_magnets import (
    draw_images,
    other_magnets,
    rotated,
    sharpened,
    simulated_families,
)
from gnnmat.workflows.trust import fit_trust

from ..train.tiny import graph_cache  # noqa: F401
from .pictures import picture_config

SMALL = [
    "resolution={kind: widths, q: 0.05, energy: 0.05}",
    "layout={incident_energies: [35, 70], first: 0.1, width: 0.2, slices: 3, pixels: 6}",
    "rendering={grid: 8, samples: 2}",
]
LAYOUT = relative_layout((35.0, 70.0), width=0.2, slices=3, pixels=6)


@lru_cache(maxsize=2)
def small(name: str = "pcsmo") -> Simulation:
    return load_simulation(name, SMALL)


@pytest.fixture(scope="module")
def images() -> Images:
    return np.random.default_rng(0).gamma(0.5, size=(8, 12, 18)).astype(np.float32)


def made(name: str, images: Images, layout: SliceLayout = LAYOUT) -> Images:
    before = images.copy()
    found = IMAGE_FAMILIES[name].make(images, layout, np.random.default_rng(1))
    assert np.array_equal(images, before), "the images given were changed"
    assert found.images.shape == found.masks.shape == images.shape
    assert found.images.dtype == np.float32
    assert np.isfinite(found.images).all()
    assert (found.images >= 0).all()
    return found.images


@pytest.mark.parametrize("name", sorted(IMAGE_FAMILIES))
def test_family_is_sound_and_the_same_each_time(name: str, images: Images) -> None:
    assert np.array_equal(made(name, images), made(name, images))
    assert not np.array_equal(made(name, images), images)


@pytest.mark.parametrize(
    ("name", "axis"), [("shuffled_pixels", (-2, -1)), ("shifted_origin", (-2, -1))]
)
def test_pixels_stay_in_their_slice(name: str, axis: tuple[int, int], images: Images) -> None:
    before, after = (LAYOUT.to_tiles(one) for one in (images, made(name, images)))
    flat = [np.sort(one.reshape(*one.shape[:-2], -1)) for one in (before, after)]
    assert np.array_equal(*flat)


def test_slices_stay_whole_when_they_are_shuffled(images: Images) -> None:
    before, after = (LAYOUT.to_tiles(one) for one in (images, made("shuffled_slices", images)))
    whole = [np.sort(one.sum((-2, -1)).reshape(len(one), -1)) for one in (before, after)]
    assert whole[0] == pytest.approx(whole[1])


def test_energies_are_reversed_within_an_incident_energy(images: Images) -> None:
    after = LAYOUT.to_tiles(made("reversed_energy", images))
    assert np.array_equal(after[:, 1, 0], LAYOUT.to_tiles(images)[:, 1, -1])


def test_stitched_slices_come_from_the_same_place_of_other_images(images: Images) -> None:
    before, after = (LAYOUT.to_tiles(one) for one in (images, made("stitched", images)))
    for energy in range(2):
        for place in range(3):
            sums = [np.sort(one[:, energy, place].sum((-2, -1))) for one in (before, after)]
            assert sums[0] == pytest.approx(sums[1])


def test_scales_are_wrong_by_at_least_e(images: Images) -> None:
    ratio = LAYOUT.to_tiles(made("wrong_scale", images)) / LAYOUT.to_tiles(images)
    factors = np.abs(np.log(ratio[:, :, 0, 0, 0]))
    assert factors.min() >= 0.99
    assert factors.max() <= 2.01


def test_wrong_mask_is_the_mirror_of_the_true_gaps() -> None:
    layout = relative_layout((35.0, 70.0), width=0.2, slices=3, pixels=20)
    bright = np.full((2, *layout.image_shape), 100.0, dtype=np.float32)
    found = IMAGE_FAMILIES["wrong_mask"].make(bright, layout, np.random.default_rng(0))
    gaps = layout.mirror_k(found.masks)
    assert gaps.any()
    assert (found.images[gaps] == 0).all()
    assert not (gaps & found.masks).any()
    assert found.draw == "none"


def test_franken_takes_whole_slices_of_several_materials() -> None:
    materials = {name: np.full((4, 12, 18), value, np.float32) for name, value in
                 (("a", 1.0), ("b", 5.0))}  # fmt: skip
    materials["b"][:, :6] *= 3
    found = franken(materials, LAYOUT, np.random.default_rng(0))
    tiles = LAYOUT.to_tiles(found.images)
    assert (np.ptp(tiles, axis=(-2, -1)) == 0).all()
    assert len(np.unique(tiles[:, :, :, 0, 0].round(4))) == 3  # 1 of a, 1.5 and 0.5 of b


def test_draws_are_stable_or_not_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    one = draw_images(small(), "dimer", 3, seed=1)
    assert one.shape == (3, 12, 18)
    assert np.array_equal(one, draw_images(small(), "dimer", 3, seed=1))
    other = draw_images(small(), "dimer", 3, seed=1, stable=False)
    assert not np.array_equal(one, other)
    monkeypatch.setattr(foreign_magnets, "TRIES", 2)
    with pytest.raises(GnnmatError, match="Hardly any draw of 'layered_ferromagnet' is unstable"):
        draw_images(small("pcsmo_foreign"), "layered_ferromagnet", 2, stable=False)


def test_settings_change_what_they_say() -> None:
    assert rotated(small()).layout.incident_energies == (70.0, 35.0)
    assert small().layout.incident_energies == (35.0, 70.0)
    sharp = sharpened(small(), 4.0).resolution
    assert isinstance(sharp, Widths)
    assert (sharp.q, sharp.energy) == (0.05 / 4, 0.05 / 4)
    table = sharpened(load_simulation("pcsmo"), 4.0).resolution
    assert isinstance(table, TableResolution)
    assert table.sharpen == 4.0


def test_sharper_resolution_makes_taller_images() -> None:
    blurred, sharp = (
        draw_images(sharpened(small(), factor), "goodenough", 4, seed=2) for factor in (0.5, 4.0)
    )
    assert sharp.std() > 1.1 * blurred.std()


def test_other_magnets_are_seen_by_the_same_instrument() -> None:
    others = other_magnets(small(), load_simulation("pcsmo_foreign"))
    assert others.layout == small().layout
    assert others.resolution == small().resolution
    assert "third_hamiltonian" in others.names


def test_every_magnet_of_the_recipe_is_stable_at_its_reference() -> None:
    import torch

    recipe = small("pcsmo_foreign")
    for name in recipe.names:
        values = torch.from_numpy(recipe.reference(name))[None]
        assert bool(recipe.simulator(name).stable(values)[0]), name


def test_families_have_names_of_their_own() -> None:
    names = simulated_families(small(), small("pcsmo_foreign"))
    assert not set(names) & set(IMAGE_FAMILIES)
    assert {"third_hamiltonian", "too_sharp", "unstable"} <= set(names)


def spectra() -> Records:
    parts = {name: draw_images(small(), name, 60) for name in small().names}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spectra.npz"
        names = np.repeat(list(parts), [len(one) for one in parts.values()])
        np.savez(path, image=np.concatenate(list(parts.values()))[:, None], hypothesis=names)
        return ArraysSource(path=str(path)).open()


def test_run_is_judged_on_every_family(tmp_path: Path) -> None:
    config = picture_config(data__targets="[hypothesis]", trainer__epochs=3)
    records = spectra()
    run = train_ensemble(config, tmp_path / "run", members=2, records=records)
    fit_trust(run.folder, records=records)
    told: list[str] = []
    table = measure_foreign(
        run.folder, small(), tmp_path / "foreign", count=6, records=records, on_family=told.append
    )
    assert {"white_noise", "franken", "unstable", "third_hamiltonian"} <= set(told)
    together = table[table["score"] == "verdict"].set_index("family")
    assert together.loc["white_noise", "auroc"] > 0.95
    assert together.loc["white_noise", "refused"] > 0.9
    assert together.loc["test rows", "auroc"] == pytest.approx(0.5)
    assert together.loc["test rows", "refused"] < 0.3
    assert (tmp_path / "foreign" / "foreign.csv").is_file()
    assert (tmp_path / "foreign" / "third_hamiltonian.npz").is_file()
