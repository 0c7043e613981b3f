"""Simulated sets: the same images however they are made, whatever interrupts them."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gnnmat.errors import GnnmatError
from gnnmat.simulation.hypotheses import Simulation, load_simulation
from gnnmat.simulation.spin_waves import ground_state
from gnnmat.sources.simulated_set import image_file, read_manifest
from gnnmat.workflows import draws, rendering, set_folder, simulating
from gnnmat.workflows.draws import draw_values
from gnnmat.workflows.simulating import SimulatedSet, simulate

from .square_lattice import square

SMALL = {"images": 10, "shard_size": 8, "workers": 1, "device": "cpu"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SimulatedSet:
    """10 images of each hypothesis in shards of 8, 8 and 4."""
    return simulate(square(), tmp_path_factory.mktemp("made") / "set", **SMALL)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a set."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != set_folder.LOCK
    }


def images(made: SimulatedSet) -> np.ndarray:
    """(n, R, C) all images."""
    return np.concatenate(
        [np.load(image_file(made.folder, number)) for number in made.manifest.shards]
    )


def test_processes_and_shard_size_do_not_change_an_image(
    made: SimulatedSet, tmp_path: Path
) -> None:
    other = simulate(square(), tmp_path, images=10, shard_size=7, workers=2, device="cpu")
    assert sorted(other.manifest.shards) == [0, 1, 2]
    assert images(other).tobytes() == images(made).tobytes()
    assert other.table.equals(made.table)


def test_another_seed_gives_other_couplings(made: SimulatedSet, tmp_path: Path) -> None:
    other = simulate(square(), tmp_path, **SMALL, seed=1)
    assert not np.isclose(other.table["heisenberg.J1"], made.table["heisenberg.J1"]).any()


def test_a_draw_is_decided_by_seed_name_and_number_alone() -> None:
    simulation = square()
    for name in simulation.names:
        again = draw_values(simulation, name, 3, 17)
        assert (again == draw_values(simulation, name, 3, 17)).all()
        for seed, number in ((3, 18), (4, 17)):
            assert (again != draw_values(simulation, name, seed, number)).all()
    one, two = (draw_values(simulation, name, 3, 17)[0] for name in simulation.names)
    assert one != two


KILLED = """
    import os, signal, sys
    sys.path.insert(0, {tests!r})
    from pathlib import Path
    from square_lattice import square
    from gnnmat.workflows import simulating

    write = simulating.write_shard

    def killed(folder, number, *rest):
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return write(folder, number, *rest)

    simulating.write_shard = killed
    simulating.simulate(square(), Path({folder!r}), images=10, shard_size=8, workers=1)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], None]:
    """Leaves in a folder what is there after a kill between the first shard and the second."""
    left = tmp_path_factory.mktemp("killed") / "set"
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(left))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], check=False, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    assert read_manifest(left).done == 8

    def leave(folder: Path) -> None:
        for name, content in contents(left).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    return leave


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    made: SimulatedSet,
    killed: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed(tmp_path)
    computed = counted(monkeypatch)
    simulate(square(), tmp_path, **SMALL)
    assert computed == list(made.table["id"][8:])
    assert contents(tmp_path) == contents(made.folder)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that are computed from now on."""
    computed: list[str] = []
    render = simulating.render

    def watched(text: str, groups: Sequence[Sequence[Any]], **options: Any) -> Any:
        computed.extend(row.id for group in groups for row in group)
        return render(text, groups, **options)

    monkeypatch.setattr(simulating, "render", watched)
    return computed


def test_without_draws_by_number_the_bytes_would_differ(
    made: SimulatedSet,
    killed: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed(tmp_path)
    one_after_the_other = np.random.default_rng(0)
    monkeypatch.setattr(
        simulating,
        "draw_values",
        lambda simulation, name, seed, number: simulation.draw(name, one_after_the_other),
    )
    simulate(square(), tmp_path, **SMALL)
    assert contents(tmp_path) != contents(made.folder)


def test_a_finished_set_is_left_alone_and_a_lost_shard_made_again(
    made: SimulatedSet,
    killed: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed(tmp_path)
    simulate(square(), tmp_path, **SMALL)
    computed = counted(monkeypatch)
    simulate(square(), tmp_path, **SMALL)
    assert computed == []
    lost = image_file(tmp_path, 0)
    lost.write_bytes(lost.read_bytes()[:-1])
    simulate(square(), tmp_path, **SMALL)
    assert computed == list(made.table["id"][:8])
    assert contents(tmp_path) == contents(made.folder)


def test_a_larger_set_begins_with_the_smaller_one(made: SimulatedSet, tmp_path: Path) -> None:
    simulate(square(), tmp_path, **{**SMALL, "images": 6})
    grown = simulate(square(), tmp_path, **SMALL)
    assert contents(grown.folder) == contents(made.folder)


def test_ctrl_c_says_what_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = simulating.write_shard

    def interrupted(folder: Path, number: int, *rest: Any) -> Any:
        if number == 1:
            raise KeyboardInterrupt
        return write(folder, number, *rest)

    monkeypatch.setattr(simulating, "write_shard", interrupted)
    with pytest.raises(KeyboardInterrupt, match="8 of 20 images are kept; the same command goes"):
        simulate(square(), tmp_path, **SMALL)


def test_the_neel_state_is_kept_where_it_is_a_minimum(made: SimulatedSet) -> None:
    # Linear spin-wave theory of the J1-J2 model: the Néel order is stable for J2 < J1 / 2.
    simulation = square()
    counts = made.manifest.hypotheses["frustrated"]
    values = [draw_values(simulation, "frustrated", 0, number) for number in range(counts.drawn)]
    good = [number for number, (j1, j2) in enumerate(values) if j2 < j1 / 2]
    assert (counts.stable, counts.rejected, counts.kept) == (10, counts.drawn - 10, 10)
    assert counts.rejected > 0
    ids = made.table.query("hypothesis == 'frustrated'")["id"]
    assert list(ids) == [f"frustrated-{number:06d}" for number in good]
    assert made.manifest.hypotheses["heisenberg"].rejected == 0


def test_unstable_draws_are_kept_when_asked_for_and_marked(tmp_path: Path) -> None:
    kept = simulate(square(), tmp_path, **SMALL, keep_unstable=True)
    counts = kept.manifest.hypotheses["frustrated"]
    rows = kept.table.query("hypothesis == 'frustrated'")
    assert (rows["stable"] == (rows["frustrated.J2"] < rows["frustrated.J1"] / 2)).all()
    assert (counts.drawn, counts.kept, counts.stable) == (10, 10, rows["stable"].sum())
    assert 0 < counts.rejected < 10
    assert list(rows["id"]) == [f"frustrated-{number:06d}" for number in range(10)]


def test_the_table_holds_exactly_what_was_rendered(made: SimulatedSet) -> None:
    simulation, table = square(), made.table
    for name in simulation.names:
        columns = [f"{name}.{coupling}" for coupling in simulation.couplings(name)]
        rows = table["hypothesis"] == name
        assert table.loc[~rows, columns].isna().all(axis=None)
        values = torch.tensor(table.loc[rows, columns].to_numpy())
        with rendering.one_thread():
            again = simulation.simulator(name).images(values).numpy()
        assert again.tobytes() == images(made)[rows].tobytes()


def test_hypotheses_take_turns(made: SimulatedSet) -> None:
    assert made.table["hypothesis"].tolist() == ["heisenberg", "frustrated"] * 10


def test_draws_that_look_alike_are_folded_to_one_of_them() -> None:
    pcsmo = load_simulation("pcsmo")
    names = pcsmo.couplings("dimer")
    weak, first, second, strong = (names.index(one) for one in ("JFW", "JA1", "JA2", "JFS"))
    swapped = 0
    for number in range(50):
        values = draw_values(pcsmo, "dimer", 0, number)
        entropy = (0, draws.crc32(b"dimer"), number)
        raw = pcsmo.draw("dimer", np.random.default_rng(np.random.SeedSequence(entropy)))
        assert abs(values[strong]) >= abs(values[weak])
        if abs(raw[weak]) > abs(raw[strong]):
            raw[[weak, strong, first, second]] = raw[[strong, weak, second, first]]
            swapped += 1
        assert (values == raw).all()
    assert 10 < swapped < 40


def test_the_page_shows_images_with_their_axes(made: SimulatedSet) -> None:
    page = made.overview.read_text()
    assert page.count("data:image/png;base64,") == 8
    assert "heisenberg-000000" in page
    assert "Ei 20" in page
    assert "<script" not in page


# What is refused


def test_a_folder_with_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    with pytest.raises(GnnmatError, match="is not empty and holds no simulated set"):
        simulate(square(), tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GnnmatError, match="cannot be written"):
        simulate(square(), tmp_path / "file" / "set", **SMALL)


def test_another_simulation_is_refused_by_the_path_of_the_option(made: SimulatedSet) -> None:
    with pytest.raises(GnnmatError, match="holds another simulation") as refused:
        simulate(square(layout__pixels=7), made.folder, **SMALL)
    assert refused.value.why == "layout.pixels is 6 there and 7 here."
    with pytest.raises(GnnmatError, match="another simulation") as refused:
        simulate(square(hypotheses__heisenberg__couplings__J1={}), made.folder, **SMALL)
    assert refused.value.why.startswith("hypotheses.heisenberg.couplings.J1.range is [1.0, 4.0]")


def test_a_folder_without_images_is_free_for_another_simulation(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="no spin wave lies in any slice"):
        simulate(square(layout__incident_energies=[400]), tmp_path / "set", **SMALL)
    again = simulate(square(), tmp_path / "set", **SMALL)
    fresh = simulate(square(), tmp_path / "fresh", **SMALL)
    assert contents(again.folder) == contents(fresh.folder)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seed": 5}, "was begun with seed 0, not 5"),
        ({"keep_unstable": True}, "was begun with keep_unstable False, not True"),
        ({"shard_size": 9}, "was begun with shard_size 8, not 9"),
        ({"images": 9}, "was begun for 10 images of each hypothesis, not 9"),
    ],
)
def test_other_options_are_refused(made: SimulatedSet, options: dict[str, Any], words: str) -> None:
    before = contents(made.folder)
    with pytest.raises(GnnmatError, match=words):
        simulate(square(), made.folder, **{**SMALL, **options})
    assert contents(made.folder) == before


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"images": 0}, "images is 0, expected 1 or more"),
        ({"seed": -1}, "seed is -1, expected 0 or more"),
        ({"workers": 0}, "workers is 0, expected 1 or more"),
        ({"shard_size": 0}, "shard_size is 0, expected 1 or more"),
        ({"device": "tpu"}, "Unknown device 'tpu'"),
        ({"device": "cuda:99"}, "There is no device 'cuda:99' here"),
    ],
)
def test_options_that_cannot_be_are_refused(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(GnnmatError, match=words):
        simulate(square(), tmp_path / "set", **{**SMALL, **options})
    assert not (tmp_path / "set").exists()


def test_two_writers_are_one_too_many(tmp_path: Path) -> None:
    from filelock import FileLock

    tmp_path.joinpath("set").mkdir()
    with (
        FileLock(tmp_path / "set" / set_folder.LOCK),
        pytest.raises(GnnmatError, match="Another process writes to"),
    ):
        simulate(square(), tmp_path / "set", **SMALL)


def test_a_disk_too_small_is_seen_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = set_folder.shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(set_folder.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(GnnmatError, match=r"needs 1.2 GB more, but only 0.0 GB are free"):
        simulate(square(), tmp_path, **{**SMALL, "images": 1_000_000})


def test_a_disk_that_fills_up_is_said_and_the_set_goes_on_later(
    made: SimulatedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = simulating.write_shard

    def full(folder: Path, number: int, *rest: Any) -> Any:
        if number == 1:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(folder, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(simulating, "write_shard", full)
        with pytest.raises(GnnmatError, match="The disk is full") as said:
            simulate(square(), tmp_path, **SMALL)
    assert "give the same command again; it goes on" in said.value.fix
    assert simulate(square(), tmp_path, **SMALL).manifest == made.manifest


def test_a_hypothesis_that_is_never_stable_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(draws, "PATIENCE", 128)
    ferromagnet = square(hypotheses__heisenberg__couplings__J1={"range": [-2, -1]})
    with pytest.raises(GnnmatError, match="only 0 of 128 draws are stable") as said:
        simulate(ferromagnet, tmp_path, **SMALL)
    assert "hypotheses.heisenberg.couplings" in said.value.fix
    place = "find_ground_state of gnnmat.simulation.spin_waves.ground_state"
    assert place in said.value.fix
    assert hasattr(ground_state, "find_ground_state")


def test_slices_that_see_nothing_are_refused_before_the_rest_is_computed(tmp_path: Path) -> None:
    # The band of the square lattice ends at 4 J1 S = 8 meV at most; these begin at 31.
    blind = square(layout__incident_energies=[90, 120], layout__first=0.35)
    with pytest.raises(GnnmatError, match="'heisenberg': no spin wave lies in any slice") as said:
        simulate(blind, tmp_path, **{**SMALL, "images": 100})
    assert said.value.why.startswith("8 images out of 8 came out empty; the slices cover energies")
    assert read_manifest(tmp_path).done == 8
    with pytest.raises(GnnmatError, match="no spin wave lies in any slice"):
        simulate(blind, tmp_path / "few", **{**SMALL, "images": 2})


def test_an_incident_energy_that_sees_nothing_is_told_once(tmp_path: Path) -> None:
    half_blind = square(layout__incident_energies=[10, 120], layout__first=0.35)
    told: list[str] = []
    made = simulate(half_blind, tmp_path, **SMALL, warn=told.append)
    sentence = "Ei 120 meV: nothing of '{}' lies in these slices, judged by the first 4 images."
    assert told == [sentence.format(name) for name in ("heisenberg", "frustrated")]
    assert made.manifest.warnings == tuple(told)
    assert "Ei 120 meV: nothing" in made.overview.read_text()
    simulate(half_blind, tmp_path, **SMALL, warn=told.append)
    assert len(told) == 2


def test_other_versions_are_told_on_resuming(
    killed: Callable[[Path], None], tmp_path: Path
) -> None:
    killed(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace('"torch": "', '"torch": "1.'))
    told: list[str] = []
    simulate(square(), tmp_path, **SMALL, warn=told.append)
    assert len(told) == 1
    assert "begun with gnnmat" in told[0]
    assert "may differ in rounding" in told[0]


@pytest.mark.parametrize("trouble", ["raises", "nan"])
def test_an_image_that_cannot_be_computed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    class Broken:
        def images(self, values: torch.Tensor) -> torch.Tensor:
            if trouble == "raises":
                raise RuntimeError("singular matrix")
            return torch.full((len(values), 12, 12), torch.nan)

    class Unlucky(Simulation):
        def simulator(self, name: str, device: str = "cpu") -> Any:
            return Broken()

    plain = square().model_dump(by_alias=True)
    monkeypatch.setattr(rendering, "_parsed", lambda text: Unlucky.model_validate(plain))
    monkeypatch.setattr(simulating, "forget_simulators", lambda: None)
    rendering._simulator.cache_clear()
    words = "singular matrix" if trouble == "raises" else "not finite"
    with pytest.raises(GnnmatError, match=f"(?s)heisenberg-000000 could not be .*{words}"):
        simulate(square(), tmp_path, **SMALL)
    rendering._simulator.cache_clear()


def test_a_device_takes_several_images_at_a_time_in_their_order(
    made: SimulatedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulating, "choose_device", lambda device: "cpu:0")  # not 'cpu'
    several = simulate(square(), tmp_path, **SMALL)
    assert np.allclose(images(several), images(made), rtol=1e-5, atol=1e-6)
