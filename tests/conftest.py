"""Fixtures that several files of tests share: the built site, served, and a browser."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from browsing import CHROMIUM, DESKTOP, copy_project

BUILD_SECONDS = 900


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The whole site, built afresh with warnings as errors; once, also where pytest-xdist runs several processes. It is built
    from a copy in a folder with spaces, brackets and Chinese characters, as readers have them.

    Or the built site in the folder that BOOK_SITE names. Where no repository is known the site is built for one that does
    not exist, so that its buttons are tested.
    """
    if "BOOK_SITE" in os.environ:
        return Path(os.environ["BOOK_SITE"]).resolve()
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder, report = shared / "我的 书架（a b）" / "site", shared / "我的 书架（a b）" / "report"
    try:
        folder.parent.mkdir()
    except FileExistsError:  # another process builds it, or has built it
        deadline = time.monotonic() + BUILD_SECONDS
        while not report.exists():
            assert time.monotonic() < deadline, "the site that another process builds does not come"
            time.sleep(0.5)
    else:
        result = subprocess.run(
            [sys.executable, "-m", "bookkit", "site", "--output", str(folder)],
            cwd=copy_project(folder.parent / "大模型 落地"),
            capture_output=True,
            text=True,
            encoding="utf8",
            env={"GITHUB_REPOSITORY": "nobody/landing-large-models", **os.environ},
        )
        finished = report.with_suffix(".part")
        finished.write_text(result.stderr if result.returncode else "", "utf8")
        finished.rename(report)
    assert folder.exists(), report.read_text("utf8")
    return folder


@pytest.fixture(scope="session")
def address(site):
    """The address at which the site is served as readers get it."""
    from bookkit.serve import make_server

    server = make_server(site, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; without one the test is skipped, and says so."""
    if not CHROMIUM:
        pytest.skip("no Chromium found: install it, or set CHROMIUM to its path, to test the site in a browser")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def context(browser):
    """A context that tests share, and with it the browser's cache; not for tests that leave something in its storage."""
    context = browser.new_context(color_scheme="light", viewport=DESKTOP)
    yield context
    context.close()
