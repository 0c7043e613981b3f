"""Models of other people by name, fetched from the Hugging Face hub: ``hf://owner/name``.

What is fetched is pinned: the commit is resolved once, and that copy answers from then on, with
or without a network, until `fetch_model` is asked again. Only the files that the card lists are
kept, each with the size and checksum that the card states, and none of them can run code:
safetensors, JSON, YAML and text. The checksums tell a broken copy from a whole one; whether its
makers can be trusted they do not tell.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from gnnmat.atomic import write_atomically
from gnnmat.errors import GnnmatError
from gnnmat.zoo.card import CARD, KINDS, TEXT, ModelCard, read_card
from gnnmat.zoo.hub_name import PREFIX, HubName, hub_folder, hub_name, is_commit

LARGEST = 200_000_000  # bytes; no model made here comes near it
TIMEOUT = 30.0  # seconds without an answer


def fetched_models() -> dict[str, ModelCard]:
    """The readable cards of the models in the cache by name, with a commit where not pinned."""
    found = {}
    for path in sorted(hub_folder().glob(f"*/*/{CARD}")):
        place = path.parent
        pinned = HubName(place.parent.name.replace("--", "/", 1))
        name = pinned if pinned.copy() == place else HubName(pinned.repo, place.name)
        # One card of another version must not keep the others from being listed.
        with suppress(GnnmatError):
            found[str(name)] = read_card(place)
    return found


def find_on_hub(name: str | Path) -> Path:
    """The folder of a fetched model; fetched now if it never was.

    Raises:
        GnnmatError: see `fetch_model`.
    """
    wanted = hub_name(name)
    return wanted.copy() or fetch_model(wanted)


def fetch_model(name: str | Path | HubName, *, largest: int = LARGEST) -> Path:
    """The folder of a model as it is on the hub today, or at its revision; pinned from now on.

    Args:
        name: ``owner/name``, with or without ``hf://`` and ``@revision``.
        largest: bytes that it may have.

    Raises:
        GnnmatError: huggingface_hub is missing, no connection, no such model, too large, not a
            model of gnnmat, or files that differ from its card. Nothing of it is kept then.
    """
    wanted = name if isinstance(name, HubName) else hub_name(name)
    hub = _library()
    with _explained(wanted):
        info = hub.HfApi().model_info(
            wanted.repo, revision=wanted.revision or None, files_metadata=True, timeout=TIMEOUT
        )
    commit = str(info.sha)
    if not is_commit(commit):
        raise GnnmatError(f"The hub names no commit of {wanted}.")
    _check_size(
        wanted, sum(one.size or 0 for one in info.siblings if _is_kept(one.rfilename)), largest
    )
    place = wanted.shelf / commit
    if not place.is_dir():
        _download(hub, wanted, commit, place, largest)
    if wanted.revision != commit:
        write_atomically(wanted.note, commit + "\n")
    return place


def _download(hub: Any, name: HubName, commit: str, place: Path, largest: int) -> None:
    """The files of one commit in ``place``, whole and checked or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as scratch:
        raw, whole = Path(scratch) / "raw", Path(scratch) / "whole"
        with _explained(name):
            hub.snapshot_download(
                name.repo,
                revision=commit,
                local_dir=raw,
                allow_patterns=[f"*{kind}" for kind in KINDS],
            )
        _keep_listed(name, raw, whole, largest)
        try:
            os.replace(whole, place)
        except OSError:
            if not place.is_dir():  # else another process was faster, with the same files
                raise


def _keep_listed(name: HubName, raw: Path, whole: Path, largest: int) -> None:
    """Move what the card lists to ``whole``, if it is as the card says.

    Raises:
        GnnmatError: no card, a file of another kind or place, missing, or with other content.
    """
    if not (raw / CARD).is_file() or (raw / CARD).is_symlink():
        raise GnnmatError(
            f"{name} is not a model of gnnmat: it has no {CARD}.",
            fix="Ask its owner, or choose a model that gnnmat has shipped.",
        )
    card = read_card(raw)
    if not card.files:
        raise GnnmatError(f"The card of {name} lists no files, so none can be checked.")
    _check_size(name, sum(one.bytes for one in card.files.values()), largest)
    for file, known in card.files.items():
        pure = PurePosixPath(file)
        if pure.is_absolute() or ".." in pure.parts or "\\" in file or pure.suffix not in KINDS:
            raise GnnmatError(
                f"The card of {name} lists '{file}', which is no file of a model.",
                why=f"Only files inside its folder that end in {', '.join(KINDS)} are taken.",
            )
        path = raw / file
        if not path.is_file() or path.is_symlink():
            raise _differs(name, f"'{file}' is missing")
        content = path.read_bytes()
        if len(content) != known.bytes or hashlib.sha256(content).hexdigest() != known.sha256:
            raise _differs(name, f"'{file}' has another checksum")
        (whole / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(path, whole / file)
    for file in (CARD, TEXT):
        if (raw / file).is_file():
            shutil.move(raw / file, whole / file)


def _differs(name: HubName, what: str) -> GnnmatError:
    return GnnmatError(
        f"The files of {name} are not those of its card.",
        why=f"{what[0].upper()}{what[1:]}. Nothing was kept.",
        fix="Fetch it again; if it stays so, tell its owner.",
    )


def _is_kept(file: str) -> bool:
    return PurePosixPath(file).suffix in KINDS


def _check_size(name: HubName, size: int, largest: int) -> None:
    if size > largest:
        raise GnnmatError(
            f"{name} has {size / 1e6:.1f} MB, more than {largest / 1e6:.1f} MB.",
            why="Models of gnnmat are small; this is something else. Nothing was kept.",
        )


def _library() -> Any:
    """The module huggingface_hub.

    Raises:
        GnnmatError: it is not installed.
    """
    try:
        import huggingface_hub
    except ImportError as error:
        raise GnnmatError(
            "Models on the hub need the package huggingface_hub.",
            fix='pip install "gnnmat[hub]"',
        ) from error
    return huggingface_hub


@contextmanager
def _explained(name: HubName) -> Iterator[None]:
    """Errors of the hub in words, around a block."""
    try:
        yield
    except Exception as error:  # of requests, httpx and huggingface_hub, by version
        raise _in_words(name, error) from error


def _in_words(name: HubName, error: Exception) -> GnnmatError:
    # Found by name: the classes have moved between versions of huggingface_hub.
    kinds = {one.__name__ for one in type(error).__mro__}
    if "RevisionNotFoundError" in kinds:
        return GnnmatError(f"{name} has no revision '{name.revision}'.")
    if kinds & {"RepositoryNotFoundError", "GatedRepoError"}:
        return GnnmatError(
            f"There is no model {name} that you may read.",
            fix="Check its name at https://huggingface.co; for a private one: hf auth login",
        )
    old = HubName(name.repo).copy()
    first = next(iter(str(error).splitlines()), "")
    return GnnmatError(
        f"{name} could not be fetched from the hub.",
        why=f"{type(error).__name__}: {first}",
        fix=f"The copy fetched before is still used by {PREFIX}{name.repo}."
        if old
        else "Check the network and the proxy settings, and HF_HUB_OFFLINE.",
    )
