"""What a store says of itself, and whether its files are as they were written."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

FORMAT = 1  # in every cache key: raise it when files or graphs change their meaning
META = "meta.json"

# Files up to this size are compared by checksum at every opening, which costs about a
# millisecond; among them is everything that says where a sample begins.
ALWAYS_CHECKED = 2**20  # bytes


def checksum(path: Path) -> int:
    """CRC-32 of a file, read in blocks."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(2**22):
            crc = zlib.crc32(block, crc)
    return crc


def write_meta(folder: Path, meta: dict[str, Any]) -> None:
    """Write what a store says of itself, under a checksum of its own."""
    text = json.dumps(meta)
    (folder / META).write_text(f"{zlib.crc32(text.encode())}\n{text}\n")


def read_meta(folder: Path) -> dict[str, Any]:
    """What `write_meta` wrote.

    Raises:
        OSError, ValueError: it is not there, or not as it was written.
    """
    crc, text = (folder / META).read_text().splitlines()
    if zlib.crc32(text.encode()) != int(crc):
        raise ValueError(f"{folder / META} is damaged")
    meta: dict[str, Any] = json.loads(text)
    return meta


def is_sound(folder: Path) -> bool:
    """Whether the store is complete and, as far as is looked, undamaged.

    Always noticed: a missing file, another length, any change of `META` or of a file up to
    1 MiB. A change inside a larger file is noticed when the file's time changed with it, as it
    does for everything written through the file system. Not noticed: a larger file whose
    bytes change behind its back (a failing disk), or whose time was set back; reading all of it
    at every opening would be the price.
    """
    try:
        meta = read_meta(folder)
        if meta["format"] != FORMAT:
            return False
        return all(_is_as_written(folder / name, entry) for name, entry in meta["files"].items())
    except (OSError, ValueError):
        return False


def _is_as_written(path: Path, entry: dict[str, int]) -> bool:
    stat = path.stat()
    if stat.st_size != entry["bytes"]:
        return False
    untouched = stat.st_mtime_ns == entry["mtime"] and stat.st_size > ALWAYS_CHECKED
    return untouched or checksum(path) == entry["crc"]
