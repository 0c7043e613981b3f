"""Crystals of the Materials Project, kept in the cache folder.

The documented REST interface is asked directly and not through `mp-api` 0.46, because that cannot
be pointed at a plain endpoint: it asks for a heartbeat without a time limit before any question,
sends a question without criteria to tables on S3, and keeps nothing of a download that breaks.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field

from gnnmat.errors import GnnmatError
from gnnmat.sources.harvest import Ask, Page, harvest
from gnnmat.sources.harvested import harvested_records
from gnnmat.sources.json_service import Refused, Service
from gnnmat.sources.materials_project_entry import UNITS, entry_of
from gnnmat.sources.records import Records
from gnnmat.sources.web_address import check_address, is_loopback

PAGE = 1000  # results at a time, the most that the service gives
ENDPOINT = "https://api.materialsproject.org/"
KEYS = "https://next-gen.materialsproject.org/api"
NAME = "Materials Project"
GNOME = "gnome_r2scan_statics"  # the batch of GNoME's rows, as mp-api 0.46 names it

Range = tuple[float | None, float | None]


class MaterialsProjectSource(BaseModel):
    """Structures of the Materials Project; the key is read from MP_API_KEY and kept nowhere."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["materials_project"] = "materials_project"
    elements: tuple[str, ...] = Field(default=(), description="all of these are in the crystal")
    exclude_elements: tuple[str, ...] = Field(default=(), description="none of these is")
    chemsys: tuple[str, ...] = Field(
        default=(), description="only these chemical systems: [Li-Fe-O, Si-O]"
    )
    formula: tuple[str, ...] = Field(
        default=(), description="only these formulas, also with wild cards: [Fe2O3, AB*]"
    )
    e_above_hull: Range | None = Field(
        default=None, description="energy above the hull from, to (eV/atom); null: no bound"
    )
    band_gap: Range | None = Field(default=None, description="band gap from, to (eV)")
    num_sites: tuple[int | None, int | None] | None = Field(
        default=None, description="sites in the cell from, to"
    )
    theoretical: bool | None = Field(
        default=None, description="false: only crystals that were made; true: only others"
    )
    fields: tuple[str, ...] = Field(
        default=("energy_above_hull", "formation_energy_per_atom", "band_gap", "theoretical"),
        description="fields of the summary to keep as columns; of a field with parts, one part "
        "is bulk_modulus.vrh",
    )
    gnome: bool = Field(
        default=False,
        description="true: also the rows of GNoME (mp-2000000 and later), whose licence forbids "
        "commercial use",
    )
    limit: int | None = Field(
        default=1000, ge=1, description="results at most; null: all there are, some 200,000"
    )
    timeout: float = Field(
        default=60.0, gt=0, le=3600, description="seconds without an answer before giving up"
    )
    refresh: bool = Field(
        default=False, description="ask again, though the results are in the cache folder"
    )

    @property
    def name(self) -> str:
        """What people call the data."""
        return NAME

    def open(self) -> Records:
        """All structures that fit, asked for once and then read from the cache folder.

        The service is ``MP_API_ENDPOINT``, by default that of the Materials Project. Without
        ``gnome``, its rows are not asked for, and refused if they come nevertheless.

        Raises:
            GnnmatError: no key or a wrong one, a service that does not answer or breaks off, no
                structure at all, a field that no structure has.
        """
        endpoint = _endpoint()
        criteria = self._criteria()
        query = {
            "kind": self.kind,
            "endpoint": endpoint,
            "criteria": criteria,
            "fields": sorted(self.fields),
            "gnome": self.gnome,
        }

        found = harvest(
            query,
            NAME,
            lambda: self._ask(endpoint, criteria),
            limit=self.limit,
            refresh=self.refresh,
        )
        asked = ", ".join(f"{name} {value}" for name, value in criteria.items())
        return harvested_records(
            found,
            NAME,
            self.fields,
            units=UNITS,
            limit=self.limit,
            asked=asked or "everything",
            listed="https://api.materialsproject.org/redoc",
        )

    @contextmanager
    def _ask(self, endpoint: str, criteria: Mapping[str, str]) -> Iterator[Ask]:
        key = _Key.from_environment(endpoint)
        with Service(NAME, endpoint, self.timeout, auth=key, hidden=key.text()) as service:
            yield lambda place: self._page(service, endpoint, criteria, place)

    def _criteria(self) -> dict[str, str]:
        """The query of the REST interface, by its own names."""
        lists = ("elements", "exclude_elements", "chemsys", "formula")
        criteria = {name: ",".join(getattr(self, name)) for name in lists if getattr(self, name)}
        ranges: dict[str, Any] = {
            "energy_above_hull": self.e_above_hull,
            "band_gap": self.band_gap,
            "nsites": self.num_sites,
        }
        for name, bounds in ranges.items():
            for end, bound in zip(("min", "max"), bounds or (), strict=False):
                if bound is not None:
                    criteria[f"{name}_{end}"] = str(bound)
        if self.theoretical is not None:
            criteria["theoretical"] = str(self.theoretical).lower()
        if not self.gnome:
            criteria["batch_id_not_eq"] = GNOME
        return criteria

    def _page(
        self, service: Service, endpoint: str, criteria: Mapping[str, str], place: str
    ) -> Page:
        skip = int(place or 0)
        heads = dict.fromkeys(name.partition(".")[0] for name in self.fields)
        params = {
            **criteria,
            "deprecated": "false",
            "_fields": ",".join(
                dict.fromkeys(("material_id", "structure", "builder_meta", *heads))
            ),
            "_limit": str(min(PAGE, self.limit or PAGE)),
            "_skip": str(skip),
            "_sort_fields": "material_id",
        }
        try:
            answer = service.get(urljoin(endpoint, "materials/summary/"), params)
        except Refused as error:
            if error.status not in (401, 403):
                raise
            raise GnnmatError(
                "The Materials Project does not accept the key in MP_API_KEY.",
                why=error.why,
                fix=f"Copy it again from {KEYS}",
            ) from None
        return self._understood(answer, endpoint, skip)

    def _understood(self, answer: dict[str, Any], endpoint: str, skip: int) -> Page:
        data, meta = answer.get("data"), answer.get("meta")
        if not isinstance(data, list):
            raise GnnmatError(
                f"{NAME} does not answer as its interface says: 'data' is no list.",
                why=f"Asked was {endpoint}",
                fix="Look at MP_API_ENDPOINT." if "MP_API_ENDPOINT" in os.environ else "",
            )
        after = skip + len(data)
        total = meta.get("total_doc") if isinstance(meta, dict) else None
        if type(total) is not int or total < after:  # then it cannot be the number of all
            total = None
        more = len(data) > 0 and (total is None or after < total)
        return Page(
            entries=[entry_of(one, self.fields, gnome=self.gnome) for one in data],
            next=str(after) if more else None,
            total=total,
        )


