"""Client of a JACK server that measures when the sound of rtgain begins after silence, in a process of its own.

It prints the times of all onsets as JSON when its input is closed. They are those of the monotonic clock at which the
samples are played, one period after they were computed.
"""

import json
import sys
import threading
import time
from collections import deque
from typing import Any

import numpy as np

PORTS = "rtgain-.*:out_.*"

SILENT_S = 0.05
"""Silence in seconds before an onset: a signal crosses zero for shorter times."""

TIMEOUT_S = 60.0
"""Longest time in seconds to wait for the ports of rtgain."""


class OnsetMeter:
    """Process callback: stores the time of the first sample that is not zero after `SILENT_S` of zeros."""

    def __init__(self, client: Any) -> None:
        self.onsets_s: deque[float] = deque()
        self._client = client
        self._port = client.inports.register("input")
        self._silent_frames = 0

    def process(self, frames: int) -> None:
        """Process one period."""
        sounding = np.flatnonzero(self._port.get_array())
        if not len(sounding):
            self._silent_frames += frames
            return
        if self._silent_frames + sounding[0] >= SILENT_S * self._client.samplerate:
            cycle_s = time.monotonic() - self._client.frames_since_cycle_start / self._client.samplerate
            self.onsets_s.append(cycle_s + (frames + int(sounding[0])) / self._client.samplerate)
        self._silent_frames = frames - 1 - int(sounding[-1])


def main() -> None:
    """Connect to rtgain, print a line, and measure until standard input is closed."""
    import jack

    client = jack.Client("sound-onset", no_start_server=True)
    meter = OnsetMeter(client)
    connected = threading.Event()
    client.set_process_callback(meter.process)
    client.set_port_registration_callback(lambda *_: connected.set(), only_available=False)
    with client:
        deadline_s = time.monotonic() + TIMEOUT_S
        while not client.get_ports(PORTS, is_audio=True, is_output=True) and time.monotonic() < deadline_s:
            connected.wait(0.5)
            connected.clear()
        outputs = client.get_ports(PORTS, is_audio=True, is_output=True)
        if not outputs:
            raise SystemExit("rtgain has no outputs at the JACK server")
        client.connect(outputs[0], client.inports[0])
        print("ready", flush=True)
        sys.stdin.read()
    print(json.dumps(list(meter.onsets_s)))


if __name__ == "__main__":
    main()
