"""A tab of headless Chromium that stays open: load a page, run script in it, press keys, see what it
complains of."""

import asyncio
import base64
import itertools
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tornado.websocket import websocket_connect

KEYS = {"ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "End": 35, "Home": 36, "Tab": 9}
KEYS |= {"Enter": 13, " ": 32, "Escape": 27}


class Tab:
    """The first tab of a browser at `address` (see `tests.browser.running`)."""

    def __init__(self, address: str) -> None:
        with urllib.request.urlopen(f"http://{address}/json/list") as answer:
            url = next(tab["webSocketDebuggerUrl"] for tab in json.load(answer) if tab["type"] == "page")
        self.events: list[dict[str, Any]] = []
        self._loop, self._numbers = asyncio.new_event_loop(), itertools.count(1)
        self._socket = self._loop.run_until_complete(_connect(url))
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **values: Any) -> dict[str, Any]:
        """A command of the debugging protocol."""
        return self._loop.run_until_complete(self._call(method, values))

    async def _call(self, method: str, values: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": values}))
        while (message := await self._receive()).get("id") != number:
            self.events.append(message)
        if "error" in message:
            raise RuntimeError(f"{method}: {message['error']}")
        return message["result"]

    async def _receive(self) -> dict[str, Any]:
        text = await asyncio.wait_for(self._socket.read_message(), 60)
        if text is None:
            raise RuntimeError("the browser closed the connection")
        return json.loads(text)

    def open(self, page: Path, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Load a page file at a size in CSS pixels."""
        self.view(width, height, dark)
        self.call("Log.clear")
        self.events.clear()
        self.call("Page.navigate", url=page.resolve().as_uri())
        self._loop.run_until_complete(self._loaded())

    def view(self, width: int, height: int = 900, dark: bool = False) -> None:
        """Show the page at a size in CSS pixels, light or dark."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    async def _loaded(self) -> None:
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(await self._receive())

    def run(self, script: str) -> Any:
        """The JSON value of an expression, waited for if it is a promise; RuntimeError where it throws."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in result:
            details = result["exceptionDetails"]
            raise RuntimeError(details.get("exception", {}).get("description", details["text"]))
        return result["result"].get("value")

    def wait(self, condition: str, seconds: float = 20) -> None:
        """Until an expression is true, on a page that may still be loading: asked too early, it throws."""
        limit, error = time.monotonic() + seconds, None
        while time.monotonic() < limit:
            try:
                if self.run(f"Boolean({condition})"):
                    return
            except RuntimeError as thrown:
                error = thrown
            time.sleep(0.05)
        raise RuntimeError(f"never true: {condition}") from error

    def press(self, key: str) -> None:
        """Press and release a key of KEYS."""
        values = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        if key == "Enter":  # the only one that types a character by which a button is pressed
            values["text"] = "\r"
        for kind in ("keyDown" if key == "Enter" else "rawKeyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **values)

    def picture(self, path: Path | None = None) -> bytes:
        """The whole page as PNG, saved to `path` where one is given."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True, format="png")
        content = base64.b64decode(shot["data"])
        if path is not None:
            path.write_bytes(content)
        return content

    def complaints(self) -> list[str]:
        """Errors and warnings of the console and of scripts, what did not load, what asked for no file."""
        self.run("0")
        return [text for event in self.events if (text := _complaint(event))]

    async def _close(self) -> None:
        self._socket.close()  # asks for the running loop: other tests may have left none to this thread
        while await self._socket.read_message() is not None:  # until the other side has closed too
            pass
        await asyncio.sleep(0)

    def close(self) -> None:
        """Let go of the browser."""
        self._loop.run_until_complete(self._close())
        self._loop.close()


def _complaint(event: dict[str, Any]) -> str:
    values = event.get("params", {})
    match event.get("method"):
        case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
            return values["entry"]["text"]
        case "Runtime.exceptionThrown":
            return str(values["exceptionDetails"])
        case "Runtime.consoleAPICalled" if values["type"] in ("error", "warning", "assert"):
            return f"console {values['type']}"
        # ERR_ABORTED: the browser itself read no further, as it does with sounds; a missing file is another.
        case "Network.loadingFailed" if values.get("errorText") != "net::ERR_ABORTED":
            return f"not loaded: {values.get('errorText')}"
        case "Network.requestWillBeSent" if not values["request"]["url"].startswith(("file:", "data:")):
            return f"asked for {values['request']['url']}"
    return ""


async def _connect(url: str) -> Any:
    return await websocket_connect(url, max_message_size=200_000_000)
