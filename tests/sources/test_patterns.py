"""Measured powder patterns from folders and archives: classes, series, and what is no pattern."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from gnnmat.data.label_values import classes_of
from gnnmat.engine import Failure, run_items
from gnnmat.errors import GnnmatError
from gnnmat.sources import pattern_listing
from gnnmat.sources.patterns import PatternsSource, series_of
from gnnmat.sources.powder_files import parse_powder
from gnnmat.sources.powder_pattern import PowderPattern
from gnnmat.sources.records import Records

ANGLES = np.linspace(10, 12, 21)
TEXT = "\n".join(f"{angle:.2f} {100 + place}" for place, angle in enumerate(ANGLES))
SAID = f"# wavelength = 1.5406\n{TEXT}"
FILMS = {
    "P3m1/CsSbBr_a200_Rat21.xy": TEXT,
    "P3m1/Cs3Sb2Br9_2-Theta.xy": TEXT,
    "pm-3m/10_2-Theta.xy": TEXT,
    "pm-3m/11_2-Theta.xy": SAID,
    "pm-3m/lonely.xy": TEXT,
}
SERIES = {"antimony": "^(CsSbBr|Cs3Sb2Br9)", "numbered": r"^\d+_"}
# How the films of `powder_xrd_halides` fall into series, as docs/datasets.md has it.
HALIDES = {
    "CsAgBiBr": "^CsAgBiBr",
    "Sn-Pb": "% ?Sn",
    "MAPI": "MAPI",
    "MASnI3": "^MASnI3",
    "Cs3Sb2Br9": "^(Cs3Sb2Br9|CsSbBr)",
    "Rb3Sb2Br9": "^(Rb3Sb2Br9|RbSbBr)",
    "Cs3Sb2I9": "^(Cs3Sb2I9|CsSbI)",
    "numbered": r"^\d+_2-Theta",
    "dark": r"\(Dark\)",
    "FAI-MABr": "^FAI_",
    "FAPbI3-MAPbBr3": r"^FAPbI3\d_MAPbBr",
}


def films(folder: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """A folder with these files."""
    for name, content in (files or FILMS).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def archive(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def opened(path: Path, **options: Any) -> Records:
    return PatternsSource(**{"path": str(path), "wavelength": "CuKa", **options}).open()


def reason(records: Records) -> str:
    """Why the only pattern is refused when it is read."""
    (failure,) = run_items(records.read, records.raws, quiet=True)
    assert isinstance(failure, Failure), failure
    return failure.reason


def test_a_folder_and_an_archive_hold_the_same_patterns(tmp_path: Path) -> None:
    packed = archive(tmp_path / "films.zip", {f"top/{k}": v for k, v in FILMS.items()})
    for path in (films(tmp_path / "films"), packed):
        records = opened(path, label="folder", column="space_group", rename={"P3m1": "P-3m1"})
        assert records.table["space_group"].tolist() == ["P-3m1"] * 2 + ["pm-3m"] * 3
        assert records.ids[0] == "Cs3Sb2Br9_2-Theta"
        patterns = [records.read(raw) for raw in records.raws]
        assert all(isinstance(one, PowderPattern) for one in patterns)
        np.testing.assert_allclose(patterns[0].two_theta, ANGLES)
        assert [one.wavelength for one in patterns] == [1.54056] * 3 + [1.5406, 1.54056]
        assert patterns[0].second == 1.54439
        assert not records.refused


def test_series_come_from_names(tmp_path: Path) -> None:
    table = opened(films(tmp_path), series=SERIES).table
    assert table["series"].tolist() == ["antimony", "antimony", "numbered", "numbered", "lonely"]
    assert list(table.columns) == ["series"]
    assert series_of("run7_film3", r"^(run\d+)_film") == "run7"
    assert series_of("run7_film3", r"^(run)\d+_(film)") == "runfilm"
    assert series_of("run7_film3", r"run\d") == "run7"
    assert series_of("other", r"^(run\d+)") == "other"


def test_the_measured_films_fall_into_six_classes_and_17_series(shared_data: Path) -> None:
    records = opened(
        shared_data / "powder_xrd_halides" / "patterns.zip",
        label="folder",
        series=HALIDES,
        rename={"P3m1": "P-3m1", "P61mmc": "P6_3/mmc", "I4Imcm": "I4/mcm"},
    )
    # Counted with `unzip -l`.
    counts = {"pm-3m": 26, "I4/mcm": 11, "P-3m1": 9, "Fm-3m": 3, "P6_3/mmc": 2, "P21a": 1}
    assert records.table["label"].value_counts().to_dict() == counts
    series = records.table["series"].value_counts()
    assert series.loc[list(HALIDES)].tolist() == [3, 3, 2, 6, 3, 2, 2, 11, 2, 5, 7]
    assert (len(series), int((series == 1).sum())) == (17, 6)
    assert all(len(records.read(raw)) > 1000 for raw in records.raws)


def test_classes_come_from_a_table(tmp_path: Path) -> None:
    folder = films(tmp_path)
    (folder / "values.csv").write_text("film;phase\n10_2-Theta;a\npm-3m/11_2-Theta.xy;b\nzz;b\n")
    records = opened(folder, labels=str(folder / "values.csv"), column="phase", rename={"a": "A"})
    assert records.ids == ["10_2-Theta", "11_2-Theta"]
    assert records.table["phase"].tolist() == ["A", "b"]
    assert [one.reason for one in records.refused] == [
        "the row has no structure file",
        *[f"no row in '{folder / 'values.csv'}'"] * 3,
    ]


def test_the_fingerprint_is_of_the_patterns_and_the_wavelength(tmp_path: Path) -> None:
    folder = films(tmp_path)
    plain = opened(folder).fingerprint
    assert opened(folder, label="folder", series=SERIES).fingerprint == plain
    assert opened(folder, wavelength=0.7093).fingerprint != plain
    (folder / "pm-3m" / "lonely.xy").write_text(TEXT.replace("100", "101"))
    assert opened(folder).fingerprint != plain


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("10 1\n" * 3, "3 points are no pattern"),
        (TEXT.replace("10.50 105", "9.00 105"), "angles are out of order"),
        (TEXT.replace("10.50 105", "10.50 -5"), "counts cannot be negative"),
        (TEXT.replace("10.50 105", "10.50 nan"), "point 6 has nan as its count"),
        ("# wavelength = 0.7093\n" + TEXT, "says 0.7093 Å, and 1.54056 Å was given"),
        ("words\nonly\n", "holds no line with an angle"),
        (b"II*\0", "is a picture from a detector, not counts over angles"),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), "holds no text. Fix: Export it as text"),
    ],
)
def test_a_bad_file_is_refused_in_a_sentence(
    content: str | bytes, words: str, tmp_path: Path
) -> None:
    records = opened(films(tmp_path, {"film.xy": content}))
    assert words in reason(records)
    assert "film.xy" in reason(records) or "film:" in reason(records)


def test_a_file_without_a_wavelength_needs_one(tmp_path: Path) -> None:
    records = opened(films(tmp_path, {"film.xy": TEXT}), wavelength=None)
    assert "does not say with which wavelength" in reason(records)
    assert "for example CuKa" in reason(records)
    said = opened(films(tmp_path, {"film.xy": SAID}), wavelength=None)
    assert said.read(said.raws[0]).wavelength == 1.5406


def test_damaged_formats_are_told(tmp_path: Path) -> None:
    for name in ("a.ras", "a.xrdml", "a.brml"):
        text = b"*RAS_INT_START\n10 x\n*RAS_INT_END" if name == "a.ras" else b"<broken"
        with pytest.raises(GnnmatError, match=f"'{name}' is damaged"):
            parse_powder(name, text)


def test_files_that_are_no_patterns_are_refused_and_counted(tmp_path: Path) -> None:
    others = {
        "a/rings.tif": b"II*\0",
        "a/old.raw": b"x",
        "a/notes.md": "x",
        "README.txt": "x",
        "a/.hidden.xy": TEXT,
        "top.xy": TEXT,
    }
    records = opened(films(tmp_path, {**FILMS, **others}), label="folder")
    assert len(records) == 5
    found = {one.id: one.reason for one in records.refused}
    assert set(found) == {"a/rings.tif", "a/old.raw", "top.xy"}
    assert "picture from a detector" in found["a/rings.tif"]
    assert "Integrate its rings" in found["a/rings.tif"]
    assert "is not a file of a powder pattern. Expected .xy" in found["a/old.raw"]
    assert found["top.xy"] == "lies in no folder that could name its class"


def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path) -> None:
    names = ["../a.xy", "/etc/b.xy", "x/../../c.xy", "C:/d.xy", "..\\e.xy"]
    path = archive(tmp_path / "films.zip", {**dict.fromkeys(names, TEXT), "x/good.xy": TEXT})
    records = opened(path)
    assert records.ids == ["good"]
    assert [one.reason for one in records.refused] == ["its name leads out of the archive"] * 5
    assert list(tmp_path.iterdir()) == [path]  # nothing was unpacked


def test_archives_that_are_too_large_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "films.zip", FILMS)
    monkeypatch.setattr(pattern_listing, "LARGEST", 100)
    failed = run_items(opened(path).read, opened(path).raws, quiet=True)
    assert all("it is no pattern" in one.reason for one in failed)
    monkeypatch.setattr(pattern_listing, "MOST_MEMBERS", 3)
    with pytest.raises(GnnmatError, match=r"holds 5 files[\s\S]*Unpack it, and name the folder"):
        opened(path)


def test_an_archive_is_opened_once_however_many_patterns_it_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = archive(tmp_path / "films.zip", {f"a/{n}.xy": TEXT for n in range(40)})
    plain = opened(films(tmp_path / "films", {f"a/{n}.xy": TEXT for n in range(40)}))
    openings = []

    class Counting(zipfile.ZipFile):
        def __init__(self, *given: Any, **more: Any) -> None:
            openings.append(given)
            super().__init__(*given, **more)

    monkeypatch.setattr(zipfile, "ZipFile", Counting)
    records = opened(path)
    assert not [one for one in run_items(records.read, records.raws, quiet=True)
                if isinstance(one, Failure)]  # fmt: skip
    assert len(openings) == 1
    assert records.fingerprint == plain.fingerprint


def test_an_archive_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = archive(tmp_path / "films.zip", {"a.xy": TEXT})
    first = opened(path)
    old = first.read(first.raws[0]).counts
    path.unlink()
    archive(path, {"a.xy": TEXT.replace("100", "900"), "b.xy": TEXT})
    second = opened(path)
    assert second.ids == ["a", "b"]
    assert second.fingerprint != first.fingerprint
    assert second.read(second.raws[0]).counts[0] == 900 != old[0]
    path.unlink()
    assert "cannot be read" in run_items(second.read, second.raws, quiet=True)[0].reason


@pytest.mark.parametrize(
    ("files", "options", "words"),
    [
        ({"notes.md": "x"}, {}, r"No powder pattern in .*\n.*Looked for .xy"),
        ({"rings.tif": "x"}, {}, r"No powder pattern[\s\S]*1 other files: .*picture"),
        ({"a.xy": TEXT}, {"label": "folder"}, r"'a.xy' and 0 more lie in no folder"),
        (FILMS, {"rename": {"P3m1": "P-3m1"}}, "no column 'label' to rename classes in"),
        (FILMS, {"label": "folder", "rename": {"P3m": "x"}}, "of the class 'P3m'[\\s\\S]*'P3m1'"),
        (FILMS, {"wavelength": "CuK"}, "no line 'CuK'"),
        (FILMS, {"wavelength": 15.4}, "15.4 Å is out of range"),
        (FILMS, {"units": {"x": "eV"}}, "has no column 'x'"),
    ],
)
def test_mistakes_are_named(
    files: dict[str, str | bytes], options: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(GnnmatError, match=words):
        opened(films(tmp_path, files), **options)


def test_a_path_that_is_not_there_or_no_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(GnnmatError, match="There is no file or folder '/no/such/folder'"):
        opened(Path("/no/such/folder"))
    (tmp_path / "films.zip").write_text("no archive")
    with pytest.raises(GnnmatError, match="is not a readable .zip archive"):
        opened(tmp_path / "films.zip")


def test_an_expression_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"'\(a' is no regular expression"):
        PatternsSource(path="a", series={"x": "(a"})


def test_one_class_alone_cannot_be_learned(tmp_path: Path) -> None:
    records = opened(films(tmp_path, {"cubic/a.xy": TEXT, "cubic/b.xy": TEXT}), label="folder")
    with pytest.raises(GnnmatError, match="holds only the class 'cubic', at least two"):
        classes_of("label", records.table["label"].tolist())


def test_capitals_in_the_name_of_a_line_do_not_count() -> None:
    from gnnmat.inputs import Powder
    from gnnmat.sources.patterns import _lines_of

    assert _lines_of("cuka") == _lines_of("CuKa") == (1.54056, 1.54439)
    assert _lines_of("CUKA1") == (1.54056, None)
    assert Powder(wavelength="moka").wavelength == "MoKa"
