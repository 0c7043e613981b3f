"""What the `gated` recipe costs, against other networks of as many parameters on the same crystals.

``training``: a step, forward, backward and update, on batches of the recipe's size. ``prediction``:
graphs in the cache -> numbers. ``folding``: what keeping equivalent atoms once gives by itself.
``ways``: the same step in bfloat16, compiled, and beside the making of its batch.
Others see the same crystals with the same bonds, unfolded and without angles, as they were made to.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from results import row, write
from speed_cases import RECIPE, Crystals, Rows, Trained, edges, gated, plain, records_of, timed
from speed_references import (
    OriginalNetwork,
    PygNetwork,
    matgl_networks,
    of_size,
    parameters,
    tables,
)
from torch import nn

from gnnmat.data.dataset import open_dataset
from gnnmat.inputs.crystal_graph import CrystalGraph
from gnnmat.models.expansion import GaussianExpansion
from gnnmat.models.gated import Gated
from gnnmat.sources.records import Records
from gnnmat.train.config import load_config
from gnnmat.train.predictor import predict_rows

SETS = {
    "materials_project ids": "",
    "matbench_phonons": "matbench_phonons.parquet",
    "elastic_binaries": "elastic_binaries.parquet",
    "perov_5": "perov_5.parquet",
    "carbon_24": "carbon_24.parquet",
}


def training(crystals: Crystals, graph: CrystalGraph, options: argparse.Namespace) -> Rows:
    """A step against PyG and matgl."""
    folded, whole = crystals.batches(graph), crystals.batches(plain(graph))
    targets = [one.y_sample for one in folded]
    dataset = crystals.graphs(graph)
    mine = gated(dataset)
    ours = Trained(mine, folded, targets)
    size, layers, centres = parameters(mine), Gated().layers, Gated().gaussians
    expansion = mine.encoder.bond.expansion
    made = partial(PygNetwork, layers=layers, gaussians=expansion, centres=centres)
    theirs = Trained(of_size(made, size), whole, targets)
    note = (
        f"{size:,} and {parameters(theirs.network):,} parameters, {layers} layers each, batches of "
        f"{crystals.size} with {edges(whole):,.0f} bonds, {edges(folded):,.0f} folded"
    )
    more: dict[str, Any] = {"against": "PyG CGConv", "note": note, "per": len(folded)}
    step = "training step of the recipe"
    rows = timed(step, theirs.steps, ours.steps, options, reach=">= 2", **more)
    rows += timed("forward alone", theirs.forward, ours.forward, options, **more)
    rows.append(row(f"{step}, GPU", None, "times faster", against="PyG CGConv", note="no GPU here"))
    return rows + list(_against_matgl(crystals, graph, options))


def _against_matgl(
    crystals: Crystals, graph: CrystalGraph, options: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    networks = matgl_networks(options.matgl)
    what = "training step, gated of as many parameters"
    if isinstance(networks, str):
        for name in ("MEGNet", "M3GNet"):
            yield row(
                what, None, "times faster", against=f"matgl {name}", reach=">= 3", note=networks
            )
        return
    folded, dataset = crystals.batches(graph), crystals.graphs(graph)
    targets = [one.y_sample for one in folded]
    for name, network in networks.items():
        size = parameters(network)
        mine = of_size(partial(gated, dataset), size)
        ours = Trained(mine, folded, targets)
        own = network.network.cutoff
        cut = CrystalGraph(cutoff=own, neighbours=None)
        graphs = {f"its default of all bonds below {own:g} Å": cut}
        if name == "MEGNet":  # the angles of 24 neighbours reach beyond the splines of M3GNet
            graphs = {f"the same {graph.neighbours} neighbours": plain(graph)} | graphs
        for told, other in graphs.items():
            whole = crystals.batches(other)
            theirs = Trained(network, [network.graphs(one) for one in whole], targets)
            note = f"{told}: {edges(whole):,.0f} bonds a batch; {size:,} and "
            note += f"{parameters(mine):,} parameters"
            yield from timed(
                what, theirs.steps, ours.steps, options, against=f"matgl {name}",
                reach=">= 3", note=note, per=len(folded),
            )  # fmt: skip


def prediction(crystals: Crystals, graph: CrystalGraph, options: argparse.Namespace) -> Rows:
    """Graphs in the cache -> numbers, against the layer of the paper with its tables in memory."""
    config = load_config(RECIPE)
    dataset = crystals.graphs(graph)
    encoder = config.model.build(dataset.spec())
    task = config.task.build(dataset.spec(), encoder.width)
    task.prepare(dataset.labels.sample)
    every = np.arange(len(dataset))
    size = parameters(encoder) + parameters(task)
    rows: Rows = []
    smaller = CrystalGraph()  # of the paper
    for name, other, make, centres, reach in (
        ("of as many parameters, 24 neighbours", plain(graph), None, Gated().gaussians, ">= 5"),
        ("3 x 64 on 12 neighbours, as published", smaller, (64, 3), 41, ""),
    ):
        expand = GaussianExpansion(centres)
        kept = [tables(one, other.neighbours or 12, expand) for one in crystals.batches(other)]
        network: nn.Module = (
            OriginalNetwork(*make, centres)
            if make
            else of_size(partial(OriginalNetwork, layers=Gated().layers, centres=centres), size)
        )
        rows += timed(
            f"cache -> numbers, {len(dataset)} crystals",
            Trained(network, kept, []).forward,
            lambda: predict_rows(encoder, task, dataset, every),
            options,
            against=f"the original layer {name}, one process",
            reach=reach, per=len(dataset), note=f"{size:,} and {parameters(network):,} parameters",
        )  # fmt: skip
    rows.append(row("cache -> numbers, GPU", None, "times faster", note="no GPU here"))
    return rows


def folding(crystals: Crystals, graph: CrystalGraph, options: argparse.Namespace) -> Rows:
    """The same network on folded and on whole graphs; what it costs to build them."""
    whole = graph.model_copy(update={"fold": False})
    few, many = crystals.batches(graph), crystals.batches(whole)
    targets = [one.y_sample for one in few]
    network = gated(crystals.graphs(graph))
    ours, theirs = Trained(network, few, targets), Trained(network, many, targets)
    more: dict[str, Any] = {"against": "the same network unfolded", "per": len(few)}
    rows = timed("training step, folded", theirs.steps, ours.steps, options, **more)
    rows += timed("forward, folded", theirs.forward, ours.forward, options, **more)
    for name, file in SETS.items():
        records = crystals.records if not file else records_of(file, options.crystals)
        rows.append(_compression(name, records, graph))
    return rows + _building(crystals, graph)


def ways(crystals: Crystals, graph: CrystalGraph, options: argparse.Namespace) -> Rows:
    """The step of the recipe in other ways; the recipe's own is in single precision, as written."""
    batches, dataset = crystals.batches(graph), crystals.graphs(graph)
    targets = [one.y_sample for one in batches]
    network = gated(dataset)
    own = Trained(network, batches, targets)
    more: dict[str, Any] = {"against": "the step of the recipe", "per": len(batches)}
    half = Trained(network, batches, targets, half=True)
    rows = timed("training step, bfloat16", own.steps, half.steps, options, **more)
    compiled = Trained(torch.compile(network, dynamic=True), batches, targets)
    rows += timed("training step, torch.compile", own.steps, compiled.steps, options, **more)
    starts = range(0, len(dataset), crystals.size)

    def load() -> None:
        for one in starts:
            dataset.__getitems__(list(range(one, min(one + crystals.size, len(dataset)))))

    return rows + timed("making a batch from the cache", own.steps, load, options, **more)


