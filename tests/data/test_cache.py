"""The cache: its key, damage, builders that meet or die, bad records, full disks."""

from __future__ import annotations

import errno
import io
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnnmat.data import store_meta as store_module
from gnnmat.data.cache import cache_folder, cache_key, open_store
from gnnmat.data.store import Store
from gnnmat.data.store_meta import META, is_sound
from gnnmat.errors import GnnmatError
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.inputs.image import Image
from gnnmat.sources.crystal import Crystal, as_crystal
from gnnmat.sources.table import TableSource

from .made_records import GRAPH, CountedReader, crystal_records, five_crystals, image_records


def write_table(path: Path, crystals: list[Crystal], **columns: Any) -> Path:
    plain = {
        "lattice": [crystal.lattice.ravel() for crystal in crystals],
        "numbers": [crystal.numbers for crystal in crystals],
        "frac": [crystal.frac.ravel() for crystal in crystals],
    }
    pd.DataFrame({**columns, **plain}).to_parquet(path)
    return path


def table_key(path: Path, crystals: list[Crystal], units: dict[str, str], **columns: Any) -> str:
    write_table(path, crystals, **columns)
    return cache_key(TableSource(path=str(path), units=units).open(), GRAPH)


def test_key_is_kept_when_targets_ids_or_units_change(tmp_path: Path) -> None:
    path, crystals = tmp_path / "table.parquet", five_crystals()
    key = table_key(path, crystals, {}, id=list("abcde"), gap=[1.0, 2, 3, 4, 5])
    assert table_key(path, crystals, {}, id=list("abcde"), gap=[1.0, 2, 3, 4, 6]) == key
    assert table_key(path, crystals, {}, id=list("vwxyz"), gap=[1.0, 2, 3, 4, 5]) == key
    assert table_key(path, crystals, {"gap": "eV"}, id=list("abcde"), gap=range(5)) == key
    assert table_key(path, crystals, {}, metal=[True] * 5) == key


def moved(crystal: Crystal) -> Crystal:
    return as_crystal(crystal.lattice, crystal.numbers, crystal.frac + [0, 0, 1e-4])


def swapped(crystal: Crystal) -> Crystal:
    return as_crystal(crystal.lattice, crystal.numbers + 1, crystal.frac)


def strained(crystal: Crystal) -> Crystal:
    return as_crystal(crystal.lattice * 1.001, crystal.numbers, crystal.frac)


@pytest.mark.parametrize("change", [moved, swapped, strained])
def test_key_changes_with_a_structure(tmp_path: Path, change: Callable[[Crystal], Crystal]) -> None:
    path, crystals = tmp_path / "table.parquet", five_crystals()
    key = table_key(path, crystals, {}, gap=range(5))
    assert table_key(path, [*crystals[:4], change(crystals[4])], {}, gap=range(5)) != key


def test_key_changes_with_order_and_number_of_structures() -> None:
    crystals = five_crystals()
    keys = {
        cache_key(crystal_records(chosen), GRAPH)
        for chosen in (crystals, crystals[::-1], crystals[:4])
    }
    keys.add(cache_key(crystal_records(crystals).take([0, 1, 2, 3]), GRAPH))
    assert len(keys) == 4


def test_key_changes_with_every_setting_of_the_input() -> None:
    records = crystal_records(five_crystals())
    settings = [
        GRAPH,
        GRAPH.model_copy(update={"cutoff": 5.1}),
        GRAPH.model_copy(update={"neighbours": 9}),
        GRAPH.model_copy(update={"neighbours": None}),
        GRAPH.model_copy(update={"shell_tolerance": 1e-3}),
        Image(),
        Image(percentile=99),
    ]
    assert len({cache_key(records, setting) for setting in settings}) == len(settings)


def test_second_opening_reads_nothing(tmp_path: Path) -> None:
    reader = CountedReader()
    records = crystal_records(five_crystals(), reader)
    open_store(records, GRAPH, folder=tmp_path)
    assert reader.calls == 5
    renamed = replace(records, ids=list("abcde"), table=pd.DataFrame({"gap": range(5)}))
    store, _ = open_store(renamed, GRAPH, folder=tmp_path)
    assert reader.calls == 5
    assert len(store) == 5
    open_store(records, CrystalGraph(cutoff=4.0), folder=tmp_path)
    assert reader.calls == 10


def test_cache_lies_where_the_variable_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path / "graphs"
    store, _ = open_store(crystal_records(five_crystals()), GRAPH)
    assert store.folder.parent == tmp_path / "graphs"


def test_store_may_be_read_by_whoever_may_read_new_files(tmp_path: Path) -> None:
    (tmp_path / "any").mkdir()
    store, _ = open_store(crystal_records(five_crystals()), GRAPH, folder=tmp_path)
    assert store.folder.stat().st_mode == (tmp_path / "any").stat().st_mode


