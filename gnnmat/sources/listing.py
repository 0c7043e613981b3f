"""The crystal files of a folder, a pattern or a list, each with an id that no other one has."""

from __future__ import annotations

import glob
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnnmat.errors import GnnmatError
from gnnmat.sources.crystal_file import crystal_format, read_bytes
from gnnmat.sources.parts import Part, file_parts
from gnnmat.sources.paths import expand_path
from gnnmat.sources.records import Refusal

# What people keep beside their structures; anything else that is no crystal file is reported.
NOT_MEANT = {".csv", ".tsv", ".txt", ".md", ".rst", ".yaml", ".yml", ".html", ".pdf", ".py"}
NOT_MEANT |= {".ipynb", ".sh", ".log", ".png", ".svg", ".xlsx", ".parquet", ".npz", ".toml"}


@dataclass(frozen=True)
class Item:
    """One structure of one file.

    Args:
        id: the file's stem; with ``#1``, ``#2`` if it holds several; with the folder, or the whole
            relative path, where two files share the stem.
        names: other names under which a table may know it; they may be ambiguous.
        origin: the file, for messages.
        raw: what `read_crystal` takes.
        info: numbers and words the file gives with it.
        digest: of what the file holds, not of its name.
        mark: ``#1``, ``#2`` in a file that holds several, else empty.
    """

    id: str
    names: tuple[str, ...]
    origin: str
    raw: Any
    info: dict[str, Any]
    digest: bytes
    mark: str = ""


def find_files(structures: str | Sequence[str]) -> tuple[list[tuple[Path, str]], list[Refusal]]:
    """Crystal files with their relative paths, sorted, and what was found that is none.

    Args:
        structures: a folder (searched with its sub-folders), a file, a pattern such as
            ``runs/*/CONTCAR``, or a list of these.

    Raises:
        GnnmatError: a path that is not there, or a pattern that fits nothing.
    """
    found: dict[Path, str] = {}
    refused: list[Refusal] = []
    for text in [structures] if isinstance(structures, str) else structures:
        path = expand_path(text)
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                relative = file.relative_to(path)
                if not file.is_file() or any(part.startswith(".") for part in relative.parts):
                    continue
                if crystal_format(file):
                    found.setdefault(file, relative.as_posix())
                elif not _is_other(file):
                    refused.append(Refusal(file.name, str(file), "not a crystal file"))
        elif path.is_file():
            found.setdefault(path, path.name)
        else:
            matches = sorted(glob.glob(str(path), recursive=True))
            if not matches:
                raise GnnmatError(f"There is no file or folder '{path}'.")
            files = [Path(match) for match in matches if Path(match).is_file()]
            shared = _shared_folder(files)
            for file in files:
                found.setdefault(file, file.relative_to(shared).as_posix())
    return list(found.items()), refused


def _shared_folder(files: list[Path]) -> Path:
    """The deepest folder that holds all the files."""
    parents = [set(file.parents) for file in files]
    common = set.intersection(*parents) if parents else set()
    return max(common, key=lambda folder: len(folder.parts), default=Path())


def _is_other(file: Path) -> bool:
    return file.suffix.lower() in NOT_MEANT or file.stem.upper() in {
        "README",
        "LICENSE",
        "LICENCE",
        "MAKEFILE",
    }


def list_items(files: Sequence[tuple[Path, str]]) -> tuple[list[Item], list[Refusal]]:
    """Every structure of the files, and the files that could not be opened."""
    ids = unique_names([relative for _, relative in files])
    items: list[Item] = []
    refused: list[Refusal] = []
    for (path, relative), name in zip(files, ids, strict=True):
        try:
            content = read_bytes(path)
        except GnnmatError as error:
            refused.append(Refusal(name, str(path), error.sentence))
            continue
        sha = hashlib.sha256(content).digest()
        items += [_item(part, path, relative, name, sha) for part in file_parts(path, content)]
    return items, refused


def _item(part: Part, path: Path, relative: str, name: str, sha: bytes) -> Item:
    mark = f"#{part.number}" if part.number else ""
    names = (stem(path.name), path.name, relative, _without_suffix(relative))
    others = tuple(dict.fromkeys(other + mark for other in names))
    # The kind of file belongs to it: the same text reads differently under another ending.
    digest = sha + part.number.to_bytes(8, "little") + str(crystal_format(path)).encode()
    return Item(name + mark, others, f"{path}{mark}", part.raw, dict(part.info), digest, mark)


def stem(name: str) -> str:
    """The file's name without its ending, ``.gz`` included; ``POSCAR.Si`` stays as it is."""
    if name.lower().endswith(".gz"):
        name = name[:-3]
    if name.upper().startswith(("POSCAR", "CONTCAR")):
        return name
    return Path(name).stem


def _without_suffix(relative: str) -> str:
    path = Path(relative)
    return (path.parent / stem(path.name)).as_posix()


def unique_names(relatives: Sequence[str]) -> list[str]:
    """For each file the shortest name that no other file has: stem, folder/stem, whole path."""
    rounds = (
        [stem(Path(relative).name) for relative in relatives],
        [_without_suffix(relative) for relative in relatives],
    )
    counts = [Counter(names) for names in rounds]
    chosen = []
    for place, relative in enumerate(relatives):
        options = (
            names[place]
            for names, count in zip(rounds, counts, strict=True)
            if count[names[place]] == 1
        )
        chosen.append(next(options, relative))
    return numbered(chosen)


def numbered(names: Sequence[str]) -> list[str]:
    """The names with `` (2)``, `` (3)`` where the same one comes again, from another folder."""
    taken: set[str] = set()
    result = []
    for name in names:
        unique, number = name, 1
        while unique in taken:
            number += 1
            unique = f"{name} ({number})"
        taken.add(unique)
        result.append(unique)
    return result
