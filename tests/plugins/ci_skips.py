"""With ``CI=true`` a run fails on any skipped test whose reason is not on a short list.

A test that skips itself proves nothing, and nobody reads the skips of a green run.
"""

from __future__ import annotations

import os

import pytest

ALLOWED = ("shared data absent", "GPU absent")
"""How the reason of a skip may begin."""

_refused = pytest.StashKey[list[str]]()


def is_allowed(reason: str) -> bool:
    """Whether a test may skip itself for this reason in CI."""
    return reason.removeprefix("Skipped: ").startswith(ALLOWED)


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("CI", "").lower() in {"1", "true"}:
        config.stash[_refused] = []
        config.pluginmanager.register(_Watch(config.stash[_refused]), "skips-watch")


class _Watch:
    """Collects the skips that are not allowed: of tests, and of whole files while collecting."""

    def __init__(self, refused: list[str]) -> None:
        self.refused = refused

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):
            self._note(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._note(report)

    def _note(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.skipped:
            where = report.longrepr
            reason = str(where[2]) if isinstance(where, tuple) else str(where)
            if not is_allowed(reason):
                self.refused.append(f"{report.nodeid}: {reason.removeprefix('Skipped: ')}")


# Last, so that nothing sets the exit status back; the terminal prints its summary around it.
@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    refused = session.config.stash.get(_refused, [])
    if refused and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    refused = config.stash.get(_refused, [])
    if refused:
        terminalreporter.section("skips that CI does not allow", red=True)
        for line in refused:
            terminalreporter.line(line, red=True)
        terminalreporter.line(f"A reason must begin with one of: {', '.join(ALLOWED)}.")
