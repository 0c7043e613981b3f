"""What the options of the trainer do, shown by an effect that can be seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from gnnmat.models import cgcnn
from gnnmat.models.encoder import Encoder
from gnnmat.train.config import OptimizerConfig
from gnnmat.train.hall import Hall, make_optimizer, make_schedule
from gnnmat.workflows.training import Run, train

from .tiny import assert_same_weights, config, graph_cache, records, weights  # noqa: F401

State = dict[str, Tensor]


def copied(module: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def exported(folder: Path) -> State:
    return weights(folder)


@pytest.fixture
def after_step(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """Weights after each step of training, as the optimizer left them."""
    seen: list[State] = []

    def watch(self: Hall, *_: Any) -> None:
        seen.append(copied(self))

    monkeypatch.setattr(Hall, "on_train_batch_end", watch)
    return seen


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[State]:
    """Weights that each epoch's validation saw."""
    seen: list[State] = []

    def watch(self: Hall) -> None:
        seen.append(copied(self))

    monkeypatch.setattr(Hall, "on_validation_epoch_start", watch)
    watched = Hall.validation_step

    def step(self: Hall, *given: Any) -> None:
        seen[-1] = copied(self)
        watched(self, *given)

    monkeypatch.setattr(Hall, "validation_step", step)
    return seen


def averages(seen: list[State], decay: float) -> list[State]:
    """The averages after each step, by the definition."""
    out = [seen[0]]
    for steps, new in enumerate(seen[1:], start=1):
        kept = min(decay, (1 + steps) / (10 + steps))
        out.append(
            {
                name: kept * old + (1 - kept) * new[name] if old.is_floating_point() else new[name]
                for name, old in out[-1].items()
            }
        )
    return out


def assert_same(first: State, second: State, tolerance: float = 1e-5) -> None:
    for name in second:
        torch.testing.assert_close(first[name], second[name], rtol=tolerance, atol=tolerance)


def differ(first: State, second: State) -> bool:
    return any(not torch.allclose(first[name], second[name], atol=1e-4) for name in second)


