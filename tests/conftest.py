"""Fixtures for all tests: a real audio server, a real display."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from rtgain.bench.servers import JackServer, XDisplay
from rtgain.system.shutdown_signals import SHUTDOWN_SIGNALS
from tests.demo_cache import cache_demo_source
from tests.environment import isolate_environment
from tests.jack_client import JackTestClient

isolate_environment()
cache_demo_source()

LONGEST_FIRST = (
    *("lessons", "test_lessons_live", "test_notebooks", "test_main_window", "test_accuracy", "test_export_faults"),
    *("test_descent", "test_search", "test_compare", "test_cluster", "test_decoder", "test_batch", "test_session"),
    *("test_experiment_runner", "test_export", "test_app", "test_scenario", "test_process_faults", "test_file_faults"),
    "test_fuzz",
)
"""Groups of tests that start first, so that no long group runs alone at the end."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="full number of repetitions, as before a release")


@pytest.fixture
def thorough(request: pytest.FixtureRequest) -> bool:
    """True if tests use the full number of repetitions, as before a release."""
    return bool(request.config.getoption("thorough"))


class GroupScheduling(LoadScopeScheduling):
    """Scheduler that runs the tests of a file, and all tests that share the lessons' experiments, in one process.

    (xdist 3.8 sets node ids that pytest 9.2 ignores, so `--dist loadgroup` groups nothing.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(Path(nodeid.split("::")[0]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    return GroupScheduling(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes() -> None:
    """Compile the callback before the test processes start: they would all compile it at the same time."""
    import rtgain.audio.engine.kernel  # noqa: F401


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the longest groups to the front, and select how a time-out ends a test.

    A time-out raises an exception in its test. In tests with Qt it ends the process instead: an exception raised in a
    Qt slot can be lost.
    """
    for item in items:
        if {"qapp", "qtbot"} & set(getattr(item, "fixturenames", ())):
            marker = item.get_closest_marker("timeout")
            item.add_marker(pytest.mark.timeout(*(marker.args if marker else ()), method="thread"))
    order = {name: index for index, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: order.get(Path(_group_of(item.path)).stem, len(order)))


def pytest_collection_finish() -> None:
    """Exclude modules and collected tests from garbage collection: visiting them takes 8 % of the time of all tests."""
    gc.collect()
    gc.freeze()


def _group_of(path: Path) -> str:
    """Return the folder of tests that share the lessons' experiments, otherwise the file."""
    shares_experiments = path.parent.name == "lessons" and "export" not in path.stem and path.stem != "test_notebooks"
    return str(path.parent if shares_experiments else path)


@pytest.fixture
def restored_signal_handlers() -> Iterator[None]:
    """Restore the signal handlers of the test process afterwards; `rtgain.cli.main.main` replaces them."""
    handlers = {number: signal.getsignal(number) for number in SHUTDOWN_SIGNALS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def jack_session() -> Iterator[JackServer]:
    """JACK server that the tests share."""
    server = JackServer()
    yield server
    server.stop()


@pytest.fixture
def jack_server(jack_session: JackServer, monkeypatch: pytest.MonkeyPatch) -> JackServer:
    """The shared JACK server, selected by the test's environment (48 kHz, 256 frames)."""
    return _select_server(jack_session, monkeypatch)


@pytest.fixture
def own_jack_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[JackServer]:
    """JACK server for one test, which may `kill` it; selected by the test's environment."""
    server = JackServer()
    yield _select_server(server, monkeypatch)
    server.stop()


@pytest.fixture
def jack_client(jack_server: JackServer) -> Iterator[JackTestClient]:
    """A client of the shared JACK server that plays and records; PortAudio lists it as "test-client"."""
    with JackTestClient(jack_server) as client:
        yield client


@pytest.fixture(scope="session")
def x_display() -> str:
    """Name of a real X display (Xvfb, 1280×800), to which DISPLAY is set until the end of the test session.

    It exits with the test process and not before, because Qt would abort without its display.
    """
    display = XDisplay()
    os.environ["DISPLAY"] = display.name
    os.environ["QT_QPA_PLATFORM"] = "xcb"
    os.environ.pop("WAYLAND_DISPLAY", None)
    return display.name


@pytest.fixture(scope="session")
def qapp_args(x_display: str) -> list[str]:
    """Make pytest-qt start the display before its application, so that every `qtbot` window is a real one."""
    return ["rtgain"]


def _select_server(server: JackServer, monkeypatch: pytest.MonkeyPatch) -> JackServer:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server