class _Key:
    """The key of a user; it goes into the header of a request and into nothing that is shown."""

    def __init__(self, text: str) -> None:
        self._text = text

    @classmethod
    def from_environment(cls, endpoint: str) -> _Key:
        """The key in ``MP_API_KEY``.

        Raises:
            GnnmatError: there is none, it cannot be one, or it would travel unencrypted.
        """
        text = os.environ.get("MP_API_KEY", "").strip()
        if not text:
            raise GnnmatError(
                "The Materials Project needs a key, and MP_API_KEY is not set.",
                fix=f"Get one at {KEYS} and export MP_API_KEY=... in the shell.",
            )
        if not re.fullmatch(r"[!-~]{8,256}", text):
            raise GnnmatError(
                "MP_API_KEY does not hold a key: it is too short, or has blanks or other "
                "characters that no key has.",
                fix=f"Copy it again from {KEYS}",
            )
        if endpoint.startswith("http:") and not is_loopback(endpoint):
            raise GnnmatError(
                f"MP_API_ENDPOINT is '{endpoint}': the key would travel unencrypted.",
                fix="Give an address that begins with https://.",
            )
        return cls(text)

    def __call__(self, request: Any) -> Any:
        request.headers["X-API-KEY"] = self._text
        return request

    def __repr__(self) -> str:
        return "the key in MP_API_KEY"

    def text(self) -> str:
        """The key itself."""
        return self._text


def _endpoint() -> str:
    text = os.environ.get("MP_API_ENDPOINT", "").strip() or ENDPOINT
    return check_address(text, "MP_API_ENDPOINT").rstrip("/") + "/"
