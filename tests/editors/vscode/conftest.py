"""One code-server and one browser for all scenarios; they are skipped where something of that is missing."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.processes import Home, environment, script, signal_to

pytest.importorskip("playwright", reason="playwright is not installed: make editors-vscode installs it")

from playwright.sync_api import BrowserContext

from tests.editors.vscode import install, project
from tests.editors.vscode.server import CodeServer, chromium, serving, with_programs
from tests.editors.vscode.window import Window, browsing, open_window


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A MIDFILL_HOME with a scripted model; at the end none of its processes may be left."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "user").mkdir()
    own = environment(folder, script(folder, *project.RULES), {})
    home = Home(folder, with_programs(own, str(Path(sys.executable).parent)))
    yield home
    for process in home.processes():
        signal_to(process, 15)
    _, left = psutil.wait_procs(home.processes(), timeout=60)
    assert not left


@pytest.fixture(scope="session")
def server(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CodeServer]:
    installed = install.place(os.environ)
    if not installed.is_whole:
        pytest.skip(f"code-server is not in {installed.folder}: python -m tests.editors.vscode.install")
    folder = tmp_path_factory.mktemp("vscode")
    project.make(folder / "project")
    with serving(installed, folder, home.environment) as running:
        yield running


@pytest.fixture(scope="session")
def browser(server: CodeServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    executable = chromium()
    if executable is None:
        pytest.skip("chromium is not installed")
    with browsing(executable, tmp_path_factory.mktemp("chromium")) as context:
        yield context


@pytest.fixture(scope="session")
def shared(browser: BrowserContext, server: CodeServer) -> Window:
    """The window of nearly all scenarios: opening one takes longer than most of them."""
    window = open_window(browser, server, server.workspace, page=browser.pages[0])
    window.until_status("ready")
    return window


@pytest.fixture
def window(shared: Window, request: pytest.FixtureRequest) -> Iterator[Window]:
    """The shared window; a picture of it is kept at the end of each."""
    yield shared
    shared.picture(request.node.name.partition("[")[0])
    shared.tidy()
