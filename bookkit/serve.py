"""Serve the built site on this machine alone, with its own 404 page as GitHub Pages does."""

import errno
import http.server
import sys
from functools import partial
from pathlib import Path

from bookkit import ROOT

SITE = ROOT / "_build" / "site"


class BookHandler(http.server.SimpleHTTPRequestHandler):
    """Static files; a missing page answers 404 with the book's own page."""

    def send_error(self, code, message=None, explain=None):
        page = Path(self.directory, "404.html")
        if code != 404 or not page.exists():
            return super().send_error(code, message, explain)
        body = page.read_bytes()
        self.send_response(404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Stay quiet: one line a request hides the address that was printed."""


def port_number(text):
    """Return the port that `text` names; exits with advice if it names none."""
    if not (text.isascii() and text.isdecimal() and int(text) <= 65535):
        sys.exit(f"There is no port {text!r}: choose one from 1024 to 65535, for example: make serve PORT=8080")
    return int(text)


def make_server(folder, port):
    """Return a server of `folder` on 127.0.0.1:`port` (0: any free one); exits with advice if that cannot be."""
    if not (folder / "index.html").exists():
        sys.exit(f"There is no site in {folder}: run `make site` first.")
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(BookHandler, directory=str(folder)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            other = port + 1 if port < 65535 else 8080
            sys.exit(f"Port {port} is in use: stop what uses it, or choose another one: make serve PORT={other}")
        if error.errno == errno.EACCES:
            sys.exit(
                f"Port {port} is reserved for the system: choose one from 1024 to 65535, for example: make serve PORT=8080"
            )
        raise


def serve(port, folder=SITE):
    """Serve `folder` at `port`, as it was typed, until Ctrl+C."""
    server = make_server(folder, port_number(port))
    print(f"The book is at http://127.0.0.1:{server.server_address[1]}/ (Ctrl+C stops it).", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
