"""What calls the engine for every block: the fast clock, the real-time clock, and a device.

All three run the same compiled kernel. `start`, then `stop`, which may be called more than once and
returns when nothing can process any more; a driver is not started twice.
"""

import atexit
import threading
import time
from typing import Any

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.devices import Device, DeviceSetup, initialize, listed_devices, reason, terminate
from rtgain.audio.io.portaudio_reload import renew
from rtgain.audio.io.prefetch import Prefetch
from rtgain.audio.sources.source import Source
from rtgain.errors import DeviceError, InputError

DEVICE_TIMEOUT_S = 1.0
"""A device that asked for no block in this time is taken for lost."""
_CLOSING_S = 3.0


class PortAudioDriver:
    """A device of PortAudio, whose own thread calls the compiled callback: no Python runs in it.

    `setup` is what the engine was made for. `source` is what is played, None where the microphone is
    the dry signal. `block` is the frames of a block; 0 leaves them to the device.
    """

    def __init__(self, engine: Engine, setup: DeviceSetup, source: Source | None = None, *, block: int = 0) -> None:
        self.description = str(setup)
        self.abandoned = False
        """Whether `stop` failed and the callback may run again, so that the engine must not be closed."""
        device = setup.output or setup.input
        self.block = block or (round(device.default_latency_s * setup.sample_rate) if device else 0)
        self._asked_block = block
        self._engine = engine
        self._setup = setup
        self._prefetch = Prefetch(source, engine) if source else None
        self._sounddevice: Any = None
        self._stream: Any = None
        self._frames_seen = 0
        self._seen_s = 0.0
        self._asked_s = 0.0

    @property
    def load(self) -> float:
        stream = self._stream
        return float(stream.cpu_load) if stream else 0.0

    @property
    def error(self) -> InputError | None:
        return self._prefetch.error if self._prefetch else None

    @property
    def position(self) -> int:
        return self._prefetch.position if self._prefetch else int(self._engine.memory.control["frames"])

    def seek(self, frame: int) -> None:
        if self._prefetch:
            self._prefetch.seek(frame)

    @property
    def lost(self) -> bool:
        stream = self._stream
        if stream is None:
            return False
        frames = int(self._engine.memory.control["frames"])
        now_s = time.monotonic()
        if (
            frames != self._frames_seen or now_s - self._asked_s > DEVICE_TIMEOUT_S
        ):  # not asked: all of the program was stopped
            self._frames_seen, self._seen_s = frames, now_s
        self._asked_s = now_s
        return not stream.active or now_s - self._seen_s > DEVICE_TIMEOUT_S

    def start(self) -> None:
        """Open the devices and start. Raises `DeviceError` that names them and the rate."""
        callback_address = self._engine.callback_address  # compiles first where it has to
        if self._prefetch:
            self._prefetch.start()
        self._sounddevice = sounddevice = initialize()
        try:
            self._stream = self._open(sounddevice, callback_address)
            self._seen_s = self._asked_s = time.monotonic()
            self._stream.start()
        except sounddevice.PortAudioError as error:
            self.stop()
            raise DeviceError(
                f"{self.description}: cannot be opened at {self._setup.sample_rate} Hz ({reason(error)}); "
                "close what else uses it, or choose another device (rtgain devices lists them)"
            ) from None
        except DeviceError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop and close the stream. When this returns, the callback runs no more, unless `abandoned`."""
        sounddevice, self._sounddevice = self._sounddevice, None
        stream, self._stream = self._stream, None
        if sounddevice is not None:
            was_active = stream is not None and stream.active
            # In a thread: PortAudio waits ten minutes for a JACK server that has died to confirm the stop.
            given_up = threading.Event()
            closing = threading.Thread(target=_close, args=[sounddevice, stream, given_up], name="closing", daemon=True)
            closing.start()
            closing.join(_CLOSING_S)
            if closing.is_alive():
                given_up.set()
                self.abandoned = was_active
                if not renew(sounddevice):
                    # It would wait for the same thing when the interpreter ends.
                    atexit.unregister(sounddevice._exit_handler)
        if self._prefetch:
            self._prefetch.stop()

    def _open(self, sounddevice: Any, callback_address: int) -> Any:
        setup = self._setup
        listed = listed_devices(sounddevice)
        kind = "duplex" if setup.input and setup.output else "input" if setup.input else "output"
        devices = [_current_device_index(device, listed) for device in (setup.input, setup.output) if device]
        channels = [count for count in (setup.in_channels, setup.out_channels) if count]
        return sounddevice._StreamBase(
            kind,
            samplerate=setup.sample_rate,
            blocksize=self._asked_block,
            device=devices if kind == "duplex" else devices[0],
            channels=channels if kind == "duplex" else channels[0],
            dtype="float32",
            # Who asks for a block wants its latency; else what stutters least.
            latency="low" if self._asked_block else "high",
            callback=sounddevice._ffi.cast("PaStreamCallback *", callback_address),
            userdata=sounddevice._ffi.cast("void *", self._engine.userdata_address),
            wrap_callback=None,
        )


def _current_device_index(device: Device, listed: list[Device]) -> int:
    """The index of `device` in PortAudio's present list, which may be a newer one than it was chosen from."""
    same = [other.index for other in listed if (other.name, other.host_api) == (device.name, device.host_api)]
    if not same:
        raise DeviceError(f"{device}: is gone; plug it in again, or choose another (rtgain devices lists them)")
    return device.index if device.index in same else same[0]


def _close(sounddevice: Any, stream: Any, given_up: threading.Event) -> None:
    if stream is not None:
        stream.stop()
        if given_up.is_set():
            return  # to close what has died would end the program
        stream.close()
    terminate(sounddevice)
