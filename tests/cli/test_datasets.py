"""``gnnmat datasets``: list, show, check, fetch."""

from __future__ import annotations

import csv
import hashlib
import importlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from gnnmat.errors import GnnmatError
from gnnmat.sources.card import shipped_cards

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Runs a command with an empty cache folder."""
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("COLUMNS", "200")
    app = importlib.import_module("gnnmat.cli.datasets").datasets_app
    return partial(CliRunner().invoke, app, catch_exceptions=True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which it is served."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def write_table(file: Path) -> str:
    """Three crystals, two atoms of the last all but in one place; the table's checksum."""
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["id", "cif", "gap"])
        for name, second in (("s1", "0.5"), ("s2", "0.4"), ("s3", "0.004")):
            rows.writerow([name, _cif(second), "1.5"])
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _cif(second: str) -> str:
    lengths = "".join(f"_cell_length_{axis} 4.1\n" for axis in "abc")
    angles = "".join(f"_cell_angle_{angle} 90\n" for angle in ("alpha", "beta", "gamma"))
    columns = "".join(
        f"_atom_site_{name}\n" for name in ("type_symbol", "fract_x", "fract_y", "fract_z")
    )
    return (
        f"data_x\n{lengths}{angles}_symmetry_space_group_name_H-M 'P 1'\nloop_\n{columns}"
        f"Cs 0 0 0\nCl {second} {second} {second}\n"
    )


def write_card(path: Path, file: dict[str, Any], **more: Any) -> str:
    card = {
        "name": "mine",
        "title": "Three [bold]crystals[/bold]",
        "description": "Made for a test.",
        "source": "this test",
        "licence": "CC0",
        "citation": "none",
        "files": [file],
        "reader": {"kind": "table"},
        "columns": {"gap": {"unit": "eV", "meaning": "band gap"}},
        "target": "gap",
    } | more
    path.write_text(yaml.safe_dump(card))
    return str(path)


def raised(result: Result) -> str:
    assert isinstance(result.exception, GnnmatError), result.output
    return str(result.exception)


def test_list_names_every_shipped_data_set_with_rows_target_and_licence(invoke: Invoke) -> None:
    result = invoke(["list"])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line.split()}
    assert set(shipped_cards()) <= set(lines)
    assert "1,265" in lines["matbench_phonons"]
    assert "last phdos peak (1/cm)" in lines["matbench_phonons"]
    assert "CC-BY-4.0" in lines["matbench_mp_gap"]
    assert lines["matbench_phonons"].rstrip().endswith("no")
    assert lines["known_crystals"].rstrip().endswith("yes")
    assert lines["materials_project"].rstrip().endswith("no file")


def test_show_prints_the_card_the_units_and_the_first_rows(invoke: Invoke) -> None:
    result = invoke(["show", "known_crystals"])
    assert result.exit_code == 0
    assert "MIT" in result.output
    assert "bulk modulus, measured" in result.output
    assert "GPa" in result.output
    assert "Al-fcc" in result.output


def test_show_prints_folds_classes_and_the_whole_checksum(invoke: Invoke) -> None:
    output = invoke(["show", "matbench_mp_is_metal"]).output
    assert "random_state 18012019, stratified True" in output
    assert "nonmetal, metal" in output
    assert "sha256 9a028ed5750a4c76ca36e9f3c8d48fe0bf3fb21b76ec2289e58ae7048d527919" in output


def test_show_says_that_a_file_without_checksum_is_unverified(invoke: Invoke) -> None:
    assert "sha256 unverified" in invoke(["show", "jarvis_dft_3d"]).output


def test_show_prints_brackets_of_a_card_as_they_are(invoke: Invoke, tmp_path: Path) -> None:
    write_table(tmp_path / "data.csv")
    card = write_card(tmp_path / "mine.yaml", {"path": "data.csv"})
    assert "[bold]crystals[/bold]" in invoke(["show", card]).output


@pytest.mark.parametrize("command", ["show", "check", "fetch"])
def test_an_unknown_name_suggests_the_nearest(invoke: Invoke, command: str) -> None:
    assert "Did you mean 'known_crystals'?" in raised(invoke([command, "known_crystal"]))


def test_check_reads_every_crystal(invoke: Invoke) -> None:
    result = invoke(["check", "known_crystals"])
    assert result.exit_code == 0
    rows = (shipped_cards()["known_crystals"].with_suffix(".csv")).read_text().strip().count("\n")
    assert f"{rows} crystals read, 0 refused." in result.output


def test_check_counts_and_explains_what_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    write_table(tmp_path / "data.csv")
    card = write_card(tmp_path / "mine.yaml", {"path": "data.csv"}, rows=3)
    result = invoke(["check", card])
    assert "2 crystals read, 1 refused." in result.output
    assert "refused: data.csv, row 3: " in result.output


def test_check_compares_the_number_of_rows_with_the_card(invoke: Invoke, tmp_path: Path) -> None:
    write_table(tmp_path / "data.csv")
    card = write_card(tmp_path / "mine.yaml", {"path": "data.csv"}, rows=4)
    assert "Expected 4, got 3" in raised(invoke(["check", card]))


def test_check_downloads_nothing(invoke: Invoke, served: tuple[Path, str]) -> None:
    folder, address = served
    sha = write_table(folder / "data.csv")
    card = write_card(folder / "mine.yaml", {"url": f"{address}/data.csv", "sha256": sha})
    assert "is not on disk" in raised(invoke(["check", card]))
    assert not list(folder.parent.glob("cache/**/*.csv"))


def test_fetch_then_check(invoke: Invoke, served: tuple[Path, str]) -> None:
    folder, address = served
    sha = write_table(folder / "data.csv")
    card = write_card(folder / "mine.yaml", {"url": f"{address}/data.csv", "sha256": sha})
    assert f"sha256 {sha} (verified)" in invoke(["fetch", card]).output
    assert "2 crystals read" in invoke(["check", card]).output
    (copy,) = folder.parent.glob("cache/**/data.csv")
    copy.write_text(copy.read_text().replace("1.5", "1.6"))
    assert f"Expected sha256 {sha}, got " in raised(invoke(["check", card]))
    assert "(verified)" in invoke(["fetch", card]).output


def test_fetch_prints_the_checksum_of_an_unverified_file(
    invoke: Invoke, served: tuple[Path, str]
) -> None:
    folder, address = served
    sha = write_table(folder / "data.csv")
    card = write_card(folder / "mine.yaml", {"url": f"{address}/data.csv"})
    output = invoke(["fetch", card]).output
    assert f"sha256 {sha} (unverified: the card holds no checksum)" in output
    (copy,) = folder.parent.glob("cache/**/data.csv")
    copy.write_text("id,gap\n")
    assert "has changed since it was downloaded" in raised(invoke(["check", card]))


@pytest.mark.parametrize("command", ["check", "fetch"])
def test_the_materials_project_says_in_a_sentence_what_is_needed(
    invoke: Invoke, command: str
) -> None:
    message = raised(invoke([command, "materials_project"]))
    assert "MP_API_KEY" in message
    assert "mp-api" in message
