"""How does a test drive a page in a browser: open, click, look, and hear what went wrong?

Chromium is spoken to by its DevTools protocol over two pipes, which needs nothing but the standard
library. A page is a file. It is opened in a profile of its own, or in one that has forgotten all
that was there before, so that no page knows another: to begin a profile takes five times as long as
to open a page.

    def test_it(browser: Browser) -> None:          # a fixture; skips where there is no browser
        page = browser.open(path, width=390, dark=True)
        page.click("th:nth-child(3) button")
        assert page.evaluate("document.querySelector('h1').textContent") == "LeNet5"
        assert not page.too_wide()
        page.is_quiet()                             # no error, no warning, no request
"""

import base64
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from outside.browser import NAMES, QUIET
from outside.browser import browser as program

LIMIT = 60
"""Seconds for any one answer; a machine with much to do is slow."""

# Chromium reads at 3 and writes at 4. The numbers of our pipes may be these very ones, so each is
# first moved out of the way, in a process that then becomes the browser.
BECOME = """
import fcntl, os, sys
ours = [fcntl.fcntl(int(n), fcntl.F_DUPFD, 10) for n in sys.argv[1:3]]
for there, here in zip(ours, (3, 4)):
    os.dup2(there, here)
os.execv(sys.argv[3], sys.argv[3:])
"""

KEYS = {
    "Enter": (13, "\r"),
    "Tab": (9, ""),
    "Escape": (27, ""),
    " ": (32, " "),
    "Home": (36, ""),
    "End": (35, ""),
    "ArrowLeft": (37, ""),
    "ArrowUp": (38, ""),
    "ArrowRight": (39, ""),
    "ArrowDown": (40, ""),
}
"""Keys that do something, with their codes and the letters that they type."""

Message = dict[str, Any]


def why_not() -> str | None:
    """Why no page can be driven here; none where one can."""
    if os.name != "posix":
        return "the browser is driven over pipes with fixed numbers, which needs POSIX"
    if program() is None:
        return f"there is no {' or '.join(NAMES)} on this machine"
    return None


class PageFailed(Exception):
    """What the browser, or a script in it, says that went wrong."""


class Browser:
    """A running Chromium without a screen; ends with its `with` block."""

    def __init__(self) -> None:
        found = program()
        assert found is not None, why_not()
        # Processes of the browser's own write there until the last has gone.
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        its_in, self._to = os.pipe()
        self._from, its_out = os.pipe()
        options = (*QUIET, "--hide-scrollbars", "--remote-debugging-pipe", "--no-startup-window")
        become = (sys.executable, "-ISc", BECOME, str(its_in), str(its_out), found)
        with Path(self._profile.name, "log").open("wb") as log:
            self._running = subprocess.Popen(
                [*become, *options, f"--user-data-dir={self._profile.name}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(its_in, its_out),
                start_new_session=True,
            )
        os.close(its_in)
        os.close(its_out)
        self._rest = b""
        self._number = 0
        self._answers: dict[int, Message] = {}
        self._pages: dict[str, Page] = {}
        self._idle: list[str] = []
        """Sessions of pages that were closed and hold nothing any more."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        # With the processes that it started itself.
        os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def open(
        self,
        path: Path | str,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
    ) -> "Page":
        """A file (or an address) as a page that has loaded; `scripts=False` as where they are
        switched off."""
        session = self._idle.pop() if self._idle else self._begun()
        page = self._pages[session] = Page(self, session, scripts)
        page.look(width, height, dark=dark)
        page.ask("Emulation.setScriptExecutionDisabled", {"value": not scripts})
        page.go(path if isinstance(path, str) else path.resolve().as_uri())
        return page

    def _begun(self) -> str:
        """The session of an empty page in a new profile."""
        context = self.ask("Target.createBrowserContext")["browserContextId"]
        place: Message = {"url": "about:blank", "browserContextId": context}
        target = self.ask("Target.createTarget", place)["targetId"]
        session = self.ask("Target.attachToTarget", {"targetId": target, "flatten": True})
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable", session=session["sessionId"])
        return session["sessionId"]

    def take_back(self, session: str) -> None:
        """A page that has forgotten all."""
        self._pages.pop(session)
        self._idle.append(session)

    # ── the protocol: messages that end in a zero byte ─────────────────────────────────────────

    def ask(self, method: str, values: Message | None = None, session: str | None = None) -> Any:
        """What the browser answers to a command."""
        self._number += 1
        number = self._number
        said: Message = {"id": number, "method": method, "params": values or {}}
        if session is not None:
            said["sessionId"] = session
        rest = json.dumps(said).encode() + b"\0"
        while rest:
            rest = rest[os.write(self._to, rest) :]
        self.until(lambda: number in self._answers, method)
        answer = self._answers.pop(number)
        if "error" in answer:
            raise PageFailed(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Hears messages until something is so."""
        end = time.monotonic() + LIMIT
        while not holds():
            if not self._hear(end - time.monotonic()):
                raise PageFailed(f"{what}: no answer in {LIMIT} s; {self._log()}")

    def _hear(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._from], [], [], max(0, seconds))
        if not ready:
            return False
        got = os.read(self._from, 1 << 20)
        if not got:
            raise PageFailed(f"the browser has gone; {self._log()}")
        *whole, self._rest = (self._rest + got).split(b"\0")
        for text in whole:
            self._take(json.loads(text))
        return True

    def _take(self, message: Message) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
        elif (page := self._pages.get(message.get("sessionId", ""))) is not None:
            page.hear(message["method"], message["params"])

    def _log(self) -> str:
        log = Path(self._profile.name, "log")
        return log.read_text(encoding="utf-8", errors="replace")[-2000:]


