"""Check of exported lessons in headless Chromium: media play, pages load nothing else, screenshots.

Run ``.venv/bin/python -m scripts.check_lesson_pages FOLDER PICTURES`` after ``rtgain lesson --export FOLDER``. The
script prints its findings, writes a wide and a narrow screenshot of every page, and exits with 1 if a check fails. It
needs ``chromium`` on the path, unlike rtgain and its tests.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WIDTHS = {"wide": 1200, "narrow": 390}

READABLE_WIDTH = 500
"""Smallest width of a picture in pixels: letters that are 22 of 1200 pixels high are then 9 pixels high."""

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe",
)  # fmt: skip

PLAY_SCRIPT = """
(async () => {
  const loaded = media => new Promise((done, failed) => {
    media.addEventListener('error', () => failed(new Error('does not load')));
    if (media.readyState >= 3) done(); else media.addEventListener('canplay', done);
  });
  const found = {videos: [], sounds: []};
  for (const video of document.querySelectorAll('video')) {
    await loaded(video);
    await video.play();
    const from = video.currentTime;
    await new Promise(done => setTimeout(done, 700));
    found.videos.push({seconds: video.duration, moved: video.currentTime !== from, width: video.clientWidth});
  }
  for (const sound of document.querySelectorAll('audio')) {
    sound.load();
    await loaded(sound);
    found.sounds.push(sound.duration);
  }
  found.images = [...document.images].map(image => ({
    shown: image.naturalWidth > 0, alt: image.alt, width: image.clientWidth,
  }));
  found.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  found.links = [...document.links].map(link => link.getAttribute('href'));
  return JSON.stringify(found);
})()
"""
"""JavaScript that plays the media of a page and returns what it finds as JSON."""


class Browser:
    """Chromium on a pipe: sends commands of the DevTools protocol and records the URLs that pages request."""

    def __init__(self, write: int, read: int) -> None:
        self._write = os.fdopen(write, "wb", buffering=0)
        self._read = os.fdopen(read, "rb")
        self._number = 0
        self._session: str | None = None
        self.requested_urls: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Network.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result. Raises `RuntimeError` for an error."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            reply = self._next()
            if reply.get("id") == self._number:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']['message']}")
                return dict(reply["result"])

    def open(self, path: Path, width: int) -> None:
        """Open a page in a window of `width` pixels, and wait until it is loaded."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.requested_urls.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, script: str) -> Any:
        """Evaluate a script that returns a promise of JSON, and return the decoded value."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return json.loads(result["result"]["value"])

    def screenshot(self) -> bytes:
        """Take a screenshot of the whole page as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _next(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has exited")
            content += byte
        message = json.loads(content)
        if message.get("method") == "Network.requestWillBeSent":
            self.requested_urls.append(message["params"]["request"]["url"])
        return dict(message)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium with an empty profile."""
    to_browser, from_browser = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        command = ["chromium", *FLAGS, f"--user-data-dir={profile}"]
        shell = f'exec "$@" 3<&{to_browser[0]} 4>&{from_browser[1]}'
        process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *command],
            pass_fds=(to_browser[0], from_browser[1]),
            stderr=subprocess.DEVNULL,
        )
        os.close(to_browser[0])
        os.close(from_browser[1])
        try:
            yield Browser(to_browser[1], from_browser[0])
        finally:
            process.terminate()
            process.wait()


def problems_of(found: dict[str, Any], requested_urls: list[str], path: Path) -> list[str]:
    """List the problems of a page."""
    problems = [
        f"requests {url[:80]}" for url in requested_urls if not url.startswith(("data:", path.resolve().as_uri()))
    ]
    problems += [
        "an animation does not move" for video in found["videos"] if not (video["moved"] and video["seconds"] > 1)
    ]
    problems += ["a sound is empty" for seconds in found["sounds"] if not seconds > 0.1]
    problems += ["an image or its description is missing" for i in found["images"] if not (i["shown"] and i["alt"])]
    pictures = found["images"] + found["videos"]
    problems += [f"a picture is {p['width']} pixels wide" for p in pictures if p["width"] < READABLE_WIDTH]
    problems += [f"is {found['overflow']} pixels too wide"] if found["overflow"] > 0 else []
    problems += [
        f"links to {link}, which does not exist" for link in found["links"] if not (path.parent / link).exists()
    ]
    return problems


def main(folder: str, pictures: str) -> int:
    """Check every page of `folder`. Returns the exit code."""
    Path(pictures).mkdir(parents=True, exist_ok=True)
    failed = False
    with chromium() as browser:
        for path in sorted(Path(folder).glob("*.html")):
            for name, width in WIDTHS.items():
                browser.open(path, width)
                found = browser.evaluate(PLAY_SCRIPT)
                problems = problems_of(found, browser.requested_urls, path)
                failed |= bool(problems)
                animations = [f"{video['seconds']:.2f} s" for video in found["videos"]]
                sounds = [f"{seconds:.2f} s" for seconds in found["sounds"]]
                print(
                    f"{path.stem} ({name}): animations {animations}, sounds {sounds}, {len(found['images'])} images",
                    *problems,
                )
                (Path(pictures) / f"{path.stem}-{name}.png").write_bytes(browser.screenshot())
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
