"""How the engine is chosen, and how a Ray cluster is begun and ended; no Ray is started here."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gnnmat import engine_ray, ray_cluster
from gnnmat.engine import run_items, spread_by
from gnnmat.errors import GnnmatError


class Recorder:
    """Stands for the pool on Ray and notes what it was asked for."""

    asked: list[tuple[int, int | None]] = []

    def __init__(self, function: Any, items: Any, workers: int | None, chunk: int | None) -> None:
        self.asked.append((len(items), workers))
        self.items = items

    def results(self) -> Iterator[Any]:
        return iter(self.items)


class FakeRay(SimpleNamespace):
    """Ray, as far as starting and stopping it goes."""

    def __init__(self, running: bool = False, error: Exception | None = None) -> None:
        super().__init__(running=running, error=error, calls=[])

    def is_initialized(self) -> bool:
        return bool(self.running)

    def init(self, **options: Any) -> None:
        self.calls.append(options)
        if self.error:
            raise self.error

    def shutdown(self) -> None:
        self.calls.append("shutdown")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    ray = FakeRay()
    monkeypatch.setattr(ray_cluster, "import_ray", lambda: ray)
    monkeypatch.setattr(ray_cluster, "_holders", 0)
    monkeypatch.setattr(ray_cluster, "_started", [])
    monkeypatch.setattr(engine_ray, "RayPool", Recorder)
    monkeypatch.setattr(Recorder, "asked", [])
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    return ray


def test_the_block_chooses_for_everything_in_it_and_arguments_beat_it(fake: FakeRay) -> None:
    run_items(abs, [1, 2])
    with spread_by("ray", workers=3):
        run_items(abs, [1, 2])
        run_items(abs, [1, 2], workers=5)
        run_items(abs, [1, 2, 3], workers=1)
        run_items(abs, [1, 2, 3], engine="local")
        run_items(abs, [])
        with spread_by("local"):
            run_items(abs, [1, 2, 3])
        run_items(abs, [1, 2, 3, 4])
    run_items(abs, [1, 2])
    assert Recorder.asked == [(2, 3), (2, 5), (4, 3)]


def test_ray_lasts_from_its_first_use_to_the_end_of_the_block(fake: FakeRay) -> None:
    with spread_by("ray", workers=3):
        assert fake.calls == []
        run_items(abs, [1, 2])
        run_items(abs, [1, 2])
        (options,) = fake.calls
        folder = Path(options["_temp_dir"])
        assert (options["num_cpus"], options["include_dashboard"]) == (3, False)
        assert folder.is_dir()
    assert fake.calls[1:] == ["shutdown"]
    assert not folder.exists()


def test_uses_within_one_another_share_one_cluster(fake: FakeRay) -> None:
    with ray_cluster.cluster(2):
        with ray_cluster.cluster(3):
            assert len(fake.calls) == 1
        assert len(fake.calls) == 1
    assert fake.calls[1:] == ["shutdown"]


def test_ray_is_ended_when_the_work_fails(fake: FakeRay) -> None:
    def interrupted() -> None:
        with spread_by("ray"):
            run_items(abs, [1, 2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert fake.calls[-1] == "shutdown"


def test_a_running_ray_is_left_running(fake: FakeRay) -> None:
    fake.running = True
    with spread_by("ray"):
        run_items(abs, [1, 2])
    assert fake.calls == []


def test_the_users_cluster_is_used_and_only_left(
    fake: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.1.2.3:6379")
    with spread_by("ray"):
        run_items(abs, [1, 2])
    options, end = fake.calls
    assert options["address"] == "10.1.2.3:6379"
    assert "num_cpus" not in options  # Ray refuses sizes for a cluster that is there
    assert end == "shutdown"
    fake.error = ConnectionError("nobody\nthere")
    with (
        pytest.raises(GnnmatError, match=r"No Ray cluster can be reached at '10.1.2.3:6379'"),
        spread_by("ray"),
    ):
        run_items(abs, [1, 2])


def test_a_ray_that_does_not_start_is_tried_again_and_said(fake: FakeRay) -> None:
    fake.error = RuntimeError("no memory")
    with pytest.raises(GnnmatError, match="does not start") as caught, spread_by("ray"):
        run_items(abs, [1, 2])
    assert "no memory" in str(caught.value)
    starts = [one for one in fake.calls if one != "shutdown"]
    assert len(starts) == 2
    assert not any(Path(one["_temp_dir"]).exists() for one in starts)


def test_an_unknown_engine_and_an_absent_ray_say_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(GnnmatError, match="Did you mean 'ray'"), spread_by("rya"):
        pass
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GnnmatError, match=r"pip install 'gnnmat\[ray\]'"):
        run_items(abs, [1, 2], engine="ray")


def test_the_object_store_fits_into_shared_memory(tmp_path: Path) -> None:
    folder = str(tmp_path)
    gib, mib = 2**30, 2**20
    assert ray_cluster.store_size(64 * mib, tmp_path) == (80 * mib, folder)  # of a container
    assert ray_cluster.store_size(gib, tmp_path) == (gib // 2, None)
    assert ray_cluster.store_size(100 * gib, tmp_path) == (gib, None)
    assert ray_cluster.store_size(None, tmp_path)[1] is None


def test_a_variable_chooses_for_commands_without_an_option(
    fake: FakeRay, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gnnmat.engine import engine_in_use

    monkeypatch.setattr(engine_ray, "RayPool", Recorder)
    monkeypatch.setattr(Recorder, "asked", [])
    monkeypatch.setenv("GNNMAT_ENGINE", "ray")
    assert run_items(abs, [1, 2, 3], quiet=True) == [1, 2, 3]
    assert Recorder.asked == [(3, None)]
    with spread_by("local"):
        assert engine_in_use() == "local"
    monkeypatch.setenv("GNNMAT_ENGINE", "dusk")
    with pytest.raises(GnnmatError, match="no engine 'dusk'"):
        run_items(abs, [1, 2], quiet=True)
