"""Crystals from Python objects and paths, in any mixture, as `predict` gets them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gnnmat.errors import GnnmatError
from gnnmat.sources.columns import check_ids
from gnnmat.sources.crystal import Crystal
from gnnmat.sources.crystal_file import FilePart
from gnnmat.sources.listing import find_files, list_items, numbered, unique_names
from gnnmat.sources.read import read_crystal
from gnnmat.sources.records import Records, Refusal


def records_from_objects(
    objects: Sequence[Any],
    ids: Sequence[str] | None = None,
    targets: Mapping[str, Sequence[Any]] | pd.DataFrame | None = None,
) -> Records:
    """Records of paths, pymatgen structures, ASE atoms, crystals or tuples of arrays.

    A path to a file with several structures, or to a folder, gives one record a structure. An
    object that cannot be read is refused, with its reason, and does not stop the others.

    Args:
        objects: what `read_crystal` takes, and folders.
        ids: one an object; None: the file's stem, or ``structure-1`` by position.
        targets: values by column, one an object.

    Raises:
        GnnmatError: the lengths differ, or an id appears twice.
    """
    if isinstance(objects, (str, Path)) or hasattr(objects, "lattice") or hasattr(objects, "pbc"):
        raise GnnmatError("Give a list of structures, even for one.", fix="[structure]")
    table = pd.DataFrame(targets if targets is not None else {})
    for name, given in (("ids", ids), ("targets", table if targets is not None else None)):
        if given is not None and len(given) != len(objects):
            raise GnnmatError(f"There are {len(objects)} structures but {len(given)} {name}.")
    if ids is not None:
        check_ids([str(name) for name in ids], "ids")
    collected = _Collected()
    names = _names(objects) if ids is None else [str(name) for name in ids]
    for place, item in enumerate(objects):
        if isinstance(item, (str, Path)):
            collected.add_path(place, item, names[place], given=ids is not None)
        else:
            collected.add_object(place, item, names[place])
    chosen = table.iloc[collected.places] if targets is not None else None
    rows = len(collected.places)
    return Records(
        ids=numbered(collected.ids),
        raws=collected.raws,
        read=read_crystal,
        fingerprint=collected.sha.hexdigest(),
        table=pd.DataFrame(index=range(rows)) if chosen is None else chosen.reset_index(drop=True),
        origins=collected.origins,
        refused=collected.refused,
    )


def _names(objects: Sequence[Any]) -> list[str]:
    """Stem of every path (more of it where two share the stem), position of everything else."""
    places = [place for place, item in enumerate(objects) if isinstance(item, (str, Path))]
    names = [f"structure-{place + 1}" for place in range(len(objects))]
    stems = unique_names([Path(objects[place]).as_posix() for place in places])
    for place, name in zip(places, stems, strict=True):
        names[place] = name
    return names


class _Collected:
    """What has been gathered so far, column by column."""

    def __init__(self) -> None:
        self.places: list[int] = []
        self.ids: list[str] = []
        self.raws: list[Any] = []
        self.origins: list[str] = []
        self.refused: list[Refusal] = []
        self.sha = hashlib.sha256()

    def add(self, place: int, name: str, raw: Any, origin: str, digest: bytes) -> None:
        self.places.append(place)
        self.ids.append(name)
        self.raws.append(raw)
        self.origins.append(origin)
        self.sha.update(digest)

    def add_path(self, place: int, path: str | Path, name: str, given: bool) -> None:
        try:
            files, strangers = find_files(str(path))
        except GnnmatError as error:
            self.refused.append(Refusal(name, str(path), error.sentence))
            return
        items, unread = list_items(files)
        self.refused += strangers + unread
        if not (items or strangers or unread):
            self.refused.append(Refusal(name, str(path), "no crystal file in this folder"))
        single = len(files) == 1
        for item in items:
            own = name + item.mark if single or given else item.id
            self.add(place, own, item.raw, item.origin, item.digest)

    def add_object(self, place: int, item: Any, name: str) -> None:
        origin = f"{type(item).__name__} number {place + 1}"
        raw = item
        try:
            if not isinstance(item, FilePart):
                # Read at once: plain arrays are smaller to send than the objects.
                raw = read_crystal(item)
        except GnnmatError as error:
            self.refused.append(Refusal(name, origin, error.sentence))
            return
        digest = raw.digest() if isinstance(raw, Crystal) else repr(raw).encode()
        self.add(place, name, raw, origin, digest)
