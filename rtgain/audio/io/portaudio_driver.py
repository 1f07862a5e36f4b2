"""Device clock: a PortAudio stream whose thread calls the compiled callback."""

import atexit
import threading
import time
from collections.abc import Callable
from typing import Any

from rtgain.audio.engine.engine import Engine
from rtgain.audio.io.devices import DeviceSetup, initialize, portaudio_error_text, query_devices, terminate
from rtgain.audio.io.portaudio_reload import reload_portaudio
from rtgain.audio.io.prefetch import Prefetch
from rtgain.audio.sources.source import Source
from rtgain.errors import DeviceError, InputError
from rtgain.records.device import DeviceInfo

DEVICE_TIMEOUT_S = 1.0
"""Time in seconds without a block after which a device is considered lost."""

_CLOSE_TIMEOUT_S = 3.0


class PortAudioDriver:
    """PortAudio device whose thread calls the compiled callback, without running Python code.

    `setup` is the setup that the engine was created for. `source` is the dry signal, or None if the dry signal is an
    input of the device. `block` is the number of frames per block; with 0 the device chooses it.
    """

    def __init__(self, engine: Engine, setup: DeviceSetup, source: Source | None = None, *, block: int = 0) -> None:
        self.description = str(setup)
        self.abandoned = False
        """True if `stop` failed and the callback may run again, so that the engine must not be closed."""
        device = setup.output or setup.input
        self.block = block or (round(device.default_latency_s * setup.sample_rate) if device else 0)
        self._requested_block = block
        self._engine = engine
        self._setup = setup
        self._prefetch = Prefetch(source, engine) if source else None
        self._sounddevice: Any = None
        self._stream: Any = None
        self._last_frames = 0
        self._last_progress_s = 0.0
        self._last_check_s = 0.0

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

    def replace_source(self, source: Source, to_frame: Callable[[int], int]) -> None:
        """Continue with another source; see `Prefetch.replace`."""
        if self._prefetch:
            self._prefetch.replace(source, to_frame)

    @property
    def is_replacing(self) -> bool:
        """True until the source of the last `replace_source` is played."""
        return self._prefetch is not None and self._prefetch.is_replacing

    @property
    def lost(self) -> bool:
        stream = self._stream
        if stream is None:
            return False
        frames = int(self._engine.memory.control["frames"])
        now_s = time.monotonic()
        was_suspended = now_s - self._last_check_s > DEVICE_TIMEOUT_S  # the whole program, with the device's thread
        if frames != self._last_frames or was_suspended:
            self._last_frames, self._last_progress_s = frames, now_s
        self._last_check_s = now_s
        return not stream.active or now_s - self._last_progress_s > DEVICE_TIMEOUT_S

    def start(self) -> None:
        """Open the devices and start. Raises `DeviceError` with the names of the devices and the sample rate."""
        callback_address = self._engine.callback_address  # compiled before the stream is opened
        if self._prefetch:
            self._prefetch.start()
        self._sounddevice = sounddevice = initialize()
        try:
            self._stream = self._open(sounddevice, callback_address)
            self._last_progress_s = self._last_check_s = time.monotonic()
            self._stream.start()
        except sounddevice.PortAudioError as error:
            self.stop()
            raise DeviceError(
                f"{self.description}: cannot be opened at {self._setup.sample_rate} Hz "
                f"({portaudio_error_text(error)}); "
                "close other programs that use it, or choose another device (rtgain devices lists them)"
            ) from None
        except DeviceError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop and close the stream. Afterwards the callback does not run any more, unless `abandoned` is True."""
        sounddevice, self._sounddevice = self._sounddevice, None
        stream, self._stream = self._stream, None
        if sounddevice is not None:
            was_active = stream is not None and stream.active
            # In a thread, because PortAudio waits ten minutes for a crashed JACK server to confirm the stop.
            timed_out = threading.Event()
            arguments = sounddevice, stream, timed_out
            closer = threading.Thread(target=_close, args=arguments, name="close", daemon=True)
            closer.start()
            closer.join(_CLOSE_TIMEOUT_S)
            if closer.is_alive():
                timed_out.set()
                self.abandoned = was_active
                if not reload_portaudio(sounddevice):
                    # The exit handler would wait for the same server when the interpreter exits.
                    atexit.unregister(sounddevice._exit_handler)
        if self._prefetch:
            self._prefetch.stop()

    def _open(self, sounddevice: Any, callback_address: int) -> Any:
        setup = self._setup
        listed = query_devices(sounddevice)
        kind = "duplex" if setup.input and setup.output else "input" if setup.input else "output"
        devices = [_current_device_index(device, listed) for device in (setup.input, setup.output) if device]
        channels = [count for count in (setup.in_channels, setup.out_channels) if count]
        return sounddevice._StreamBase(
            kind,
            samplerate=setup.sample_rate,
            blocksize=self._requested_block,
            device=devices if kind == "duplex" else devices[0],
            channels=channels if kind == "duplex" else channels[0],
            dtype="float32",
            # A requested block is a request for low latency. Otherwise, high latency avoids dropouts.
            latency="low" if self._requested_block else "high",
            callback=sounddevice._ffi.cast("PaStreamCallback *", callback_address),
            userdata=sounddevice._ffi.cast("void *", self._engine.userdata_address),
            wrap_callback=None,
        )


def _current_device_index(device: DeviceInfo, listed: list[DeviceInfo]) -> int:
    """Return the index of `device` in the current list of PortAudio, which may be newer than `device`."""
    same = [other.index for other in listed if (other.name, other.host_api) == (device.name, device.host_api)]
    if not same:
        raise DeviceError(f"{device}: is not available; reconnect it, or choose another (rtgain devices lists them)")
    return device.index if device.index in same else same[0]


def _close(sounddevice: Any, stream: Any, timed_out: threading.Event) -> None:
    if stream is not None:
        stream.stop()
        if timed_out.is_set():
            return  # closing a stream of a crashed server aborts the program
        stream.close()
    terminate(sounddevice)
