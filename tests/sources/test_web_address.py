"""Addresses: what is one, and which belong to the same host."""

from __future__ import annotations

import pytest

from gnnmat.sources.web_address import host, is_loopback, on_same_host

HOME = "https://example.org/optimade"


@pytest.mark.parametrize(
    ("url", "home", "asked"),
    [
        ("https://example.org/v1?page=2", HOME, "https://example.org/v1?page=2"),
        ("https://example.org:443/v1", HOME, "https://example.org:443/v1"),
        ("https://EXAMPLE.org/v1", HOME, "https://EXAMPLE.org/v1"),
        # As a service behind a proxy writes it; plain text is not gone back to.
        ("http://example.org/v1", HOME, "https://example.org/v1"),
        ("https://example.org/v1", "http://example.org", "https://example.org/v1"),
        ("http://example.org:8080/v1", HOME, None),
        ("https://example.org:8443/v1", HOME, None),
        ("https://example.org.evil.net/v1", HOME, None),
        ("https://example.org@evil.net/v1", HOME, None),
        ("https://user:word@example.org/v1", HOME, None),
        ("https://www.example.org/v1", HOME, None),
        ("ftp://example.org/v1", HOME, None),
        ("file:///etc/passwd", HOME, None),
        ("//example.org/v1", HOME, None),
        ("https://example.org:port/v1", HOME, None),
        ("http://[", HOME, None),
        ("", HOME, None),
    ],
)
def test_one_host_is_asked_and_no_other(url: str, home: str, asked: str | None) -> None:
    assert on_same_host(url, home) == asked


def test_a_host_is_named_without_what_proves_who_asks() -> None:
    assert host("https://user:word@example.org:8443/v1") == "example.org:8443"
    assert host("nonsense") == "nonsense"


def test_loopback_is_this_machine_alone() -> None:
    assert is_loopback("http://127.0.0.1:5000/")
    assert is_loopback("http://localhost/")
    assert not is_loopback("http://127.0.0.1.example.org/")
    assert not is_loopback("http://localhost@example.org/")
