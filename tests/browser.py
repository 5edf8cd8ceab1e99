"""Looks at pages in headless Chromium through its debugging protocol; no driver or other package needed."""

import asyncio
import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tornado.websocket import websocket_connect

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--remote-debugging-port=0",
)  # fmt: skip
# What is wrong with the page as it stands: pictures that did not load, and what sticks out to the right.
LOOK = """(() => {
  const broken = [...document.images].filter(i => !(i.complete && i.naturalWidth > 0))
    .map(i => i.getAttribute('src').slice(0, 80));
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth > width || document.body.scrollWidth > width;
  const sticks = e => e.getBoundingClientRect().right > width + 1
    && !e.closest('.scroll, .math, pre, .highlight');
  const out = wide ? [...document.querySelectorAll('main *')].filter(sticks)
    .map(e => e.outerHTML.slice(0, 80)) : [];
  return JSON.stringify({broken, wide, out, width, images: document.images.length, title: document.title});
})()"""


def chromium() -> str | None:
    """The program, if there is one."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@dataclass
class Seen:
    """What the browser says of a page at one width."""

    title: str
    images: int
    width: int
    broken: list[str]
    wide: bool
    out: list[str]
    console: list[str] = field(default_factory=list)
    picture: bytes = b""


@contextlib.contextmanager
def running(program: str) -> Iterator[str]:
    """Start the browser with an empty profile; gives the address of its debugging port."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            port = Path(profile) / "DevToolsActivePort"
            limit = time.monotonic() + 60
            while not (port.is_file() and port.read_text().count("\n")):
                if process.poll() is not None or time.monotonic() > limit:
                    raise RuntimeError(f"{program} does not start")
                time.sleep(0.1)
            yield f"127.0.0.1:{port.read_text().splitlines()[0]}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def look(
    address: str, page: Path, width: int, height: int = 844, picture: bool = False, dark: bool = False
) -> Seen:
    """Open a page file at a width in CSS pixels and say what is wrong with it."""
    return asyncio.run(_look(address, page, width, height, picture, dark))


async def _look(address: str, page: Path, width: int, height: int, picture: bool, dark: bool) -> Seen:
    with urllib.request.urlopen(f"http://{address}/json/list") as answer:
        tabs = json.load(answer)
    url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    socket = await websocket_connect(url, max_message_size=200_000_000)
    numbers = itertools.count(1)
    events: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        text = await asyncio.wait_for(socket.read_message(), 60)
        if text is None:
            raise RuntimeError("the browser closed the connection")
        return json.loads(text)

    async def call(method: str, **values: Any) -> dict[str, Any]:
        number = next(numbers)
        await socket.write_message(json.dumps({"id": number, "method": method, "params": values}))
        while (message := await receive()).get("id") != number:
            events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    try:
        for domain in ("Page", "Runtime", "Log", "Network"):
            await call(f"{domain}.enable")
        await call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await call("Emulation.setEmulatedMedia", features=[scheme])
        await call("Log.clear")
        events.clear()
        await call("Page.navigate", url=page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in events):
            events.append(await receive())
        result = await call("Runtime.evaluate", expression=LOOK, returnByValue=True)
        seen = Seen(**json.loads(result["result"]["value"]))
        seen.console = [text for event in events if (text := _complaint(event))]
        if picture:
            shot = await call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
            seen.picture = base64.b64decode(shot["data"])
        return seen
    finally:
        socket.close()
        while await socket.read_message() is not None:  # until the other side has closed too
            pass
        await asyncio.sleep(0)


def _complaint(event: dict[str, Any]) -> str:
    """An error or warning of the console, a script's error, a request that failed or left this machine."""
    values = event.get("params", {})
    match event.get("method"):
        case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
            return values["entry"]["text"]
        case "Runtime.exceptionThrown":
            return values["exceptionDetails"]["text"]
        case "Runtime.consoleAPICalled" if values["type"] in ("error", "warning", "assert"):
            return f"console {values['type']}"
        case "Network.loadingFailed":
            return f"not loaded: {values.get('errorText')}"
        case "Network.requestWillBeSent" if values["request"]["url"].startswith(("http", "ws")):
            return f"asked another host: {values['request']['url']}"
    return ""
