"""A headless Chromium, spoken to over pipes in its own protocol: no driver, no port, no library."""

import base64
import json
import os
import shutil
import subprocess
import time
from contextlib import suppress

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)


def find():
    """The browser's program, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class BrowserError(AssertionError):
    """The browser did not do as it was told, in time."""


class Browser:
    """One page of a browser of its own."""

    def __init__(self, profile, width=1400, height=1000, seconds=60):
        self._seconds = seconds
        self._n_asked = 0
        self._buffer = b""
        self.errors = []
        """What scripts complained of, and what could not be loaded."""
        to_read, self._to = os.pipe()
        self._from, to_write = os.pipe()

        def wire():
            # The protocol's pipes are 3 and 4; neither may be in the way of the other.
            source, sink = os.dup(to_read), os.dup(to_write)
            os.dup2(source, 3)
            os.dup2(sink, 4)

        self._process = subprocess.Popen(
            [find(), *FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            close_fds=False,
            preexec_fn=wire,  # noqa: PLW1509  # pipes of two numbers cannot be given otherwise
            start_new_session=True,
        )
        os.close(to_read)
        os.close(to_write)
        os.set_blocking(self._from, False)
        self._session = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._ask(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """End the browser and all that it started."""
        with suppress(BrowserError, OSError):
            self._session = None
            self._ask("Browser.close")
        for end in (self._to, self._from):
            with suppress(OSError):
                os.close(end)
        try:
            self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, 9)
            self._process.wait(timeout=60)

    def resize(self, width, height):
        """Give the page a size."""
        self._ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )

    def go(self, url):
        """Open an address."""
        answer = self._ask("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")

    def run(self, script):
        """The value of an expression in the page."""
        answer = self._ask(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        if "exceptionDetails" in answer:
            raise BrowserError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    @property
    def text(self):
        """All that a reader of the page sees."""
        return self.run("document.body ? document.body.innerText : ''") or ""

    def wait(self, script, what=None):
        """Wait until an expression in the page is true; return its value."""
        deadline = time.monotonic() + self._seconds
        while time.monotonic() < deadline:
            value = self.run(script)
            if value:
                return value
            time.sleep(0.1)
        raise BrowserError(
            f"the page never came to: {what or script}; it says:\n{self.text[:3000]}"
        )

    def wait_for(self, *texts):
        """Wait until all texts are seen."""
        for text in texts:
            self.wait(f"(document.body?.innerText ?? '').includes({json.dumps(text)})", text)

    def click(self, text, among="a, button, [role=tab], [role=button], li"):
        """Click on what says just this."""
        found = (
            f"[...document.querySelectorAll({json.dumps(among)})]"
            f".find(e => e.innerText.trim() === {json.dumps(text)})"
        )
        self.wait(f"!!({found})", f"something to click on that says {text!r}")
        self.run(f"({found}).click()")

    def picture(self, path, whole=False):
        """Keep what is seen (or the whole page) as a PNG."""
        answer = self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def _ask(self, method, **params):
        self._n_asked += 1
        message = {"id": self._n_asked, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + self._seconds
        while True:
            answer = self._next(deadline)
            if answer.get("id") == self._n_asked:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                return answer["result"]
            self._hear(answer)

    def _hear(self, event):
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(event["params"]["exceptionDetails"])
        elif event.get("method") == "Log.entryAdded":
            entry = event["params"]["entry"]
            if entry["level"] == "error":
                self.errors.append(entry)

    def _next(self, deadline):
        while b"\0" not in self._buffer:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise BrowserError("the browser says nothing any more")
            try:
                read = os.read(self._from, 1 << 20)
            except BlockingIOError:
                time.sleep(0.01)
                continue
            if not read:
                raise BrowserError("the browser has gone")
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(line)
