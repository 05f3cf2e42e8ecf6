"""A real browser without a window, spoken to over its own debugging protocol."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from threading import Thread, Timer
from typing import Any

import aiohttp

DEADLINE_S = 30.0
LISTENING = b"DevTools listening on "
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever the browser itself would like to ask of the world, it finds none.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--remote-debugging-port=0",
)


def find_browser() -> str | None:
    """The path of the first browser there is."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@dataclass
class Page:
    """An opened page. requests: every URL it asked for, itself included; console: what it or the browser
    had to say, as "level: text"."""

    _talk: Talk
    _session: str
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    async def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression, also where the page itself may run none."""
        asked = {"expression": script, "returnByValue": True, "awaitPromise": True}
        answer = await self._talk.ask("Runtime.evaluate", asked, self._session)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def move_pointer(self, x: float, y: float) -> None:
        """Puts the pointer there, in CSS pixels of the window."""
        await self._talk.ask(
            "Input.dispatchMouseEvent", {"type": "mouseMoved", "x": x, "y": y}, self._session
        )

    async def click(self, x: float, y: float) -> None:
        """Presses and releases the left button there."""
        for kind in ("mousePressed", "mouseReleased"):
            press = {"type": kind, "x": x, "y": y, "button": "left", "clickCount": 1}
            await self._talk.ask("Input.dispatchMouseEvent", press, self._session)


class Talk:
    """Questions and answers over the protocol's one connection; what nobody asked for goes to `told`."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self.told: list[dict[str, Any]] = []

    async def ask(self, method: str, params: dict[str, Any] | None = None, session: str | None = None) -> Any:
        number = next(self._numbers)
        question = {"id": number, "method": method, "params": params or {}}
        await self._socket.send_json(question | ({"sessionId": session} if session else {}))
        while True:
            message = await self._hear()
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self.told.append(message)

    async def wait_for(self, method: str) -> None:
        """Until an event of this name has come."""
        while all(message.get("method") != method for message in self.told):
            self.told.append(await self._hear())

    async def _hear(self) -> dict[str, Any]:
        message = await self._socket.receive_str(timeout=DEADLINE_S)
        heard: dict[str, Any] = json.loads(message)
        return heard


@contextlib.asynccontextmanager
async def opened(
    address: str, url: str, *, scripts: bool = True, width: int = 1400, dark: bool = False
) -> AsyncIterator[Page]:
    """The page, loaded, in a tab of its own of the browser at `address`."""
    async with aiohttp.ClientSession() as http, http.ws_connect(address, max_msg_size=0) as socket:
        talk = Talk(socket)
        target = await talk.ask("Target.createTarget", {"url": "about:blank"})
        session = (await talk.ask("Target.attachToTarget", target | {"flatten": True}))["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            await talk.ask(f"{domain}.enable", session=session)
        screen = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        await talk.ask("Emulation.setDeviceMetricsOverride", screen, session)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        await talk.ask("Emulation.setEmulatedMedia", {"features": scheme}, session)
        await talk.ask("Emulation.setScriptExecutionDisabled", {"value": not scripts}, session)
        await talk.ask("Page.navigate", {"url": url}, session)
        await talk.wait_for("Page.loadEventFired")
        page = Page(talk, session)
        await page.evaluate("1")  # whatever the page did while loading has been told before this is answered
        _sort(talk.told, page)
        yield page
        await talk.ask("Target.closeTarget", target)


def _sort(told: list[dict[str, Any]], page: Page) -> None:
    for message in told:
        params = message.get("params", {})
        match message.get("method"):
            case "Network.requestWillBeSent":
                page.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                page.console.append(f"{params['entry']['level']}: {params['entry']['text']}")
            case "Runtime.consoleAPICalled":
                page.console.append(f"{params['type']}: {params['args']}")
            case "Runtime.exceptionThrown":
                page.console.append(f"exception: {params['exceptionDetails']}")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """A browser with a profile of its own, which holds its temporary files too; yields the address of its
    protocol."""
    binary = find_browser()
    assert binary is not None
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        tempfile.TemporaryFile() as unread,
        subprocess.Popen(
            [binary, *FLAGS, f"--user-data-dir={profile}"],
            env=os.environ | {"TMPDIR": profile},
            stdout=unread,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process,
    ):
        assert process.stderr is not None
        # A browser that says nothing in time is ended, which ends the loop below.
        watchdog = Timer(DEADLINE_S, _kill, [process])
        watchdog.start()
        try:
            said = next((line for line in process.stderr if line.startswith(LISTENING)), None)
            watchdog.cancel()
            assert said is not None, f"{binary} ended, or did not listen within {DEADLINE_S} s"
            # It goes on to complain of what a container lacks; somebody has to read that.
            Thread(target=process.stderr.read, daemon=True).start()
            yield said.decode().split()[-1]
        finally:
            watchdog.cancel()
            _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
