"""What gnnmat uses of the package huggingface_hub, over one folder."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path
from types import SimpleNamespace
from typing import Any

OLD, NEW = "a" * 40, "b" * 40


class RepositoryNotFoundError(Exception):
    """As the hub's own."""


class RevisionNotFoundError(Exception):
    """As the hub's own."""


class MadeUpHub:
    """What gnnmat uses of huggingface_hub, over one folder.

    Args:
        folder: the files of the one repository, ``owner/name``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commits = {"": OLD, "v1": OLD, OLD: OLD, NEW: NEW}
        self.asked: list[str] = []
        self.error: Exception | None = None
        self.size: int | None = None

    def HfApi(self) -> MadeUpHub:
        return self

    def model_info(
        self, repo: str, *, revision: str | None, files_metadata: bool, timeout: float
    ) -> Any:
        assert files_metadata
        self.asked.append(f"info {repo} {revision}")
        if self.error is not None:
            raise self.error
        if repo != "owner/name":
            raise RepositoryNotFoundError("404")
        if (revision or "") not in self.commits:
            raise RevisionNotFoundError("404")
        files = [
            SimpleNamespace(
                rfilename=path.relative_to(self.folder).as_posix(),
                size=self.size if self.size is not None else path.stat().st_size,
            )
            for path in self.folder.rglob("*")
            if path.is_file()
        ]
        return SimpleNamespace(sha=self.commits[revision or ""], siblings=files)

    def snapshot_download(
        self, repo: str, *, revision: str, local_dir: Path, allow_patterns: list[str]
    ) -> str:
        self.asked.append(f"download {revision}")
        if self.error is not None:
            raise self.error
        for path in self.folder.rglob("*"):
            name = path.relative_to(self.folder).as_posix()
            if path.is_file() and any(fnmatch(name, one) for one in allow_patterns):
                (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, local_dir / name)
        return str(local_dir)
