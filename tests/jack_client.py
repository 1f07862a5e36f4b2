"""JACK test client: plays samples into another program and records the output of that program."""

import multiprocessing
import re
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

import jack
import numpy as np

from rtgain.bench.servers import JackServer
from tests.polling import TIMEOUT_S


class JackTestClient:
    """Client of a JACK server that plays and records, independent of the code under test (libjack, no PortAudio).

    If it exists before PortAudio is initialized, PortAudio lists it as a device called `name` with `channels` inputs
    and `outputs` outputs. Its ports are "test-client:play_1", …, and "test-client:record_1", …. A context manager.

    The client runs in its own process, because libjack supports one server per process and the test's process may use
    another one. Computations of a test cannot delay its callback.
    """

    def __init__(self, server: JackServer, *, name: str = "test-client", channels: int = 1, outputs: int = 1) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._connection, child_end = spawn.Pipe()
        self._process = spawn.Process(
            target=_serve, args=(child_end, server.name, name, channels, outputs), daemon=True
        )
        self._process.start()
        child_end.close()
        self.name, self.period, self.sample_rate = self._receive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Disconnect from the server, also after the server has exited."""
        self._connection.close()
        self._process.join()

    def wait_for_port(self, pattern: str, *, is_input: bool, timeout_s: float = TIMEOUT_S) -> list[str]:
        """Wait for an audio port that matches `pattern` (a regular expression). Returns all matching names.

        Raises TimeoutError with the names of the existing ports.
        """
        return self._call("wait_for_ports", pattern, is_input, 1, timeout_s)

    def connect(self, *, into: str | None = None, out_of: str | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """Connect the play ports, in order, to the input ports that match `into`, and the output ports that match
        `out_of`, in order, to the record ports. Both are regular expressions for whole names ("client:port").

        Waits until such ports exist and their client accepts connections.
        Raises TimeoutError with the names of the existing ports.
        """
        self._call("connect", into, out_of, timeout_s)

    def start(self, samples: np.ndarray, *, seconds: float | None = None, loop: bool = False) -> None:
        """Play `samples`, shape (frames,) or (channels, frames), and record for `seconds`, from the same frame on.

        The default of `seconds` is the length of `samples` plus half a second. With `loop` the samples are repeated
        after the recording is full, until the next `start` or `close`.
        """
        samples = np.atleast_2d(np.asarray(samples, np.float32))
        if seconds is None:
            seconds = samples.shape[1] / self.sample_rate + 0.5
        self._call("start", samples, round(seconds * self.sample_rate), loop)

    def recorded(self, *, timeout_s: float = TIMEOUT_S) -> np.ndarray:
        """Wait until the recording is full and return it: float32, (frames,), or (outputs, frames) for several outputs.

        Raises TimeoutError.
        """
        return self._call("recorded", timeout_s)

    def is_full(self) -> bool:
        """True if `recorded` would return immediately."""
        return self._call("is_full")

    def play_and_record(
        self,
        samples: np.ndarray,
        *,
        into: str | None = None,
        out_of: str | None = None,
        seconds: float | None = None,
    ) -> np.ndarray:
        """Call `connect`, `start` and `recorded`. result[0] is from the frame in which samples[0] was played."""
        self.connect(into=into, out_of=out_of)
        self.start(samples, seconds=seconds)
        return self.recorded()

    def xruns(self) -> int:
        """Return the number of late cycles since the client exists; a synchronous server loses none."""
        return self._call("count_xruns")

    def _call(self, *request: Any) -> Any:
        self._connection.send(request)
        return self._receive()

    def _receive(self) -> Any:
        reply = self._connection.recv()
        if isinstance(reply, Exception):
            raise reply
        return reply


def first_lag(later: np.ndarray, earlier: np.ndarray) -> int:
    """Return the lag of `later` behind `earlier` in frames, by cross-correlation."""
    size = 2 * max(len(later), len(earlier))
    spectrum = np.fft.rfft(later, size) * np.fft.rfft(earlier, size).conj()
    return int(np.argmax(np.fft.irfft(spectrum)[: len(later)]))


def _serve(connection: Connection, server_name: str, name: str, channels: int, outputs: int) -> None:
    """Handle requests in the client process until the connection is closed."""
    # libjack prints errors to standard error if a server exits, which some tests do on purpose.
    jack.set_error_function(lambda _message: None)
    jack.set_info_function(lambda _message: None)
    client = _Client(server_name, name, channels, outputs)
    connection.send((client.jack.name, client.jack.blocksize, client.jack.samplerate))
    while True:
        try:
            method, *arguments = connection.recv()
        except EOFError:
            break
        try:
            reply = getattr(client, method)(*arguments)
        except (TimeoutError, ValueError, jack.JackError) as error:
            reply = error
        connection.send(reply)
    client.jack.deactivate()
    client.jack.close()


@dataclass
class _Take:
    """Sound that is played and recorded since one `start`."""

    samples: np.ndarray
    recording: np.ndarray
    loop: bool
    position: int = 0
    is_full: threading.Event = field(default_factory=threading.Event)


class _Client:
    """Implementation of the requests of `JackTestClient` with libjack."""

    def __init__(self, server_name: str, name: str, channels: int, outputs: int) -> None:
        self.jack = jack.Client(name, no_start_server=True, servername=server_name)
        self._play = [self.jack.outports.register(f"play_{n + 1}") for n in range(channels)]
        self._record = [self.jack.inports.register(f"record_{n + 1}") for n in range(outputs)]
        self._take = _Take(np.zeros((channels, 0), np.float32), np.zeros((outputs, 0), np.float32), False)
        self._xruns = 0
        self._graph_changed = threading.Event()
        self.jack.set_process_callback(self._process)
        self.jack.set_xrun_callback(self._count_xrun)
        self.jack.set_port_registration_callback(lambda *_: self._graph_changed.set(), only_available=False)
        self.jack.set_port_connect_callback(lambda *_: self._graph_changed.set(), only_available=False)
        self.jack.activate()

    def wait_for_ports(self, pattern: str, is_input: bool, at_least: int, timeout_s: float) -> list[str]:
        def names() -> list[str]:
            ports = self.jack.get_ports(is_audio=True, is_input=is_input, is_output=not is_input)
            return [port.name for port in ports if re.fullmatch(pattern, port.name)]

        self._wait_until(lambda: len(names()) >= at_least, pattern, timeout_s)
        return names()

    def connect(self, into: str | None, out_of: str | None, timeout_s: float) -> None:
        wires = []
        if into is not None:
            sinks = self.wait_for_ports(into, True, len(self._play), timeout_s)
            wires += zip([port.name for port in self._play], sinks, strict=False)
        if out_of is not None:
            sources = self.wait_for_ports(out_of, False, len(self._record), timeout_s)
            wires += zip(sources, [port.name for port in self._record], strict=False)
        for source, sink in wires:
            self._wait_until(lambda wire=(source, sink): self._wire(*wire), f"{source} → {sink}", timeout_s)

    def start(self, samples: np.ndarray, frames: int, loop: bool) -> None:
        if samples.shape[0] != len(self._play):
            raise ValueError(f"{samples.shape[0]} channels for a client with {len(self._play)}")
        self._take = _Take(samples, np.zeros((len(self._record), frames), np.float32), loop)

    def recorded(self, timeout_s: float) -> np.ndarray:
        take = self._take
        if not take.is_full.wait(timeout_s):
            raise TimeoutError(f"recorded {take.position} of {take.recording.shape[1]} frames in {timeout_s} s")
        return take.recording[0] if len(self._record) == 1 else take.recording

    def is_full(self) -> bool:
        return self._take.is_full.is_set()

    def count_xruns(self) -> int:
        return self._xruns

    def _wire(self, source: str, sink: str) -> bool:
        if sink in [port.name for port in self.jack.get_all_connections(source)]:
            return True
        try:
            self.jack.connect(source, sink)
        except jack.JackError:  # the other client is not active yet
            return False
        return True

    def _wait_until(self, condition, what: str, timeout_s: float) -> None:
        """Check `condition` after each graph change, and twice per second, because activation is not a graph change."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                ports = ", ".join(port.name for port in self.jack.get_ports(is_audio=True))
                raise TimeoutError(f"no {what} after {timeout_s} s; the ports are {ports}")
            self._graph_changed.wait(0.5)
            self._graph_changed.clear()

    def _count_xrun(self, _delay_us: float) -> None:
        self._xruns += 1

    def _process(self, frames: int) -> None:
        # Recording precedes playback, so that a client connected to itself records its output one period later.
        take = self._take  # `start` may replace it at any time
        begin = take.position
        if begin < take.recording.shape[1]:
            for port, row in zip(self._record, take.recording, strict=True):
                room = row[begin : begin + frames]
                room[:] = port.get_array()[: len(room)]
        length = take.samples.shape[1]
        wanted = np.arange(begin, begin + frames)
        if take.loop and length:
            wanted %= length
        available = wanted < length
        for port, row in zip(self._play, take.samples, strict=True):
            out = port.get_array()
            out[:] = 0.0
            out[available] = row[wanted[available]]
        take.position = begin + frames
        if take.position >= take.recording.shape[1]:
            take.is_full.set()
