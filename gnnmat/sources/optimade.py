"""Crystals of any database that speaks OPTIMADE, kept in the cache folder.

Pages are asked for with `requests` and not with `optimade.client` 1.5, because that prints errors
instead of raising them, asks a busy provider without end, follows links to any host and keeps
nothing of a download that breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gnnmat.errors import GnnmatError, did_you_mean
from gnnmat.sources.harvest import Ask, Page, harvest
from gnnmat.sources.harvested import harvested_records
from gnnmat.sources.json_service import Refused, Service
from gnnmat.sources.optimade_entry import FIELDS, entry_of
from gnnmat.sources.records import Records
from gnnmat.sources.web_address import check_address, joined

PAGE = 100  # results asked for at a time; who allows fewer is asked for its own number

# Source: the indexes of https://providers.optimade.org, in its repository
# (github.com/Materials-Consortia/providers, src/index-metadbs).
PROVIDERS = {
    "aflow": "https://aflow.org/API/optimade",
    "alexandria": "https://alexandria.icams.rub.de/pbe",
    "alexandria-pbesol": "https://alexandria.icams.rub.de/pbesol",
    "cod": "https://www.crystallography.net/cod/optimade",
    "jarvis": "https://jarvis.nist.gov/optimade/jarvisdft",
    "mp": "https://optimade.materialsproject.org",
    "oqmd": "https://oqmd.org/optimade",
}


class OptimadeSource(BaseModel):
    """Structures of a database with an OPTIMADE interface."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["optimade"] = "optimade"
    provider: str = Field(
        description=f"one of {', '.join(PROVIDERS)} (alexandria is its PBE part), or the base "
        "address of any other, such as https://example.org/optimade",
    )
    filter: str = Field(
        default="",
        description='which structures, in the filter language of OPTIMADE: elements HAS ALL "Na", '
        '"Cl" AND nsites < 20; empty: all',
    )
    limit: int | None = Field(
        default=1000, ge=1, description="results at most; null: all there are, maybe millions"
    )
    properties: tuple[str, ...] = Field(
        default=(),
        description="attributes to keep as columns, with the provider's prefix: _mp_stability",
    )
    units: dict[str, str] = Field(default={}, description="unit by property")
    timeout: float = Field(
        default=30.0, gt=0, le=3600, description="seconds without an answer before giving up"
    )
    refresh: bool = Field(
        default=False, description="ask again, though the results are in the cache folder"
    )

    @field_validator("provider")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if "://" in value:
            try:
                check_address(value, "The provider")
            except GnnmatError as error:
                raise ValueError(error.sentence) from error
        elif value not in PROVIDERS:
            raise ValueError(
                f"there is no provider '{value}': give a base address that begins with https://. "
                f"{did_you_mean(value, PROVIDERS)}"
            )
        return value

    @property
    def name(self) -> str:
        """What people call the data."""
        return self.provider

    @property
    def address(self) -> str:
        """The base address, without the version."""
        return PROVIDERS.get(self.provider, self.provider).rstrip("/").removesuffix("/v1")

    def open(self) -> Records:
        """All structures that fit the filter, asked for once and then read from the cache folder.

        Structures with partial occupancy or unknown positions, or that are not as OPTIMADE
        describes one, are refused one by one.

        Raises:
            GnnmatError: a provider that does not answer, breaks off, sends the same page again or
                another host's address; no structure at all; a property that no structure has.
        """
        query = {
            "kind": self.kind,
            "address": self.address,
            "filter": self.filter,
            "properties": sorted(self.properties),
        }
        found = harvest(query, self.name, self._open, limit=self.limit, refresh=self.refresh)
        return harvested_records(
            found,
            self.name,
            self.properties,
            units=self.units,
            limit=self.limit,
            asked=f"the filter {self.filter}" if self.filter else "an empty filter",
            listed=f"{self.address}/v1/info/structures",
        )

    @contextmanager
    def _open(self) -> Iterator[Ask]:
        with Service(self.name, self.address, self.timeout) as service:
            yield lambda place: self._page(service, place)

    def _page(self, service: Service, place: str) -> Page:
        url = place or f"{self.address}/v1/structures"
        params = {} if place else self._params()
        try:
            answer = service.get(url, params)
        except Refused as error:
            # A page may be longer than the provider allows, which is 403 by the specification.
            if place or error.status not in (400, 403):
                raise
            del params["page_limit"]
            answer = service.get(url, params)
        data, meta, links = (answer.get(one) for one in ("data", "meta", "links"))
        if not isinstance(data, list):
            raise GnnmatError(
                f"{self.name} does not answer as OPTIMADE says: 'data' is no list.",
                why=f"The answer holds: {', '.join(map(str, answer)) or 'nothing'}."[:300],
                fix="The provider has to be the base address, to which /v1/structures is added.",
            )
        meta = meta if isinstance(meta, dict) else {}
        after = next_address(links, url, self.name)
        if after is not None:
            service.pause(meta.get("request_delay"))
        total = meta.get("data_returned")
        return Page(
            entries=[entry_of(one, self.properties) for one in data],
            next=after,
            total=total if type(total) is int and total >= 0 else None,
        )

    def _params(self) -> dict[str, str]:
        """The query of the first page; later pages are linked."""
        params = {
            "response_format": "json",
            "response_fields": ",".join(dict.fromkeys((*FIELDS, *self.properties))),
            "page_limit": str(min(PAGE, self.limit or PAGE)),
        }
        return {**params, "filter": self.filter} if self.filter else params


def next_address(links: Any, url: str, name: str) -> str | None:
    """The address of the next page, if there is one.

    Args:
        links: of an answer; ``next`` is text, an object with ``href``, or null.
        url: where the answer came from, for links that are relative.
        name: of the provider, for messages.

    Raises:
        GnnmatError: the link is something else.
    """
    after = links.get("next") if isinstance(links, dict) else None
    after = after.get("href") if isinstance(after, dict) else after
    if after is None or after == "":
        return None
    if not isinstance(after, str):
        raise GnnmatError(f"{name}: the link to the next page is no address.")
    return joined(url, after)
