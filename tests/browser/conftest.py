"""A real Chromium on a live server; what it complains about fails the test."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.test import Client, override_settings
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from pytest_django.live_server_helper import LiveServer

from tests.pages.conftest import World, world

__all__ = ["world"]
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PLOTLY = django_settings.BASE_DIR / "dashboard" / "static" / "vendor" / "plotly.min.js"


def _missing(what: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    if os.environ.get("REQUIRE_ALL") == "1":
        pytest.fail(f"{what} is missing and REQUIRE_ALL=1")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="session", autouse=True)
def static_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """An empty folder: the live server, older than any test's own folders, finds the files where they are made."""
    with override_settings(STATIC_ROOT=tmp_path_factory.mktemp("static")):
        yield


@pytest.fixture(scope="module")
def chromium(django_db_setup: None) -> Iterator[Browser]:
    """The browser, for one module: Playwright's event loop stays in this thread, where the rows are made too."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        _missing("chromium (Debian: apt-get install chromium)")
    if not PLOTLY.exists():
        _missing("what the pages need in the browser (make assets)")
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Window:
    """A browser window: its page, the requests it made and what it complained about."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.address}{path}")

    def note_request(self, request: Request) -> None:
        self.requests.append(request)

    def note_message(self, message: ConsoleMessage) -> None:
        """Errors, warnings and violations of the policy all arrive on the console."""
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def foreign(self) -> list[str]:
        """Requests that left the site."""
        own = (self.address, "data:", "blob:")
        return [request.url for request in self.requests if not request.url.startswith(own)]


@pytest.fixture
def window(chromium: Browser, live_server: LiveServer, transactional_db: None) -> Iterator[Window]:
    """A window of its own; at the end nothing may have been complained about, and nothing fetched elsewhere."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    opened = Window(context.new_page(), live_server.url)
    opened.page.on(
        "console", lambda m: opened.complaints.append(m.text) if m.type in {"error", "warning"} else None
    )
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("request", opened.note_request)
    yield opened
    context.close()
    assert opened.complaints == []
    assert opened.foreign() == []


def sign_in(window: Window, user: User) -> None:
    """Give the window the session of a user who has signed in."""
    client = Client()
    client.force_login(user)
    session = client.cookies[django_settings.SESSION_COOKIE_NAME].value
    window.page.context.add_cookies(
        [{"name": django_settings.SESSION_COOKIE_NAME, "value": session, "url": window.address}]
    )


@pytest.fixture
def signed_in(window: Window, world: World) -> Window:
    """A window in which the developer has signed in."""
    sign_in(window, world.developer)
    return window