# Damage: each gets the folder of a sound store.


def cut_short(folder: Path) -> None:
    path = folder / "edge_length.bin"
    path.write_bytes(path.read_bytes()[:-4])


def extra_byte(folder: Path) -> None:
    with (folder / "pos.bin").open("ab") as file:
        file.write(b"\0")


def flipped(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0x10
    path.write_bytes(bytes(content))


def flipped_byte(folder: Path) -> None:
    flipped(folder / "source.bin", 40)


def flipped_behind_the_back(folder: Path) -> None:
    stat = (folder / "z.bin").stat()
    flipped(folder / "z.bin", 0)
    os.utime(folder / "z.bin", ns=(stat.st_atime_ns, stat.st_mtime_ns))


def flipped_pointer(folder: Path) -> None:
    flipped(folder / "atom_start.npy", -8)


def missing_file(folder: Path) -> None:
    (folder / "kept.npy").unlink()


def missing_meta(folder: Path) -> None:
    (folder / META).unlink()


def garbage_meta(folder: Path) -> None:
    (folder / META).write_bytes(b"\xff\x00garbage")


def empty_meta(folder: Path) -> None:
    (folder / META).write_bytes(b"")


def other_shape(folder: Path) -> None:
    text = (folder / META).read_text()
    assert '"shape": [19, 3]' in text
    (folder / META).write_text(text.replace('"shape": [19, 3]', '"shape": [18, 3]'))


DAMAGES = [
    cut_short, extra_byte, flipped_byte, flipped_behind_the_back, flipped_pointer, missing_file,
    missing_meta, garbage_meta, empty_meta, other_shape,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_damage_is_noticed_and_mended(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    reader = CountedReader()
    records = crystal_records(five_crystals(), reader)
    store, _ = open_store(records, GRAPH, folder=tmp_path)
    sound = store.batch(range(5))
    damage(store.folder)
    assert not is_sound(store.folder)
    mended, refused = open_store(records, GRAPH, folder=tmp_path)
    assert reader.calls == 10
    assert refused == []
    again = mended.batch(range(5))
    for name in (*GRAPH.fields, "row", "ptr"):
        assert np.array_equal(again[name].numpy(), sound[name].numpy()), name
    assert is_sound(store.folder)


def test_touched_file_with_the_right_content_is_not_rebuilt(tmp_path: Path) -> None:
    reader = CountedReader()
    records = crystal_records(five_crystals(), reader)
    store, _ = open_store(records, GRAPH, folder=tmp_path)
    for path in store.folder.iterdir():
        os.utime(path, ns=(1, 1))
    open_store(records, GRAPH, folder=tmp_path)
    assert reader.calls == 5


def test_large_file_is_compared_only_when_it_was_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ALWAYS_CHECKED", 0)
    store, _ = open_store(crystal_records(five_crystals()), GRAPH, folder=tmp_path)
    flipped_behind_the_back(store.folder)
    assert is_sound(store.folder)  # the documented limit
    flipped_byte(store.folder)
    assert not is_sound(store.folder)


# Builders that meet, and builders that die, as real processes. They are forked, which spares
# the import, and run nothing of torch.

forks = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
SIZES = [3 + item / 100 for item in range(40)]  # Å


class Builders:
    """Processes that build the same store, slowly, and say in a file what they read."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        self.cache = folder / "cache"
        self.context = multiprocessing.get_context("fork")
        self.meeting = self.context.Barrier(2)

    def read(self, size: float) -> Crystal:
        with self.log.open("a") as log:
            log.write(f"{size}\n")
        time.sleep(0.01)
        return as_crystal(np.eye(3) * size, [29], [[0, 0, 0]])

    def calls(self) -> int:
        return len(self.log.read_text().split()) if self.log.exists() else 0

    def build(self, meet: bool = False) -> Store:
        if meet:
            self.meeting.wait(60)
        records = crystal_records(SIZES, self.read)
        return open_store(records, GRAPH, folder=self.cache, workers=1, quiet=True)[0]

    def start(self, meet: bool = False) -> ForkProcess:
        process = self.context.Process(target=self.build, args=(meet,))
        process.start()
        return process

    def assert_sound(self, store: Store) -> None:
        assert is_sound(store.folder)
        assert store.array("lattice")[:, 0, 0] == pytest.approx(SIZES)
        names = {path.name for path in self.cache.iterdir()}
        assert names == {store.folder.name, f"{store.folder.name}.lock"}


@forks
def test_two_processes_build_a_store_once(tmp_path: Path) -> None:
    builders = Builders(tmp_path)
    both = [builders.start(meet=True) for _ in range(2)]
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert builders.calls() == len(SIZES)
    builders.assert_sound(builders.build())
    assert builders.calls() == len(SIZES)


@forks
def test_killed_builder_leaves_no_store_and_no_lock(tmp_path: Path) -> None:
    builders = Builders(tmp_path)
    victim = builders.start()
    deadline = time.monotonic() + 60
    while builders.calls() < 10:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    victim.kill()
    victim.join()
    assert builders.calls() < len(SIZES)  # it died half-way
    left = [path for path in builders.cache.iterdir() if path.suffix != ".lock"]
    assert [path.name[0] for path in left] == ["."]  # hidden, and under no name that is asked for
    assert not is_sound(left[0])
    builders.log.unlink()
    builders.assert_sound(builders.build())
    assert builders.calls() == len(SIZES)


# Bad records.


def test_bad_record_does_not_stop_the_rest(tmp_path: Path) -> None:
    good = five_crystals()
    raws = [good[0], "rubbish", good[1], None, good[2]]
    store, refused = open_store(crystal_records(raws, CountedReader()), GRAPH, folder=tmp_path)
    assert store.kept.tolist() == [0, 2, 4]
    assert [(one.id, one.origin) for one in refused] == [
        ("c1", "list, item 2"),
        ("c3", "list, item 4"),
    ]
    assert refused[0].reason == "'rubbish' is no crystal. It is a word."
    assert "was given a NoneType, not a crystal" in refused[1].reason
    assert store.crystal(1).numbers.tolist() == good[1].numbers.tolist()


def test_refusals_are_remembered_under_the_ids_of_today(tmp_path: Path) -> None:
    reader = CountedReader()
    records = crystal_records([five_crystals()[0], "rubbish"], reader)
    open_store(records, GRAPH, folder=tmp_path)
    _, refused = open_store(replace(records, ids=["x", "y"]), GRAPH, folder=tmp_path)
    assert [one.id for one in refused] == ["y"]
    assert reader.calls == 2


def test_nothing_readable_is_an_error(tmp_path: Path) -> None:
    records = crystal_records(["rubbish", "dirt"], CountedReader())
    for _ in range(2):  # built, and found in the cache
        with pytest.raises(GnnmatError) as caught:
            open_store(records, GRAPH, folder=tmp_path)
        assert caught.value.what == "Not one structure could be used."
        assert caught.value.why == (
            "2 were refused. The first: 'rubbish' is no crystal. It is a word."
        )


def test_image_of_another_shape_is_refused(tmp_path: Path) -> None:
    images = [np.ones((1, 4, 4)), np.ones((1, 4, 5)), np.ones((2, 4, 4)), np.ones((1, 4, 4))]
    store, refused = open_store(image_records(images), Image(), folder=tmp_path)
    assert store.kept.tolist() == [0, 3]
    assert [one.id for one in refused] == ["i1", "i2"]
    assert refused[0].reason == "image has shape (1, 4, 5), the first sample has (1, 4, 4)"


# Disks.


class FullFile(io.BytesIO):
    """A file on a full disk."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def write(self, _: Any) -> int:
        raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("name", ["edge_length.bin", "kept.npy", META])
def test_full_disk_is_said_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    plain_open = Path.open

    def full_open(self: Path, mode: str = "r", *more: Any, **options: Any) -> Any:
        if self.name == name and "w" in mode:
            return FullFile(number) if "b" in mode else io.TextIOWrapper(FullFile(number))
        return plain_open(self, mode, *more, **options)

    records = crystal_records(five_crystals())
    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", full_open)
        with pytest.raises(GnnmatError, match="The disk is full: graphs could not be") as caught:
            open_store(records, GRAPH, folder=tmp_path)
    assert "GNNMAT_CACHE" in caught.value.fix
    assert [path.suffix for path in tmp_path.iterdir()] == [".lock"]
    assert len(open_store(records, GRAPH, folder=tmp_path)[0]) == 5


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "below"):
        with pytest.raises(GnnmatError) as caught:
            open_store(crystal_records(five_crystals()), GRAPH, folder=folder)
        assert caught.value.what == f"Graphs cannot be written to {folder}."
        assert caught.value.why in {"File exists", "Not a directory"}
        assert "GNNMAT_CACHE" in caught.value.fix
    assert (tmp_path / "taken").read_text() == "a file"


def test_store_of_an_earlier_format_is_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, _ = open_store(crystal_records(five_crystals()), GRAPH, folder=tmp_path)
    assert Store(store.folder).meta["format"] == store_module.FORMAT
    monkeypatch.setattr(store_module, "FORMAT", store_module.FORMAT + 1)
    assert not is_sound(store.folder)


def test_what_a_store_says_of_itself_is_plain_json(tmp_path: Path) -> None:
    store, _ = open_store(crystal_records(five_crystals()), GRAPH, folder=tmp_path)
    _, text = (store.folder / META).read_text().splitlines()
    assert json.loads(text)["samples"] == 5
