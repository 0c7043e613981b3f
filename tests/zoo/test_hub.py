"""Models from the hub: fetched by name, pinned, checked against their card. The hub is made up."""

from __future__ import annotations

import importlib
import inspect
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import gnnmat
from gnnmat import zoo
from gnnmat.errors import GnnmatError
from gnnmat.workflows.transfer import _lasting_name
from gnnmat.zoo import find_model
from gnnmat.zoo.hub import fetch_model, fetched_models, find_on_hub
from gnnmat.zoo.hub_name import HubName, hub_folder, hub_name

from ..train.tiny import crystals, graph_cache  # noqa: F401
from .made_up_hub import NEW, OLD, MadeUpHub
from .tiny_model import NAME, tiny_shelf


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUpHub:
    """A hub with one model and more files than a model has; an empty cache."""
    folder = shutil.copytree(tiny_shelf() / NAME, tmp_path / "there")
    (folder / "model.pkl").write_bytes(b"code")
    (folder / "README.md").write_text("# hello")
    made = MadeUpHub(folder)
    monkeypatch.setenv("GNNMAT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(sys.modules, "huggingface_hub", made)
    return made


def rewrite_card(there: MadeUpHub, **changes: Any) -> None:
    path = there.folder / "card.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))


def card_files(there: MadeUpHub) -> dict[str, Any]:
    files: dict[str, Any] = yaml.safe_load((there.folder / "card.yaml").read_text())["files"]
    return files


def nothing_is_kept() -> bool:
    return not [path for path in hub_folder().rglob("*") if path.is_file()]


def test_model_on_the_hub_predicts_by_its_name(there: MadeUpHub) -> None:
    table = gnnmat.load("hf://owner/name").predict(crystals(3, seed=8))
    expected = gnnmat.load(tiny_shelf() / NAME).predict(crystals(3, seed=8))
    assert table["prediction"].tolist() == expected["prediction"].tolist()


def test_only_listed_files_of_harmless_kinds_are_kept(there: MadeUpHub) -> None:
    folder = find_model("hf://owner/name")
    kept = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert kept == {*card_files(there), "card.yaml", "card.md"}
    assert "model.pkl" not in kept
    assert "README.md" not in kept
    assert not list(hub_folder().rglob("*.pkl"))


def test_copy_answers_without_a_network_and_stays_what_it_was(there: MadeUpHub) -> None:
    first = find_on_hub("hf://owner/name")
    there.asked.clear()
    there.commits[""] = NEW
    there.error = ConnectionError("no route to host")
    assert find_on_hub("hf://owner/name") == first
    assert first.name == OLD
    assert there.asked == []
    with pytest.raises(GnnmatError, match="could not be fetched") as caught:
        fetch_model("owner/name")
    assert caught.value.fix == "The copy fetched before is still used by hf://owner/name."
    there.error = None
    assert fetch_model("owner/name").name == NEW
    assert find_on_hub("hf://owner/name").name == NEW


def test_revision_is_resolved_once(there: MadeUpHub) -> None:
    assert find_on_hub("hf://owner/name@v1").name == OLD
    assert there.asked == ["info owner/name v1", f"download {OLD}"]
    there.commits["v1"] = NEW
    assert find_on_hub("hf://owner/name@v1").name == OLD
    assert find_on_hub(f"hf://owner/name@{OLD}").name == OLD
    assert len(there.asked) == 2
    assert find_on_hub(f"hf://owner/name@{NEW}").name == NEW
    assert list(fetched_models()) == [f"hf://owner/name@{one}" for one in (OLD, NEW)]
    with pytest.raises(GnnmatError, match="hf://owner/name@v9 has no revision 'v9'"):
        find_on_hub("hf://owner/name@v9")


def test_offline_without_a_copy_is_a_plain_error(there: MadeUpHub) -> None:
    there.error = ConnectionError("no route to host\nTraceback")
    with pytest.raises(GnnmatError, match="hf://owner/name could not be fetched") as caught:
        find_model("hf://owner/name")
    assert caught.value.why == "ConnectionError: no route to host"
    assert "Check the network" in caught.value.fix


def test_unknown_model_is_told_from_no_network(there: MadeUpHub) -> None:
    with pytest.raises(GnnmatError, match="There is no model hf://owner/other that you may read"):
        find_model("hf://owner/other")


def test_missing_library_names_the_pip_line(
    there: MadeUpHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(GnnmatError, match="need the package huggingface_hub") as caught:
        find_model("hf://owner/name")
    assert caught.value.fix == 'pip install "gnnmat[hub]"'


def test_too_large_is_refused_before_anything_is_fetched(there: MadeUpHub) -> None:
    there.size = 300_000_000
    with pytest.raises(GnnmatError, match=r"MB, more than 200\.0 MB"):
        find_model("hf://owner/name")
    assert not [one for one in there.asked if one.startswith("download")]


@pytest.mark.parametrize("what", ["content", "missing", "nothing", "card"])
def test_files_that_differ_from_the_card_are_refused(there: MadeUpHub, what: str) -> None:
    weights = there.folder / "members" / "1" / "weights.safetensors"
    words = "files of hf://owner/name are not those of its card"
    if what == "content":
        raw = bytearray(weights.read_bytes())
        raw[-1] ^= 1  # of the same size
        weights.write_bytes(raw)
    elif what == "missing":
        weights.unlink()
    elif what == "nothing":
        rewrite_card(there, files={})
        words = "lists no files"
    else:
        (there.folder / "card.yaml").unlink()
        words = r"is not a model of gnnmat: it has no card\.yaml"
    with pytest.raises(GnnmatError, match=words):
        find_model("hf://owner/name")
    assert nothing_is_kept()


@pytest.mark.parametrize("file", ["../../evil.json", "/tmp/evil.json", "model.pkl", "a\\b.json"])
def test_files_outside_the_folder_or_of_other_kinds_are_refused(
    there: MadeUpHub, file: str
) -> None:
    listed = card_files(there)
    rewrite_card(there, files={**listed, file: next(iter(listed.values()))})
    with pytest.raises(GnnmatError, match="which is no file of a model"):
        find_model("hf://owner/name")
    assert nothing_is_kept()


@pytest.mark.parametrize("name", ["hf://owner", "hf://../x", "hf://a/b/c", "hf://a/..", "hf://"])
def test_names_that_are_none_are_refused(name: str) -> None:
    with pytest.raises(GnnmatError, match="is no name of a model on the hub"):
        find_model(name)


def test_names_are_read_in_all_their_forms() -> None:
    plain = HubName("owner/name")
    for text in ("owner/name", "hf://owner/name", "hf://owner/name/", Path("hf://owner/name")):
        assert hub_name(text) == plain
    assert hub_name("hf://o/n.m-1@v1.2") == HubName("o/n.m-1", "v1.2")
    assert str(HubName("o/n", "v1")) == "hf://o/n@v1"
    # A run that begins with it remembers the name, not a path.
    assert _lasting_name("hf://owner/name") == "hf://owner/name"


def test_commands_fetch_list_and_show(
    there: MadeUpHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(zoo, "ROOT", tmp_path / "nothing")
    monkeypatch.setenv("COLUMNS", "200")
    app = importlib.import_module("gnnmat.cli").app

    def run(*words: str) -> str:
        return CliRunner().invoke(app, ["models", *words], catch_exceptions=False).output

    assert "No model comes" in run()
    assert fetched_models() == {}
    told = run("--fetch", "owner/name")
    assert "hf://owner/name: volume an atom" in told
    assert f"Revision:  {OLD}, 0." in told
    assert "hf://owner/name  volume an atom" in run()
    assert "# hf://owner/name: volume an atom" in run("hf://owner/name")
    (fetch_model("owner/name") / "card.yaml").write_text("title: [")
    assert fetched_models() == {}
    assert "--fetch takes the name itself" in run("x", "--fetch", "owner/name")


def test_library_takes_what_it_is_given() -> None:
    library = pytest.importorskip("huggingface_hub")
    asked = inspect.signature(library.snapshot_download).parameters
    assert {"revision", "local_dir", "allow_patterns"} <= set(asked)
    assert {"revision", "files_metadata", "timeout"} <= set(
        inspect.signature(library.HfApi.model_info).parameters
    )
