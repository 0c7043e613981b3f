"""Building a store once: keyed by structures and input settings, written beside, then moved."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from gnnmat.data.store import DISK, Store, pack
from gnnmat.data.store_meta import FORMAT, checksum, is_sound, write_meta
from gnnmat.engine import Failure, iter_items
from gnnmat.errors import GnnmatError
from gnnmat.inputs import Input
from gnnmat.sample import check_sample
from gnnmat.sources.records import Records, Refusal

REFUSED = "refused.json"


def cache_folder() -> Path:
    """Where graphs are kept: ``$GNNMAT_CACHE``, else the platform's cache folder."""
    import pooch

    return Path(os.environ.get("GNNMAT_CACHE") or pooch.os_cache("gnnmat")) / "graphs"


def cache_key(records: Records, input: Input) -> str:
    """Digest of the structures and the input settings; targets and ids do not enter."""
    settings = json.dumps(input.model_dump(mode="json"), sort_keys=True)
    text = f"{FORMAT}\n{settings}\n{len(records)}\n{records.fingerprint}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def open_store(
    records: Records,
    input: Input,
    *,
    folder: Path | None = None,
    workers: int | None = None,
    quiet: bool = False,
) -> tuple[Store, list[Refusal]]:
    """The store of these records, built if it is not there or is damaged.

    Args:
        records: what to read.
        input: how a sample is made of it.
        folder: parent of all stores; default `cache_folder`.
        workers: processes that parse and build; None chooses by the amount of work.
        quiet: no progress bar.

    Returns:
        The store and the records left out, each with its reason.

    Raises:
        GnnmatError: nothing could be read, or the folder cannot be written.
    """
    from filelock import FileLock

    home = (folder or cache_folder()) / cache_key(records, input)
    with _plain_errors(home.parent):
        home.parent.mkdir(parents=True, exist_ok=True)
        if not is_sound(home):
            with FileLock(f"{home}.lock"):
                if not is_sound(home):
                    _build(home, records, input, workers, quiet)
    store = Store(home)
    reasons = json.loads((home / REFUSED).read_text())
    refused = [Refusal(records.ids[item], records.origin(item), reason) for item, reason in reasons]
    if not len(store):
        first = f" The first: {refused[0].reason}" if refused else ""
        raise GnnmatError(
            "Not one structure could be used.", why=f"{len(refused)} were refused.{first}"
        )
    check_sample(store.sample(0), input.fields)
    return store, refused


def _make(raw: Any, records_read: Any, input: Input) -> dict[str, NDArray[Any]]:
    return pack(input.sample(records_read(raw)))


def _build(home: Path, records: Records, input: Input, workers: int | None, quiet: bool) -> None:
    # The lock is ours, so what is already there was left by a builder that was killed.
    beside = home.with_name(f".{home.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        work = partial(_make, records_read=records.read, input=input)
        results = iter_items(
            work, records.raws, workers=workers, label="Reading structures", quiet=quiet
        )
        _write(beside, results, list(input.fields))
        if home.exists():
            shutil.rmtree(home)
        beside.rename(home)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write(folder: Path, results: Iterator[Any], fields: list[str]) -> None:
    kept: list[int] = []
    refused: list[tuple[int, str]] = []
    counts: dict[str, list[int]] = {"atom": [], "edge": []}
    shapes: dict[str, tuple[int, ...]] = {}
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {}
        for item, result in enumerate(results):
            if isinstance(result, Failure):
                refused.append((item, result.reason))
                continue
            trouble = _unlike(result, shapes)
            if trouble:
                refused.append((item, trouble))
                continue
            for name, array in result.items():
                if name not in files:
                    files[name] = stack.enter_context((folder / f"{name}.bin").open("wb"))
                    shapes[name] = array.shape[1:]
                files[name].write(array.tobytes())
            kept.append(item)
            counts["atom"].append(len(result["z"]) if "z" in result else 0)
            counts["edge"].append(len(result["source"]) if "source" in result else 0)
    for level, numbers in counts.items():
        start = np.concatenate([[0], np.cumsum(numbers)]).astype(np.int64)
        _save(folder / f"{level}_start.npy", start)
    _save(folder / "kept.npy", np.asarray(kept, dtype=np.int64))
    (folder / REFUSED).write_text(json.dumps(refused))
    sizes = {"sample": len(kept), "atom": sum(counts["atom"]), "edge": sum(counts["edge"])}
    _write_meta(folder, fields, shapes, sizes)


def _save(path: Path, array: NDArray[Any]) -> None:
    # Not straight into the file: on a full disk numpy then raises an error that does not say so.
    content = io.BytesIO()
    np.save(content, array)
    path.write_bytes(content.getvalue())


def _unlike(result: dict[str, NDArray[Any]], shapes: dict[str, tuple[int, ...]]) -> str:
    """Why this sample cannot stand beside the first one, or an empty string."""
    for name, array in result.items():
        if name in shapes and array.shape[1:] != shapes[name]:
            return f"{name} has shape {array.shape[1:]}, the first sample has {shapes[name]}"
    return ""


def _write_meta(
    folder: Path, fields: list[str], shapes: dict[str, tuple[int, ...]], sizes: dict[str, int]
) -> None:
    arrays = {
        name: {"dtype": DISK[name][0], "shape": [sizes[DISK[name][1]], *shape]}
        for name, shape in shapes.items()
    }
    files = {}
    for path in sorted(folder.iterdir()):
        stat = path.stat()
        files[path.name] = {
            "bytes": stat.st_size,
            "mtime": stat.st_mtime_ns,
            "crc": checksum(path),
        }
    meta = {
        "format": FORMAT,
        "samples": sizes["sample"],
        "fields": fields,
        "arrays": arrays,
        "files": files,
    }
    write_meta(folder, meta)


@contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise GnnmatError(
                f"The disk is full: graphs could not be written to {folder}.",
                fix="Free some space, or set GNNMAT_CACHE to a folder on another disk.",
            ) from error
        raise GnnmatError(
            f"Graphs cannot be written to {folder}.",
            why=str(error.strerror or error),
            fix="Set GNNMAT_CACHE to a folder you may write to.",
        ) from error
