"""Open exported lessons in headless Chromium: does all play, does nothing leave the page, how does it look?

Run ``.venv/bin/python -m scripts.check_lesson_pages FOLDER PICTURES`` after ``rtgain lesson --export FOLDER``. It
prints what it found, writes a picture of every page, wide and narrow, and exits with 1 where something is wrong. It
needs ``chromium`` on the path, which neither rtgain nor its tests do.
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
"""In pixels: the letters of a figure, 22 of 1200 pixels high, are 9 high then."""

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe",
)  # fmt: skip

PLAYS = """
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
"""In the page: play what is there, and tell what came of it."""


class Browser:
    """Chromium on a pipe: commands of the DevTools protocol, and the addresses that were asked for meanwhile."""

    def __init__(self, write: int, read: int) -> None:
        self._write = os.fdopen(write, "wb", buffering=0)
        self._read = os.fdopen(read, "rb")
        self._number = 0
        self._session: str | None = None
        self.asked: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Network.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        self._write.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return dict(answer["result"])

    def open(self, path: Path, width: int) -> None:
        """Show a page in a window of that width, and wait until it is loaded."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.asked.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    def evaluate(self, script: str) -> Any:
        """What a promise in the page comes to, which is JSON."""
        result = self.send("Runtime.evaluate", expression=script, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"]["exception"]["description"])
        return json.loads(result["result"]["value"])

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def _next(self) -> dict[str, Any]:
        content = bytearray()
        while (byte := self._read.read(1)) != b"\0":
            if not byte:
                raise RuntimeError("Chromium has ended")
            content += byte
        message = json.loads(content)
        if message.get("method") == "Network.requestWillBeSent":
            self.asked.append(message["params"]["request"]["url"])
        return dict(message)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium that knows nobody."""
    ours, theirs = os.pipe(), os.pipe()
    with tempfile.TemporaryDirectory() as profile:
        words = ["chromium", *FLAGS, f"--user-data-dir={profile}"]
        shell = f'exec "$@" 3<&{ours[0]} 4>&{theirs[1]}'
        process = subprocess.Popen(
            ["bash", "-c", shell, "bash", *words], pass_fds=(ours[0], theirs[1]), stderr=subprocess.DEVNULL
        )
        os.close(ours[0])
        os.close(theirs[1])
        try:
            yield Browser(ours[1], theirs[0])
        finally:
            process.terminate()
            process.wait()


def problems_of(found: dict[str, Any], asked: list[str], path: Path) -> list[str]:
    """What is wrong with a page."""
    problems = [f"asks for {url[:80]}" for url in asked if not url.startswith(("data:", path.resolve().as_uri()))]
    problems += ["a film stands still" for video in found["videos"] if not (video["moved"] and video["seconds"] > 1)]
    problems += ["a sound is empty" for seconds in found["sounds"] if not seconds > 0.1]
    problems += ["an image is missing, or says nothing" for i in found["images"] if not (i["shown"] and i["alt"])]
    pictures = found["images"] + found["videos"]
    problems += [f"a picture is {p['width']} pixels wide" for p in pictures if p["width"] < READABLE_WIDTH]
    problems += [f"is {found['overflow']} pixels too wide"] if found["overflow"] > 0 else []
    problems += [f"leads to {link}, which is not there" for link in found["links"] if not (path.parent / link).exists()]
    return problems


def main(folder: str, pictures: str) -> int:
    """Look at every page of `folder`. Returns the exit code."""
    Path(pictures).mkdir(parents=True, exist_ok=True)
    wrong = False
    with chromium() as browser:
        for path in sorted(Path(folder).glob("*.html")):
            for name, width in WIDTHS.items():
                browser.open(path, width)
                found = browser.evaluate(PLAYS)
                problems = problems_of(found, browser.asked, path)
                wrong |= bool(problems)
                films = [f"{video['seconds']:.2f} s" for video in found["videos"]]
                sounds = [f"{seconds:.2f} s" for seconds in found["sounds"]]
                print(f"{path.stem} ({name}): films {films}, sounds {sounds}, {len(found['images'])} images", *problems)
                (Path(pictures) / f"{path.stem}-{name}.png").write_bytes(browser.picture())
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