def _compression(name: str, records: Records, graph: CrystalGraph) -> dict[str, Any]:
    folded, whole = (
        open_dataset(records, graph.model_copy(update={"fold": fold}), quiet=True)
        for fold in (True, False)
    )
    assert len(folded) == len(whole)
    share = folded.store.edges.sum(), whole.store.edges.sum()
    orbits = folded.store.array("orbit_index")
    own = np.concatenate([np.arange(n) for n in folded.store.atoms])
    atoms = len(orbits) / (orbits == own).sum()
    one = whole.store.edges / np.maximum(folded.store.edges, 1)
    return row(
        f"bonds whole / folded, {name}", float(share[1] / share[0]), "times fewer",
        note=f"{len(whole)} random crystals; atoms {atoms:.2f} times fewer; middle half of "
        f"crystals {np.quantile(one, 0.25):.2g} to {np.quantile(one, 0.75):.2g}",
    )  # fmt: skip


def _building(crystals: Crystals, graph: CrystalGraph) -> Rows:
    dataset = crystals.graphs(graph)
    parsed = [dataset.crystal(one) for one in range(len(dataset))]
    rows = []
    for fold, angles in ((False, 0), (True, 0), (False, 6), (True, 6)):
        made = graph.model_copy(update={"fold": fold, "angles": angles})
        each = []
        for crystal in parsed:
            began = time.process_time()
            made.sample(crystal)
            each.append(1e3 * (time.process_time() - began))
        told = f"{'folded' if fold else 'whole'}, {'angles up to l = 6' if angles else 'no angles'}"
        note = f"median {np.median(each):.2g} ms, slowest {max(each):.3g} ms"
        rows.append(row(f"crystal -> graph, {told}", float(np.mean(each)), "ms", note=note))
    return rows


PARTS = {"training": training, "prediction": prediction, "folding": folding, "ways": ways}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--crystals", type=int, default=256)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--matgl", type=Path, help="folder with an unpacked matgl")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.matgl:  # where it lies is nobody's business
        sys.argv = ["FOLDER" if one == str(options.matgl) else one for one in sys.argv]
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    config = load_config(RECIPE)
    crystals = Crystals(records_of("", options.crystals), config.trainer.batch_size)
    told = f"{options.crystals} random crystals of the {RECIPE} recipe"
    for name in options.parts or PARTS:
        rows = PARTS[name](crystals, config.input, options)
        path = options.json and options.json / f"speed_{name}.json"
        write(f"speed_{name}", told, rows, path)


if __name__ == "__main__":
    main()