class Page:
    """A page in the browser."""

    def __init__(self, browser: Browser, session: str, scripts: bool) -> None:
        self._browser = browser
        self._session = session
        self._has_scripts = scripts
        self._address = ""
        self._is_loaded = False
        self.errors: list[str] = []
        """What the console was told: exceptions, errors, warnings, and what the policy forbade."""
        self.requests: list[str] = []
        """Addresses that were asked for, besides that of the page and those that hold their data
        themselves."""

    def ask(self, method: str, values: Message | None = None) -> Any:
        return self._browser.ask(method, values, self._session)

    def close(self) -> None:
        """Leave the page, and have the profile forget it; what is not closed is not used again."""
        session: Message = {"securityOrigin": "file://", "isLocalStorage": False}
        self.ask("DOMStorage.clear", {"storageId": session})
        self.go("about:blank")
        self.ask("Storage.clearDataForOrigin", {"origin": "file://", "storageTypes": "all"})
        for forget in ("Page.resetNavigationHistory", "Log.clear"):
            self.ask(forget)
        self._browser.take_back(self._session)

    # ── what happens to it ─────────────────────────────────────────────────────────────────────

    def look(self, width: int, height: int = 900, *, dark: bool = False) -> None:
        """With a window of this size, and a reader who wants it light or dark."""
        sizes: Message = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", sizes)
        wish = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", {"features": [wish]})

    def go(self, address: str) -> None:
        self._address, self._is_loaded = address, False
        answer = self.ask("Page.navigate", {"url": address})
        if "errorText" in answer:
            raise PageFailed(f"{address}: {answer['errorText']}")
        # Another part of the same page is there at once.
        if "loaderId" in answer:
            self._browser.until(lambda: self._is_loaded, address)

    def click(self, selector: str) -> None:
        """With the mouse, at the middle of the first element that matches: it must be there to be
        hit."""
        self._at(selector, INTO_VIEW if self._has_scripts else "element.scrollIntoView()")
        x, y, hit = self._at(selector, MIDDLE)
        if hit:
            raise PageFailed(f"{selector} cannot be clicked: {hit} is there")
        for kind in ("mousePressed", "mouseReleased"):
            event: Message = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            self.ask("Input.dispatchMouseEvent", event)

    def press(self, key: str) -> None:
        """A key: one of `KEYS`, or a letter."""
        code, text = KEYS[key] if key in KEYS else (ord(key.upper()), key)
        event: Message = {"key": key, "windowsVirtualKeyCode": code}
        down = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        self.ask("Input.dispatchKeyEvent", {**event, **down})
        self.ask("Input.dispatchKeyEvent", {**event, "type": "keyUp"})

    def type(self, selector: str, text: str) -> None:
        """Letters into a field, as if they were typed."""
        self._at(selector, "element.focus()")
        self.ask("Input.insertText", {"text": text})

    # ── what can be seen of it ─────────────────────────────────────────────────────────────────

    def evaluate(self, script: str) -> Any:
        """The value of an expression; of a promise what it holds."""
        values = {"expression": script, "awaitPromise": True, "returnByValue": True}
        answer = self.ask("Runtime.evaluate", values)
        if "exceptionDetails" in answer:
            raise PageFailed(_told(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def _at(self, selector: str, script: str) -> Any:
        """An expression about `element`, the first that matches."""
        found = f"document.querySelector({json.dumps(selector)})"
        missing = json.dumps(f"nothing matches {selector}")
        check = f"if (!element) throw new Error({missing})"
        return self.evaluate(f"(element => {{ {check}; return {script}; }})({found})")

    def text(self, selector: str) -> str:
        """What a reader sees of the first element that matches."""
        return self._at(selector, "element.innerText ?? element.textContent")

    def texts(self, selector: str) -> list[str]:
        """The same of all that match."""
        found = f"document.querySelectorAll({json.dumps(selector)})"
        return self.evaluate(f"[...{found}].map((e) => e.innerText ?? e.textContent)")

    def is_visible(self, selector: str) -> bool:
        return self._at(selector, "element.checkVisibility()")

    def too_wide(self) -> list[str]:
        """What sticks out of the window to the side, and not of a box that scrolls by itself."""
        return self.evaluate(TOO_WIDE)

    def too_small(self, least: float = 11) -> list[str]:
        """Texts whose letters are smaller than this on the screen, in figures too."""
        return self.evaluate(f"({TOO_SMALL})({least})")

    def screenshot(self, path: Path | str, *, whole: bool = True) -> None:
        """A PNG of the window, or of the whole page."""
        values: Message = {"format": "png"}
        if whole:
            size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
            clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
            values |= {"captureBeyondViewport": True, "clip": clip}
        answer = self.ask("Page.captureScreenshot", values)
        Path(path).write_bytes(base64.b64decode(answer["data"]))

    def is_quiet(self) -> None:
        """Fails where the console was told anything, or anything was asked for."""
        # What comes later than the answer to this was not caused by what was done so far. Where
        # scripts are off, no timer ever ends.
        self.evaluate("new Promise((done) => setTimeout(done, 0))" if self._has_scripts else "0")
        assert not self.errors, f"the console was told: {self.errors}"
        assert not self.requests, f"the page asked for {self.requests}"

    # ── what it says by itself ─────────────────────────────────────────────────────────────────

    def hear(self, method: str, values: Message) -> None:
        match method:
            case "Page.loadEventFired":
                self._is_loaded = True
            case "Runtime.exceptionThrown":
                self.errors.append(_told(values["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if values["type"] in ("error", "warning", "assert"):
                said = [str(a.get("value", a.get("description", ""))) for a in values["args"]]
                self.errors.append(" ".join(said))
            case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
                self.errors.append(values["entry"]["text"])
            case "Network.requestWillBeSent":
                address = values["request"]["url"]
                own = address.partition("#")[0] == self._address.partition("#")[0]
                if not own and not address.startswith(("data:", "blob:")):
                    self.requests.append(address)
            case _:
                pass


def _told(details: Message) -> str:
    return details.get("exception", {}).get("description") or details["text"]


# What was done before may still move the page: the element has to stay where it is for a while.
INTO_VIEW = """(async () => {
  let before = null, still = 0;
  for (let i = 0; i < 50 && still < 2; i++) {
    element.scrollIntoView({ block: "center", inline: "center", behavior: "instant" });
    const box = element.getBoundingClientRect(), now = `${box.x} ${box.y}`;
    still = now === before ? still + 1 : 0;
    before = now;
    await new Promise((done) => setTimeout(done, 20));
  }
})()"""

MIDDLE = """(() => {
  const box = element.getClientRects()[0] || element.getBoundingClientRect();
  const x = box.x + box.width / 2, y = box.y + box.height / 2;
  const top = document.elementFromPoint(x, y);
  const hits = top !== null && (element.contains(top) || top.contains(element));
  return [x, y, hits ? "" : (top ? top.outerHTML.slice(0, 80) : "nothing")];
})()"""

TOO_WIDE = """(() => {
  const wide = document.documentElement.clientWidth + 0.5, found = [];
  const named = (e) => `${e.localName}.${e.getAttribute("class") || ""}`;
  const own = (e) => {
    for (let up = e.parentElement; up; up = up.parentElement) {
      if (up === document.body || up === document.documentElement) return false;
      if (up.localName === "svg" || getComputedStyle(up).overflowX !== "visible") return true;
    }
    return false;
  };
  for (const e of document.body.querySelectorAll("*")) {
    const box = e.getBoundingClientRect();
    if (box.width && box.right > wide && e.checkVisibility() && !own(e))
      found.push(`${named(e)} ends at ${Math.round(box.right)}`);
  }
  if (document.documentElement.scrollWidth > wide)
    found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  return found;
})()"""

TOO_SMALL = """(least) => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.data.trim() || !e.checkVisibility()) continue;
    if (["title", "desc", "style", "script"].includes(e.localName)) continue;
    const grown = e.getScreenCTM && e.ownerSVGElement ? Math.abs(e.getScreenCTM().a) : 1;
    const size = parseFloat(getComputedStyle(e).fontSize) * (grown || 1);
    if (size < least - 0.05) found.push(`${size.toFixed(1)}: ${walk.currentNode.data.trim()}`);
  }
  return found;
}"""
