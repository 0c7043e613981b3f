"""Fingerprints of clusters: the plain one without defects, with removed atoms truly removed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from gnnmat.augment import Fingerprint
from gnnmat.augment.augmentation import stream
from gnnmat.augment.cluster_views import ClusterViews
from gnnmat.errors import GnnmatError
from gnnmat.inputs import Cluster
from gnnmat.sample import Batch, DataSpec, Sample, collate
from gnnmat.simulation.diffraction.clusters import nearest_atoms
from gnnmat.simulation.diffraction.detector import Detector
from gnnmat.simulation.diffraction.fingerprint import fingerprint, scaled

from ..contracts import crystals

SPEC = DataSpec(fields=("z", "pos"))
ATOMS = 60
CALM: dict[str, Any] = {
    "vacancies": (0.0, 0.0), "displacement": (0.0, 0.0), "strain": (0.0, 0.0),
    "pixels": 32, "widest": 16.0,
}  # fmt: skip


def clusters(rows: tuple[int, ...] = (0, 1)) -> Batch:
    made = []
    every = (crystals.copper(), crystals.rock_salt(), crystals.diamond())
    for row in rows:
        fields = Cluster(atoms=ATOMS).sample(every[row])
        sample = Sample(z=torch.tensor(fields["z"]), pos=torch.tensor(fields["pos"]).float())
        sample.row = torch.tensor([row])
        made.append(sample)
    return collate(made)


def views(**options: Any) -> ClusterViews:
    return Fingerprint(**CALM | options).build(SPEC)


def test_without_draws_it_is_the_plain_fingerprint() -> None:
    found = views(strength="alike", transform="none")(clusters(), "none").image
    made = [
        scaled(nearest_atoms(one, ATOMS, one.positions[0]))[0]
        for one in (crystals.copper(), crystals.rock_salt())
    ]
    expected = fingerprint(made, Detector(32, 16.0, 3.0))
    assert float((found - expected).abs().max()) < 2e-5
    root = views(strength="alike")(clusters(), "none").image
    torch.testing.assert_close(root, found.sqrt())


def test_calm_draws_are_no_draws() -> None:
    found, plain = views()(clusters(), "train", 3, 4).image, views()(clusters(), "none").image
    assert float((found - plain).abs().max()) < 2e-4  # intensities of 1e-8 have roots of 1e-4


@pytest.mark.parametrize("share", [0.25, 0.7])
def test_vacancies_are_truly_removed(share: float) -> None:
    batch = clusters((0,))
    module = views(vacancies=(share, share))
    place, numbers = module.cluster(batch.pos, batch.z, stream("fixed", 0, 0, 0))
    left = ATOMS - round(share * ATOMS)
    assert len(place) == len(numbers) == left
    # Each that is left is one of the cluster, none twice: the distances are those of the cluster.
    unit = float(torch.cdist(batch.pos, batch.pos).fill_diagonal_(9).min())
    there = torch.cdist(batch.pos, batch.pos).flatten() / unit
    scale = float(torch.pdist(place).min())
    for one in (torch.pdist(place) / scale)[:50]:
        assert float((there - one).abs().min()) < 1e-3 or scale > 1.01


def test_the_picture_is_that_of_the_atoms_that_are_left() -> None:
    batch, module = clusters((0,)), views(vacancies=(0.5, 0.5), transform="none", strength="alike")
    place, _ = module.cluster(batch.pos, batch.z, stream("fixed", 0, 0, 0))
    wanted = fingerprint([_cluster(place.double().numpy())], Detector(32, 16.0, 3.0))
    found = module(batch, "fixed").image
    assert float((found - wanted).abs().max()) < 2e-5
    whole = views(transform="none", strength="alike")(batch, "fixed").image
    assert float((found - whole).abs().max()) > 0.02


def _cluster(places: np.ndarray) -> Any:
    from gnnmat.simulation.diffraction.clusters import Cluster as Atoms

    return Atoms(places, np.full(len(places), 29))


@pytest.mark.parametrize(
    "options",
    [
        {"displacement": (0.1, 0.1)},
        {"substituted": (0.3, 0.3)},
        {"strain": (0.03, 0.03)},
        {"orientation": "misorientation", "misorientation": (5.0, 5.0)},
        {"orientation": "random"},
        {"beam_stop": (6.0, 6.0)},
        {"vacancies": (0.25, 0.25)},
    ],
    ids=lambda options: next(iter(options)) + str(options.get("orientation", "")),
)
def test_every_defect_is_seen_and_depends_on_seed_and_row_alone(options: dict[str, Any]) -> None:
    module, calm = views(**options), views()(clusters(), "fixed").image
    found = module(clusters(), "fixed", 1).image
    assert float((found - calm).abs().amax(dim=(1, 2, 3)).min()) > 0.02
    assert torch.equal(module(clusters((1,)), "fixed", 1).image[0], found[1])
    assert torch.equal(module(clusters(), "fixed", 1, 5).image, found)
    if "beam_stop" not in options:
        assert not torch.equal(module(clusters(), "fixed", 2).image, found)
        assert not torch.equal(module(clusters(), "train", 1, 0).image, found)


def test_displacements_are_in_angstrom() -> None:
    batch, module = clusters((0,)), views(displacement=(0.05, 0.05), scale="pristine")
    place, _ = module.cluster(batch.pos, batch.z, stream("fixed", 0, 0, 0))
    calm, _ = views().cluster(batch.pos, batch.z, stream("fixed", 0, 0, 0))
    nearest = 3.61 / 2**0.5
    away = (place - calm) * nearest
    assert float((away - away.mean(0)).std()) == pytest.approx(0.05, rel=0.15)


def test_scale_is_measured_with_or_without_defects() -> None:
    batch = clusters((0,))
    for scale, expected in (("found", 1.0), ("pristine", 1.05)):
        module = views(vacancies=(0.9, 0.9), scale=scale)
        place, _ = module.cluster(batch.pos, batch.z, stream("fixed", 0, 0, 0))
        away = torch.cdist(place, place).fill_diagonal_(99).amin(dim=1).mean()
        if scale == "found":
            assert float(away) == pytest.approx(expected, abs=1e-4)
        else:
            assert float(away) > expected


def test_elements_are_told_apart_by_their_number() -> None:
    salt = clusters((1,))
    alike, apart = (views(strength=one)(salt, "none").image for one in ("alike", "atomic_number"))
    assert float((alike - apart).abs().max()) > 0.1


def test_what_is_no_cluster_is_refused() -> None:
    with pytest.raises(GnnmatError, match="needs clusters of atoms"):
        Fingerprint().build(DataSpec(fields=("image",)))
    with pytest.raises(GnnmatError, match="needs clusters of atoms"):
        Fingerprint().seen(DataSpec(fields=("z", "pos", "lattice")))
    seen = Fingerprint().seen(SPEC)
    assert (seen.fields, seen.channels, seen.image_shape) == (("image",), 3, (64, 64))


def test_ranges_that_are_none_are_refused() -> None:
    for wrong in ({"vacancies": (0.5, 1.0)}, {"displacement": (0.2, 0.1)}, {"pixels": 63}):
        with pytest.raises(ValidationError):
            Fingerprint(**wrong)
