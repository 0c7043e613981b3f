"""How the stages of a screen are cut: where all candidates are looked at, and into what shards."""

from __future__ import annotations

from collections.abc import Sequence

from gnnmat.workflows.screening.stage import Stage


def legs(stages: Sequence[Stage]) -> list[tuple[bool, list[int]]]:
    """Places of the stages, cut where one looks at all candidates at once (then true)."""
    found: list[tuple[bool, list[int]]] = []
    for place, stage in enumerate(stages):
        if stage.whole or not found or found[-1][0]:
            found.append((stage.whole, [place]))
        else:
            found[-1][1].append(place)
    return found


def shard_sizes(stages: Sequence[Stage], shard: int) -> list[int]:
    """Candidates a shard, stage by stage: fewer where a stage takes long for each.

    Before the first stage that looks at all candidates the shards are those they were read in.
    """
    sizes = [shard] * len(stages)
    whole_before = False
    for whole, places in legs(stages):
        if whole_before and not whole:
            wanted = [one for one in (stages[place].few for place in places) if one is not None]
            for place in places:
                sizes[place] = min([shard, *wanted])
        whole_before = whole_before or whole
    return sizes
