"""A pytest plugin that fails the run when any test was skipped or expected to fail: ``-p tests.no_skip``.

A skipped test is a promise nobody keeps. ``make test`` and CI load this plugin; the names of the skipped tests
are printed above pytest's closing line.
"""

from __future__ import annotations

import pytest

_not_run: list[str] = []


def _note(report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped or hasattr(report, "wasxfail"):
        _not_run.append(report.nodeid)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Under pytest-xdist this runs in the process that collects the workers' reports too."""
    _note(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """A whole module can be skipped while it is collected."""
    _note(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn an otherwise good run into a failed one."""
    if _not_run and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run."""
    if _not_run:
        terminalreporter.section("有测试被跳过 / tests were skipped, which fails the run", sep="!")
        for nodeid in _not_run:
            terminalreporter.line(nodeid)
