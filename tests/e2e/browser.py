"""A real browser under test: Chromium without a window, driven over its DevTools protocol (one WebSocket).

A `Page` notes every address that it asks for and every complaint: console messages, uncaught exceptions, refused by the
content security policy, failed requests.
"""

import asyncio
import base64
import itertools
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.waiting import until

LOOK_S, PATIENCE_S = 0.02, 60.0
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
)  # fmt: skip
_COMPLAINTS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded", "Network.loadingFailed")
_KEYS = {"Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40, "/": 191}
_TEXTS = {"Enter": "\r", "/": "/"}


class Refused(Exception):
    """The browser refused a command: mostly because the page that it was for is gone."""


class Page:
    """One tab. `requests`: addresses asked for. `complaints`: what the browser complained about."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requests: list[str] = []
        self.complaints: list[Any] = []
        self._socket = socket
        self._session: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def begin(self) -> None:
        """Open the tab."""
        target = await self.ask("Target.createTarget", url="about:blank")
        attached = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.ask(f"{domain}.enable")

    async def listen(self) -> None:
        """Take what the browser says until it ends."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requests.append(told["params"]["request"]["url"])
            elif told["method"] in _COMPLAINTS:
                self.complaints.append(told["params"])

    async def ask(self, method: str, **params: Any) -> Any:
        """The result of one command; raises `Refused`."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params, **self._session})
        told = await asyncio.wait_for(answer, PATIENCE_S)
        if "error" in told:
            raise Refused(method, told["error"])
        return told["result"]

    async def run(self, script: str) -> Any:
        """The JSON value of an expression in the page."""
        told = await self.ask("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in told, (script, told)
        return told["result"].get("value")

    async def until(self, script: str) -> None:
        """Return as soon as the expression holds; on the way one page may give way to another."""
        now = asyncio.get_running_loop().time
        deadline = now() + PATIENCE_S
        while not await self._holds(script):
            assert now() < deadline, f"not within {PATIENCE_S} s: {script}"
            await asyncio.sleep(LOOK_S)

    async def _holds(self, script: str) -> bool:
        try:
            return bool(await self.run(script))
        except Refused:
            return False

    async def open(self, address: str) -> None:
        await self.ask("Page.navigate", url=address)
        await self.loaded(address)

    async def loaded(self, address: str) -> None:
        """Wait until the page at this address is complete."""
        await self.until(f"document.readyState === 'complete' && location.href === {address!r}")

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def press(self, key: str) -> None:
        about = {"key": key, "windowsVirtualKeyCode": _KEYS[key]}
        text = {"text": _TEXTS[key]} if key in _TEXTS else {}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    async def resize(self, width: int, height: int) -> None:
        """The size of the view in CSS pixels; a narrow one is a phone's."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        await self.ask("Emulation.setDeviceMetricsOverride", **size)

    async def picture(self) -> bytes:
        """A PNG of the view."""
        return base64.b64decode((await self.ask("Page.captureScreenshot"))["data"])


@asynccontextmanager
async def browser() -> AsyncIterator[Page]:
    """A new browser with one tab and an empty profile; it ends with the block."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    assert program, "Chromium is not installed: run `make setup-dev`"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        none = asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            program, *_QUIET, f"--user-data-dir={profile}", stdout=none, stderr=none
        )
        try:
            address = await asyncio.to_thread(_address, Path(profile) / "DevToolsActivePort")
            async with aiohttp.ClientSession() as session, session.ws_connect(address, max_msg_size=0) as socket:
                page = Page(socket)
                listening = asyncio.create_task(page.listen())
                await page.begin()
                yield page
                await socket.close()
                await listening
        finally:
            process.kill()
            await process.wait()


def _address(file: Path) -> str:
    """Where the browser listens: it writes port and path, on two lines, when it does."""
    until(lambda: file.exists() and "\n" in file.read_text(), PATIENCE_S)
    port, path = file.read_text().split("\n")[:2]
    return f"ws://127.0.0.1:{port}{path}"
