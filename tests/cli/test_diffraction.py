"""``gnnmat simulate diffraction`` and ``gnnmat match`` as a user meets them."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..contracts import crystals
from ..workflows.diffraction.powders import measured
from .invoking import Invoke


@pytest.fixture
def cifs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from ase import Atoms
    from ase.io import write

    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "cifs"
    folder.mkdir()
    for name, crystal in (("salt", crystals.rock_salt()), ("copper", crystals.copper())):
        atoms = Atoms(crystal.numbers, scaled_positions=crystal.frac, cell=crystal.lattice, pbc=1)
        write(folder / f"{name}.cif", atoms)
    return folder


def test_simulate_has_a_second_word(invoke: Invoke, cifs: Path, tmp_path: Path) -> None:
    disordered = (cifs / "salt.cif").read_text().replace(" 1.0000", " 0.5000", 1)
    (cifs / "half.cif").write_text(disordered)
    line = ["--from", "25", "--to", "50", "--step", "0.05", "--mixture", "salt=0.5,copper=0.5"]
    done = invoke("simulate", "diffraction", cifs, "-o", tmp_path / "out", *line)
    assert done.exit_code == 0, done.output
    assert "salt: NaCl, 3 peaks, the strongest at 31.7" in done.stdout
    assert "2 read, 1 refused" in done.stdout
    assert "half: half.cif: The crystal is disordered" in done.stderr
    names = {file.name for file in (tmp_path / "out").iterdir()}
    assert {"salt.csv", "salt.xy", "salt.png", "mixture.xy", "diffraction.html"} <= names


def test_simulate_with_one_word_is_still_that_of_spectra(invoke: Invoke) -> None:
    done = invoke("simulate", "pcsm")
    assert done.exit_code == 2
    assert "pcsmo" in done.stderr
    assert "SIMULATION" in invoke("simulate", "--help").stdout
    assert "--fingerprint" in invoke("simulate", "diffraction", "--help").stdout


def test_a_measured_pattern_is_matched(invoke: Invoke, cifs: Path, tmp_path: Path) -> None:
    pattern = measured(crystals.copper(3.63))
    file = tmp_path / "film.xy"
    rows = zip(pattern.two_theta, pattern.counts, strict=True)
    file.write_text("\n".join(f"{x:.4f} {y:g}" for x, y in rows))
    silent = invoke("match", file, "--among", cifs)
    assert silent.exit_code == 2
    assert "film does not say its wavelength" in silent.stderr
    assert "--wavelength CuKa" in silent.stderr
    line = ["--among", cifs, "-w", "CuKa", "--elements", "Cu", "--no-texture"]
    done = invoke("match", file, *line)
    assert done.exit_code == 0, done.output
    assert "1 crystals searched, 0 refused" in done.stdout
    assert "Fm-3m" in done.stdout
    assert "a 3.630" in done.stdout or "a 3.629" in done.stdout
    assert (tmp_path / "film-match.html").is_file()
    assert (tmp_path / "film-match.csv").is_file()
    assert (tmp_path / "film-match.png").is_file()


def test_mistakes_are_answered_in_words(invoke: Invoke, cifs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.xy").write_text("\n".join(f"{20 + i / 50} {5 + i % 2}" for i in range(100)))
    for line, words in (
        (["simulate", "diffraction", cifs, "--radiation", "muon"], "no radiation 'muon'"),
        (["simulate", "diffraction", cifs, "--from", "1", "--to", "2"], "no peak from 1 to 2"),
        (["match", "a.xy", "--among", cifs, "-w", "CuKa"], "shorter than 5 degrees"),
        (["match", "a.xy", "--among", cifs, "-w", "CuKa", "-e", "Qq"], "'Qq' is no element"),
        (["match", "a.xy", "--among", cifs, "-o", "a.pdf"], "does not end in .html"),
        (["match", "none.xy", "--among", cifs], "does not exist"),
    ):
        done = invoke(*line)
        assert done.exit_code == 2, (line, done.output)
        assert words in done.stderr
