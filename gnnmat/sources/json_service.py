"""A web service that answers in JSON, asked with patience and believed with care.

One host is asked and no other, so whatever a request carries stays there. Busy and broken answers
are asked for again, a bounded number of times; everything else is an error in words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from time import sleep, time
from typing import Any

from gnnmat.errors import GnnmatError
from gnnmat.sources.web_address import host, joined, on_same_host

TRIES = 5  # requests for one page, the first one included
LONGEST_WAIT = 120.0  # s; who asks for more patience than this is left alone
LONGEST_PAUSE = 10.0  # s, between two requests
LARGEST = 256 * 2**20  # bytes of one answer, unpacked
REDIRECTS = 5
MOVED = {301, 302, 303, 307, 308}


class Refused(GnnmatError):
    """The service understood the request and will not answer it (HTTP 4xx)."""

    status = 0


class _Again(Exception):
    """An answer that is worth another try.

    Args:
        error: what to say if no try is left.
        wait: seconds the service asks for; None: it does not say.
    """

    def __init__(self, error: GnnmatError, wait: float | None = None) -> None:
        super().__init__(error.what)
        self.error = error
        self.wait = wait


class Service:
    """One web service.

    Args:
        name: what people call it, for messages.
        address: only the host of this address is asked.
        timeout: seconds without an answer or a byte before giving up.
        auth: called with every request before it is sent, to add what proves who asks.
        hidden: text that no message shows, whatever the service answers.
    """

    def __init__(
        self,
        name: str,
        address: str,
        timeout: float,
        auth: Callable[[Any], Any] | None = None,
        hidden: str = "",
    ) -> None:
        import requests

        self.name = name
        self._home = address
        self._timeout = timeout
        self._auth = auth
        self._hidden = hidden
        self._session = requests.Session()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def get(self, url: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object at an address of this service.

        Raises:
            Refused: the service says no (HTTP 4xx).
            GnnmatError: another host, no answer, no JSON, or a service that stays busy or broken.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return self._follow(url, params)
            except _Again as again:
                wait = 2.0 ** (attempt - 1) if again.wait is None else again.wait
                if attempt == TRIES or wait > LONGEST_WAIT:
                    raise again.error from None
                sleep(wait)
        raise AssertionError("unreachable")

    def pause(self, seconds: Any) -> None:
        """Wait as long as the service wishes between two requests, within reason."""
        if isinstance(seconds, (int, float)) and seconds > 0:
            sleep(min(float(seconds), LONGEST_PAUSE))

    def own(self, url: str) -> str:
        """The address as it is asked, if it belongs to the host of this service.

        Raises:
            GnnmatError: another host, or no address at all.
        """
        asked = on_same_host(url, self._home)
        if asked is None:
            raise GnnmatError(
                f"{self.name} sends to another host, '{_plain(host(url), self._hidden)}', which "
                "is not asked.",
                why=f"The request was for {host(self._home)}.",
                fix="If you trust that host, name its address itself.",
            )
        return asked

    def _follow(self, url: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
        for _ in range(REDIRECTS):
            url = self.own(url)
            status, headers, body = self._ask(url, params)
            if status not in MOVED or not headers.get("Location"):
                return self._understood(status, headers, body)
            url, params = joined(url, headers["Location"]), None
        raise GnnmatError(f"{self.name} sends in a circle (more than {REDIRECTS} redirects).")

    def _ask(
        self, url: str, params: Mapping[str, Any] | None
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body of one request; errors of the network ask for another try."""
        import requests

        try:
            with self._session.get(
                url,
                params=dict(params or {}),
                timeout=self._timeout,
                stream=True,
                allow_redirects=False,
                auth=self._auth,
                headers={"Accept": "application/json", "User-Agent": "gnnmat"},
            ) as answer:
                body = bytearray()
                for chunk in answer.iter_content(1 << 16):
                    body += chunk
                    if len(body) > LARGEST:
                        raise GnnmatError(
                            f"{self.name} sent more than {LARGEST // 2**20} MiB in one answer.",
                            fix="ask for less: a smaller limit, or a narrower filter.",
                        )
                return answer.status_code, answer.headers, bytes(body)
        except requests.exceptions.RequestException as error:
            raise _Again(self._explain(error)) from None
        except ValueError:  # requests parses the place of a redirect, though it shall not follow
            raise GnnmatError(f"{self.name} redirects to what is no address.") from None

    def _understood(self, status: int, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        """The JSON object of an answer."""
        said = self._said(body)
        if status == 429 or status >= 500:
            wait = _seconds(headers.get("Retry-After"))
            later = f" It asks to wait {wait:.0f} s." if wait is not None else ""
            busy = "has too many requests" if status == 429 else "is broken or busy"
            raise _Again(
                GnnmatError(
                    f"{self.name} {busy} (HTTP {status}).",
                    why=f"{said}{later}".strip(),
                    fix="Run the same command later; what came so far is kept.",
                ),
                wait,
            )
        if status != 200:
            refused = Refused(f"{self.name} refused the request (HTTP {status}).", why=said)
            refused.status = status
            raise refused
        try:
            # NaN and Infinity are no JSON, but some send them for a number that is missing.
            content = json.loads(body, parse_constant=lambda _: None)
        except (ValueError, RecursionError):
            beginning = _plain(body[:60].decode("utf-8", errors="replace"), self._hidden)
            raise _Again(
                GnnmatError(
                    f"{self.name} sent something that is no JSON, or only a part of it.",
                    why=f"It begins with: {beginning or 'nothing'}",
                    fix="Run the same command later; what came so far is kept.",
                )
            ) from None
        if not isinstance(content, dict):
            raise GnnmatError(f"{self.name} sent a JSON {type(content).__name__}, not an object.")
        return content

    def _said(self, body: bytes) -> str:
        """What an answer says of an error, in one short line."""
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            return ""
        found = content.get("errors") or content.get("detail") if isinstance(content, dict) else ""
        first = found[0] if isinstance(found, list) and found else found
        if isinstance(first, dict):
            first = first.get("detail") or first.get("msg") or first.get("title")
        return _plain(first, self._hidden) if isinstance(first, str) else ""

    def _explain(self, error: Exception) -> GnnmatError:
        from requests import exceptions

        place = host(self._home)
        again = "Run the same command later; what came so far is kept."
        if isinstance(error, exceptions.Timeout) or "timed out" in str(error):
            return GnnmatError(f"No answer from {place} for {self._timeout:g} s.", fix=again)
        if isinstance(error, exceptions.ChunkedEncodingError):
            return GnnmatError(f"An answer of {place} broke off before its end.", fix=again)
        if isinstance(error, exceptions.ContentDecodingError):
            return GnnmatError(f"An answer of {place} cannot be unpacked.", fix=again)
        return GnnmatError(
            f"No connection to {place}.",
            why=f"{type(error).__name__}.",
            fix="Check the network and the proxy settings, then run the same command again.",
        )


def _seconds(text: str | None) -> float | None:
    """Seconds of a Retry-After header: a number, or a date."""
    if text is None:
        return None
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time())
    except (TypeError, ValueError, OverflowError):
        return None


def _plain(text: str, hidden: str) -> str:
    """At most 300 printable characters of what a service said."""
    shown = text.replace(hidden, "***") if hidden else text
    return "".join(one for one in " ".join(shown.split()) if one.isprintable())[:300]