@pytest.mark.parametrize("val", [0.2, 0.0])
def test_averaged_weights_are_validated_and_exported(
    after_step: list[State], validated: list[State], tmp_path: Path, val: float
) -> None:
    chosen = config(trainer__ema=0.6, trainer__epochs=3, split__val=val)
    run = train(chosen, tmp_path / "run", records=records())
    expected = averages(after_step, 0.6)
    last_step = range(len(after_step) // 3 - 1, len(after_step), len(after_step) // 3)
    best = 2
    if val:
        for state, step in zip(validated, last_step, strict=True):
            assert_same(state, expected[step])
            assert differ(state, after_step[step])
        best = int(pd.read_csv(run.folder / "history.csv")["val_score"].argmin())
    assert_same(expected[last_step[best]], exported(run.folder))
    assert differ(after_step[last_step[best]], exported(run.folder))


def test_without_averaging_the_weights_are_those_of_the_optimizer(
    after_step: list[State], validated: list[State], tmp_path: Path
) -> None:
    run = train(config(split__val=0.2), tmp_path / "run", records=records())
    steps = len(after_step) // 2
    assert_same(validated[1], after_step[-1], 0.0)
    best = int(pd.read_csv(run.folder / "history.csv")["val_score"].argmin())
    assert_same(after_step[steps * (best + 1) - 1], exported(run.folder), 0.0)


@pytest.fixture
def norms(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Norm of the whole gradient before and after the place where it is clipped."""
    seen: list[tuple[float, float]] = []
    original = Hall.configure_gradient_clipping

    def norm(hall: Hall) -> float:
        grads = [p.grad.flatten() for p in hall.parameters() if p.grad is not None]
        return float(torch.cat(grads).norm())

    def watch(self: Hall, *given: Any, **named: Any) -> None:
        before = norm(self)
        original(self, *given, **named)
        seen.append((before, norm(self)))

    monkeypatch.setattr(Hall, "configure_gradient_clipping", watch)
    return seen


def test_gradient_is_clipped_to_the_norm_asked_for(
    norms: list[tuple[float, float]], tmp_path: Path
) -> None:
    train(config(trainer__clip=0.05), tmp_path / "run", records=records())
    assert all(before > 0.05 for before, _ in norms)
    assert [after for _, after in norms] == pytest.approx([0.05] * len(norms), rel=1e-3)


def test_gradient_is_left_alone_without_clipping(
    norms: list[tuple[float, float]], tmp_path: Path
) -> None:
    train(config(), tmp_path / "run", records=records())
    assert norms
    assert all(before == after > 0.05 for before, after in norms)


@pytest.fixture
def product_types(monkeypatch: pytest.MonkeyPatch) -> set[torch.dtype]:
    """Number formats of the products inside the network while it trains."""
    seen: set[torch.dtype] = set()
    original = cgcnn.gated_sum

    def watch(centre_part: Tensor, *given: Any) -> Tensor:
        if torch.is_grad_enabled():
            seen.add(centre_part.dtype)
        return original(centre_part, *given)

    monkeypatch.setattr(cgcnn, "gated_sum", watch)
    return seen


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("32-true", torch.float32),
        ("bf16-mixed", torch.bfloat16),
        ("64-true", torch.float64),
    ],
)
def test_products_are_made_in_the_precision_asked_for(
    precision: str, expected: torch.dtype, product_types: set[torch.dtype], tmp_path: Path
) -> None:
    plain = train(config(), tmp_path / "plain", records=records()).predictions
    product_types.clear()
    run = train(config(trainer__precision=precision), tmp_path / "run", records=records())
    assert product_types == {expected}
    apart = (run.predictions["prediction"] - plain["prediction"]).abs()
    assert apart.max() < 0.1 * plain["truth"].std()
    assert {tensor.dtype for tensor in exported(run.folder).values()} <= {
        torch.float32,
        torch.int64,
    }


def test_compiled_encoder_runs_a_graph_and_gives_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    graphs = {"made": 0, "run": 0}

    def backend(module: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., Any]:
        graphs["made"] += 1

        def run(*given: Any) -> Any:
            graphs["run"] += 1
            return module.forward(*given)

        return run

    def compile(self: Encoder, **options: Any) -> None:
        nn.Module.compile(self, backend=backend, **options)

    # Plain gradient descent: Adam blows up the rounding of gradients that are zero.
    train(config(optimizer__kind="sgd"), tmp_path / "eager", records=records())
    assert graphs == {"made": 0, "run": 0}
    torch.compiler.reset()
    with monkeypatch.context() as patch:
        # A back end of our own, so that no C++ compiler is needed.
        patch.setattr(Encoder, "compile", compile)
        chosen = config(optimizer__kind="sgd", trainer__compile="true")
        train(chosen, tmp_path / "compiled", records=records())
    torch.compiler.reset()
    assert graphs["made"] >= 1
    assert graphs["run"] >= 2 * 3  # every step of two epochs
    assert_same_weights(tmp_path / "eager", tmp_path / "compiled", 1e-5)


@pytest.fixture
def worsening(tmp_path: Path) -> tuple[Any, Any]:
    """Data whose validation rows are the better forgotten the longer it trains."""
    made = records(30)
    volume = made.table["volume"].to_numpy()
    part = np.where(np.arange(30) % 5 == 0, "val", "train")
    wrong = np.where(part == "val", 2 * volume.mean() - 3 * volume, volume)
    table = pd.DataFrame({"volume": wrong, "split": part})
    chosen = config(
        split__kind="column", trainer__epochs=12, trainer__patience=2, optimizer__lr=0.03
    )
    return chosen, records(30, targets=table)


def test_training_stops_after_epochs_without_a_better_score(
    worsening: tuple[Any, Any], tmp_path: Path
) -> None:
    run = train(worsening[0], tmp_path / "run", records=worsening[1])
    scores = pd.read_csv(run.folder / "history.csv")["val_score"]
    assert len(scores) < 12
    assert len(scores) - 1 - int(scores.argmin()) == 2


def test_weights_of_the_best_epoch_are_exported(
    worsening: tuple[Any, Any], after_step: list[State], tmp_path: Path
) -> None:
    run = train(worsening[0], tmp_path / "run", records=worsening[1])
    scores = pd.read_csv(run.folder / "history.csv")["val_score"]
    best = int(scores.argmin())
    assert best < len(scores) - 1
    steps = len(after_step) // len(scores)
    assert_same(after_step[steps * (best + 1) - 1], exported(run.folder), 0.0)


def test_history_holds_the_loss_of_its_own_epoch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    losses: list[float] = []
    original = Hall.training_step

    def watch(self: Hall, *given: Any) -> Tensor:
        loss = original(self, *given)
        losses.append(float(loss.detach()))
        return loss

    monkeypatch.setattr(Hall, "training_step", watch)
    # One batch an epoch: its mean loss is the loss of the epoch.
    run = train(config(trainer__batch_size=100), tmp_path / "run", records=records())
    history = pd.read_csv(run.folder / "history.csv")
    assert history["epoch"].tolist() == [1, 2]
    assert history["train_loss"].tolist() == pytest.approx(losses)
    assert not history.isna().any().any()


FACTORS = {
    # step: factor, by hand. One-cycle: a tenth of the steps up from 0.04, half a cosine each way.
    "one_cycle": {0: 0.04, 5: 0.52, 10: 1.0, 55: 0.50005, 100: 1e-4},
    "cosine": {0: 1.0, 50: 0.50005, 100: 1e-4},
    "steps": {0: 1.0, 49: 1.0, 50: 0.1, 79: 0.1, 80: 0.01},
    "constant": {0: 1.0, 60: 1.0, 100: 1.0},
}


@pytest.mark.parametrize("schedule", FACTORS)
def test_schedule_passes_through_points_computed_by_hand(schedule: str) -> None:
    options = OptimizerConfig(lr=0.5, schedule=schedule, warmup=0.1, milestones=(5, 8))  # type: ignore[arg-type]
    optimizer = make_optimizer(nn.Linear(2, 2), options)
    followed = make_schedule(optimizer, options, steps=100, epochs=10)
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        followed.step()
    for step, factor in FACTORS[schedule].items():
        assert rates[step] == pytest.approx(0.5 * factor, rel=1e-9), step


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_vectors_are_not_decayed(kind: str) -> None:
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    options = OptimizerConfig(kind=kind, lr=1e-3, weight_decay=0.5)  # type: ignore[arg-type]
    optimizer = make_optimizer(module, options)
    before = copied(module)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = copied(module)
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(after[name], before[name]), name
    assert after["0.weight"].norm() < before["0.weight"].norm()
    if kind == "adamw":  # decoupled: w <- w (1 - lr decay)
        torch.testing.assert_close(after["0.weight"], before["0.weight"] * (1 - 1e-3 * 0.5))


def test_rate_of_a_run_follows_its_schedule(tmp_path: Path) -> None:
    chosen = config(
        optimizer__schedule="steps", optimizer__milestones="[2]", trainer__epochs=3,
        optimizer__lr=0.01,
    )  # fmt: skip
    run = train(chosen, tmp_path / "run", records=records())
    rates = pd.read_csv(run.folder / "history.csv")["lr"].tolist()
    assert rates == pytest.approx([0.01, 0.001, 0.001])


@pytest.fixture(scope="module")
def seed_zero(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("seed") / "run"
    return train(config(task__head__dropout=0.2), folder, records=records())


def test_same_seed_gives_the_same_weights(seed_zero: Run, tmp_path: Path) -> None:
    torch.manual_seed(99)
    train(config(task__head__dropout=0.2), tmp_path / "run", records=records())
    assert_same_weights(seed_zero.folder, tmp_path / "run")


def test_other_seed_gives_other_weights(tmp_path: Path) -> None:
    for seed in (0, 1):  # all rows in one batch: their order does not matter
        chosen = config(trainer__batch_size=100, trainer__seed=seed, optimizer__kind="sgd")
        train(chosen, tmp_path / str(seed), records=records())
    assert differ(exported(tmp_path / "0"), exported(tmp_path / "1"))


def test_targets_are_scaled_by_what_the_checkpoint_holds(seed_zero: Run) -> None:
    known = seed_zero.predictions.query("split == 'train'")["truth"]
    state = exported(seed_zero.folder)
    assert float(state["task.shift"]) == pytest.approx(known.mean(), rel=1e-6)
    assert float(state["task.factor"]) == pytest.approx(known.std(ddof=0), rel=1e-6)
    # Predictions of the loaded run are in the unit of the target, so the scale has come along.
    table = seed_zero.load().predict(records())
    stored = seed_zero.predictions.set_index("id")["prediction"]
    assert table["prediction"].to_numpy() == pytest.approx(stored[table["id"]], rel=1e-5)
