"""What the tests of pages share: a watched page, a phone, the elements that a browser fetches by itself."""

from contextlib import contextmanager
from urllib.parse import urlsplit

PHONE = {"width": 390, "height": 844}
# Elements whose address a browser fetches by itself when the page opens.
FETCHED = {
    "script": "src",
    "img": "src",
    "link": "href",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
    "embed": "src",
}


@contextmanager
def open_page(browser, **options):
    """A page that keeps a record of third-party requests and of errors in its console; both must stay empty."""
    context = browser.new_context(**options)
    page = context.new_page()
    faults = []

    def check(route):
        parts = urlsplit(route.request.url)
        if parts.scheme.startswith("http") and parts.hostname != "127.0.0.1":
            faults.append(f"third-party request: {route.request.url}")
            route.abort()
        else:
            route.continue_()

    context.route("**/*", check)
    page.on("pageerror", lambda error: faults.append(f"error: {error}"))
    page.on("console", lambda message: faults.append(f"console: {message.text}") if message.type == "error" else None)
    page.on(
        "response",
        lambda response: faults.append(f"{response.status}: {response.url}") if response.status >= 400 else None,
    )
    page.faults = faults
    try:
        yield page
    finally:
        context.close()
