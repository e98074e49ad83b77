"""Serve the built site on this machine alone, with its own 404 page as GitHub Pages does."""
import argparse
import errno
import http.server
import sys
from functools import partial
from pathlib import Path

SITE = Path(__file__).resolve().parents[1] / "_build" / "site"


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


def make_server(folder, port):
    """Return a server of `folder` on 127.0.0.1:`port` (0: any free one); exits with advice if that cannot be."""
    if not (folder / "index.html").exists():
        sys.exit(f"There is no site in {folder}: run `make site` first.")
    try:
        return http.server.ThreadingHTTPServer(("127.0.0.1", port), partial(BookHandler, directory=str(folder)))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.exit(f"Port {port} is in use: stop what uses it, or choose another one: make serve PORT={port + 1}")
        raise


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--folder", type=Path, default=SITE)
    arguments = parser.parse_args()
    server = make_server(arguments.folder, arguments.port)
    print(f"The book is at http://127.0.0.1:{server.server_address[1]}/ (Ctrl+C stops it).", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
