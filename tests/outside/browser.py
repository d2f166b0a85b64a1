"""How does a page run in a browser that nobody looks at?

The folder of the page is served on this machine alone. What the page has shown when it is done, or
what went wrong in it, comes back as a request.
"""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-extensions", "--no-first-run", "--no-default-browser-check"),
)
"""The browser asks for nothing but the page."""

TELLS = b"""
<script>
  const tell = (text) => fetch("/told", { method: "POST", body: text });
  addEventListener("error", (event) => tell(`error: ${event.message}`));
  addEventListener("unhandledrejection", (event) => tell(`error: ${event.reason}`));
  const title = document.title;
  const timer = setInterval(() => {
    if (document.title === title) return;
    clearInterval(timer);
    tell(document.querySelector("pre").textContent);
  }, 50);
</script>
"""
"""Added to the page as it is served."""

PATIENCE = 120


class PageFailed(Exception):
    """What a page, or the browser, says that went wrong."""


def browser() -> str | None:
    """The program of a browser that can run without a screen."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def shown(folder: Path, page: str) -> str:
    """What the page's `<pre>` holds once its title has changed."""
    program = browser()
    assert program is not None
    told: Queue[str] = Queue()
    with (
        _served(folder, told) as address,
        # Processes of the browser's own write there until the last has gone.
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
    ):
        command = [program, *QUIET, f"--user-data-dir={profile}", f"{address}/{page}"]
        log = Path(profile, "log")
        with log.open("wb") as file:
            running = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True)
        try:
            text = told.get(timeout=PATIENCE)
        except Empty:
            said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise PageFailed(f"nothing was told in {PATIENCE} s; {said}") from None
        finally:
            # With the processes that it started itself.
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()
    if text.startswith("error: "):
        raise PageFailed(text)
    return text


@contextmanager
def _served(folder: Path, told: "Queue[str]") -> Generator[str]:
    handler = partial(Handler, told=told, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Handler(SimpleHTTPRequestHandler):
    """The files of a folder, and the way back for what a page tells."""

    # Without its own word for it, a browser takes `.mjs` for no script.
    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def __init__(self, *args: Any, told: "Queue[str]", **options: Any) -> None:
        self._told = told
        super().__init__(*args, **options)

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if path.suffix != ".html":
            super().do_GET()
            return
        content = path.read_bytes() + TELLS
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self._told.put(self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8"))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a test that passes is silent."""
