"""Options by name: read, overridden, refused with their path, explained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from gnnmat.errors import GnnmatError
from gnnmat.shipped import recipes
from gnnmat.train.annotate import annotated_yaml
from gnnmat.train.config import RunConfig, find_recipe, load_config, parse_config
from gnnmat.train.unions import UNIONS, members

RECIPES = sorted(recipes("training"))


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipe_reads(name: str) -> None:
    assert load_config(name) == load_config(find_recipe(name))


@pytest.mark.parametrize("name", RECIPES)
def test_yaml_of_a_config_reads_back(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(load_config(name).to_yaml())
    assert load_config(tmp_path / "x.yaml") == load_config(name)


PLACES = ("input", "augment", "split", "model", "task")
EVERY_KIND = [""] + [
    f"{place}.kind={kind}"
    for place, union in zip(PLACES, UNIONS[1:], strict=True)
    for kind in members(union)
]


@pytest.mark.parametrize("override", EVERY_KIND)
def test_annotated_yaml_reads_back_and_explains_every_option(override: str) -> None:
    chosen = load_config("crystals", [override] if override else [])
    text = annotated_yaml(chosen)
    assert parse_config(yaml.safe_load(text)) == chosen
    lines = text.splitlines()
    for place, line in enumerate(lines):
        name = line.split("#")[0].strip()
        if name and not name.startswith("kind:"):
            assert "#" in line, line
        if "#" in line and not name:
            assert place > 0  # a comment that goes on


def test_every_option_has_a_description() -> None:
    classes: list[type[BaseModel]] = [RunConfig]
    for union in UNIONS:
        classes += members(union).values()
    for cls in classes:
        for name, field in cls.model_fields.items():
            annotation: Any = field.annotation
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                classes.append(annotation)
            assert name == "kind" or field.description, f"{cls.__name__}.{name}"


@pytest.mark.parametrize(
    ("override", "path", "expected"),
    [
        ("optimizer.lr=3e-4", ("optimizer", "lr"), 3e-4),
        ("trainer.ema=null", ("trainer", "ema"), None),
        ("trainer.logs=[]", ("trainer", "logs"), ()),
        ("data.targets=[a, b]", ("data", "targets"), ("a", "b")),
        ("trainer.compile=true", ("trainer", "compile"), True),
        ("trainer.devices=auto", ("trainer", "devices"), "auto"),
        ("model.pool=mean", ("model", "pool"), "mean"),
    ],
)
def test_override_sets_one_option(override: str, path: tuple[str, str], expected: object) -> None:
    chosen = load_config("crystals", [override])
    assert getattr(getattr(chosen, path[0]), path[1]) == expected
    part = getattr(load_config("crystals"), path[0]).model_copy(update={path[1]: expected})
    assert chosen == load_config("crystals").model_copy(update={path[0]: part})


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("model.depht=3", ["model.depht: unknown option"]),
        ("model.widht=3", ["model.widht: unknown option", "Did you mean 'width'?"]),
        ("trainer.epoch=3", ["trainer.epoch: unknown option", "Did you mean 'epochs'?"]),
        ("modle.width=3", ["modle: unknown option", "Did you mean 'model'?"]),
        ("task.head.hiden=[]", ["task.head.hiden: unknown option", "Did you mean 'hidden'?"]),
        ("trainer.epochs=0", ["trainer.epochs: input should be greater than 0, got 0"]),
        ("trainer.epochs=many", ["trainer.epochs: input should be a valid integer"]),
        ("optimizer.schedule=onecycle", ["optimizer.schedule: input should be 'one_cycle'"]),
        ("model.kind=cgcn", ["model.kind", "'cgcnn'"]),
        ("split.test=1.2", ["split.test: input should be less than 1, got 1.2"]),
        ("name=a/b", ["name: string should match pattern"]),
        ("trainer", ["--set trainer: expected a dotted option and a value"]),
        ("model.width=[1", ["'[1' is not a value"]),
    ],
)
def test_wrong_override_is_refused_with_its_path(override: str, words: list[str]) -> None:
    with pytest.raises(GnnmatError) as caught:
        load_config("crystals", [override])
    for word in words:
        assert word in str(caught.value)


def test_other_kind_drops_the_options_of_the_first() -> None:
    chosen = load_config("crystals", ["model.kind=cnn", "input.kind=image"])
    assert chosen.model.kind == "cnn"
    assert chosen.input.kind == "image"


def test_unknown_recipe_is_refused() -> None:
    with pytest.raises(GnnmatError, match="There is no recipe 'crystal'") as caught:
        load_config("crystal")
    assert caught.value.fix == "Did you mean 'crystals'?"


@pytest.mark.parametrize(
    ("text", "words"), [("a: [", "is not YAML"), ("- 1\n", "holds list, expected options by name")]
)
def test_file_that_holds_no_options_is_refused(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(GnnmatError, match=words):
        load_config(tmp_path / "x.yaml")


def test_yaml_runs_no_code(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(f"name: !!python/object/apply:os.mkdir ['{tmp_path}/made']\n")
    with pytest.raises(GnnmatError, match="is not YAML"):
        load_config(tmp_path / "x.yaml")
    assert not (tmp_path / "made").exists()


def test_a_recipe_far_from_all_names_is_refused_with_one_list_of_them() -> None:
    with pytest.raises(GnnmatError, match="There is no recipe 'zzz'") as caught:
        load_config("zzz")
    assert str(caught.value).count("known_crystals") == 1


@pytest.mark.parametrize("name", ["targets", "state"])
def test_a_column_named_twice_is_refused(name: str) -> None:
    with pytest.raises(GnnmatError, match=f"data.{name}") as caught:
        load_config("crystals", [f"data.{name}=[energy, gap, energy]"])
    assert "'energy' is named 2 times, expected once" in str(caught.value)
    chosen = load_config("crystals", [f"data.{name}=[energy, gap]"])
    assert getattr(chosen.data, name) == ("energy", "gap")
