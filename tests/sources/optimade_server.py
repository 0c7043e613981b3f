"""An OPTIMADE server on this machine; run as a script, it serves and prints its port.

The database is mongomock in the memory of the server, filled from a file of JSON lines.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import gcd
from pathlib import Path
from typing import Any

from gnnmat.sources.crystal import Crystal


def attributes_of(crystal: Crystal, **more: Any) -> dict[str, Any]:
    """A structure's attributes, by the specification; a provider's own have no prefix here."""
    from ase.data import chemical_symbols

    symbols = [chemical_symbols[number] for number in crystal.numbers]
    elements = sorted(set(symbols))
    counts = [symbols.count(one) for one in elements]
    counts = [count // gcd(*counts) for count in counts]
    formula = "".join(f"{one}{n if n > 1 else ''}" for one, n in zip(elements, counts, strict=True))
    letters = zip("ABCDEFGH", sorted(counts, reverse=True), strict=False)
    return {
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [symbols.count(one) / len(symbols) for one in elements],
        "chemical_formula_descriptive": formula,
        "chemical_formula_reduced": formula,
        "chemical_formula_anonymous": "".join(f"{one}{n if n > 1 else ''}" for one, n in letters),
        "dimension_types": [1, 1, 1],
        "nperiodic_dimensions": 3,
        "lattice_vectors": crystal.lattice.tolist(),
        "cartesian_site_positions": crystal.positions.tolist(),
        "nsites": len(symbols),
        "species": [
            {"name": one, "chemical_symbols": [one], "concentration": [1.0]} for one in elements
        ],
        "species_at_sites": symbols,
        "structure_features": [],
        "last_modified": {"$date": "2024-01-01T00:00:00Z"},
        **more,
    }


@contextmanager
def optimade_server(
    folder: Path, structures: dict[str, dict[str, Any]], fields: Sequence[str] = (), **config: Any
) -> Iterator[str]:
    """The base address of a server that knows these structures, as long as the block lasts.

    Args:
        folder: for its files.
        structures: attributes by id.
        fields: attributes that are the provider's own; it serves them as ``_exmpl_...``.
        config: options of the server.
    """
    lines = [{"x-optimade": {"api_version": "1.2.0"}}]
    lines += [{"type": "structures", "id": i, "attributes": a} for i, a in structures.items()]
    data = folder / "structures.jsonl"
    data.write_text("\n".join(map(json.dumps, lines)) + "\n")
    (folder / "logs").mkdir()
    options = {
        "insert_test_data": False,
        "insert_from_jsonl": str(data),
        "database_backend": "mongomock",
        "log_dir": str(folder / "logs"),
        "provider_fields": {"structures": list(fields)},
        **config,
    }
    (folder / "config.json").write_text(json.dumps(options))
    environment = {**os.environ, "OPTIMADE_CONFIG_FILE": str(folder / "config.json")}
    with (folder / "errors.txt").open("w") as errors:
        server = subprocess.Popen(
            [sys.executable, __file__],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert server.stdout is not None
        try:
            port = next((line for line in server.stdout if line.startswith("port ")), "")
            assert port, (folder / "errors.txt").read_text()[-2000:]
            yield f"http://127.0.0.1:{port.split()[1]}"
        finally:
            server.terminate()
            server.wait(20)
            server.stdout.close()


def serve() -> None:
    """Serve until the process ends."""
    import socket

    import uvicorn
    from optimade.server.main import app

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    print("port", listening.getsockname()[1], flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
    server.run(sockets=[listening])


if __name__ == "__main__":
    serve()
