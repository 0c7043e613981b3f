"""Addresses of web services: what one is, and whether two belong to the same host."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit, urlunsplit

from gnnmat.errors import GnnmatError

PORTS = {"http": 80, "https": 443}


def check_address(text: str, what: str) -> str:
    """The address, if it is one of http or https without a password in it.

    Args:
        text: as the user wrote it.
        what: what it is for, to begin the message with.

    Raises:
        GnnmatError: it is none.
    """
    parts = _split(text)
    if parts is None or parts.scheme not in PORTS or not parts.hostname:
        raise GnnmatError(
            f"{what} '{text}' is no address.", why="Expected one that begins with https://."
        )
    if parts.username or parts.password:
        raise GnnmatError(f"{what} holds a user name or a password.", fix="leave them out.")
    return text


def on_same_host(url: str, home: str) -> str | None:
    """The address as it may be asked, or None if it does not belong to the host of ``home``.

    Scheme and port have to be the same; but where both hosts are asked at their usual ports, a
    plain http link becomes https, as many services behind a proxy write their links so.
    """
    parts, base = _split(url), _split(home)
    if parts is None or base is None or parts.username or parts.hostname != base.hostname:
        return None
    if parts.scheme == base.scheme and _port(parts) == _port(base):
        return url
    if _is_usual(parts) and _is_usual(base):
        return urlunsplit(parts._replace(scheme="https", netloc=parts.hostname or ""))
    return None


def joined(url: str, link: str) -> str:
    """The address that a link means on the page of an address; a link that is none as it is."""
    try:
        return urljoin(url, link)
    except ValueError:
        return link


def host(url: str) -> str:
    """Name and port of the host, or the whole text if it is no address."""
    parts = _split(url)
    return parts.netloc.rpartition("@")[2] if parts is not None and parts.netloc else url


def is_loopback(url: str) -> bool:
    """Whether the address is this machine, which nobody else listens to."""
    parts = _split(url)
    return parts is not None and parts.hostname in {"localhost", "127.0.0.1", "::1"}


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        _ = parts.port  # a port that is no number is found only when it is asked for
    except ValueError:
        return None
    return parts


def _port(parts: SplitResult) -> int | None:
    return parts.port or PORTS.get(parts.scheme)


def _is_usual(parts: SplitResult) -> bool:
    return _port(parts) == PORTS.get(parts.scheme, -1)
