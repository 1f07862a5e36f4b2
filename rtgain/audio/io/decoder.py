"""Sample-exact decoder of the first audio stream of any file that FFmpeg reads."""

import codecs
import math
import stat
import struct
import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import av
import numpy as np
from av.audio.plane import AudioPlane
from av.codec.context import CodecContext, Flags2
from av.error import FFmpegError, PatchWelcomeError
from av.stream import Discard
from numpy.typing import NDArray

from rtgain.audio.io.container import (
    Priming,
    caf_priming,
    has_last_ogg_page,
    has_xing_header,
    id3_bytes,
    missing_bytes,
)
from rtgain.config.names import SAMPLE_RATE_RANGE_HZ
from rtgain.errors import InputError
from rtgain.number_format import format_sample_rate, format_time_ms

Block = NDArray[np.float32]
"""Samples, full scale at 1, shape (channels, frames)."""

FORMATS = "WAV, FLAC, MP3, OGG, Opus, M4A/AAC, AIFF, CAF, WMA and the sound of MP4, MOV, MKV, WebM"

_DEMUXERS = "wav,w64,aiff,caf,flac,ogg,mp3,aac,asf,mov,matroska"
"""FFmpeg's other demuxers, some of which open further files, stay closed."""

_PCM_MAGIC = (b"RIFF", b"RF64", b"BW64", b"FORM", b"caff")
"""First bytes of the containers whose headers tell all about the samples."""

_PCM_OPTIONS = {"probesize": "32768", "max_size": "65536"}
"""FFmpeg's options for them, in bytes: by default it reads 5 MB to open one, and packets of 4,096 samples."""

_SEGMENT_S = 6
"""Seconds of lossy sound that are decoded from one start of the decoder: 6.5 s take 20 ms of AAC."""

_LEAD_IN_S = 0.5
"""Seconds that are decoded and dropped before a segment. Opus needs 0.08 s (RFC 7845, section 4.6), MP3 ten packets."""

_VORBIS_BLOCK_FRAMES = 8192
"""Longest block of Vorbis (Vorbis I, section 4.2.2)."""

_FIXED_SIZE_CODECS = ("aac", "mp1", "mp1float", "mp2", "mp2float", "mp3", "mp3float", "ac3", "eac3")
_STATELESS_CODECS = ("pcm_", "flac", "alac")
"""Prefixes of the codecs whose packets can be decoded each by itself."""

_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""Channel layout of a file that states none, by channels; WAV and AIFF have this order."""

_FORMAT_NAMES = {
    "pcm": "PCM",
    "flac": "FLAC",
    "mp3float": "MP3",
    "aac": "AAC",
    "vorbis": "Vorbis",
    "opus": "Opus",
    "alac": "ALAC",
    "wmav1": "WMA",
    "wmav2": "WMA",
    "wmapro": "WMA Pro",
    "wmalossless": "WMA Lossless",
}


_DTYPES: dict[str, Any] = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}


class _TruncatedFileError(InputError):
    """Error for a file that ends before the end that it declares."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"{path}: truncated: {detail}; download or copy it again, "
            "or save the existing part with: ffmpeg -i OLD NEW.flac"
        )


class _Segment(NamedTuple):
    """Part of a stream that is decoded from one start of the decoder."""

    start_frame: int
    lead_in_packets: int
    pts: int
    position: int
    size: int
    """Presentation time, byte and size of the first packet of the lead-in."""


class _Count(NamedTuple):
    """Result of counting a file's packets: its segments, the frames skipped before the first one, and its length."""

    segments: list[_Segment]
    skipped_frames: int
    frames: int


MAX_COUNTS = 16
"""Files whose count is kept: each is opened several times, and counting takes 0.3 s for 12 minutes of AAC."""

_counts: dict[tuple[object, ...], _Count] = {}
_counts_lock = threading.Lock()


class Decoder:
    """Decoder of a sound file: `frames` frames of `channels` channels at `sample_rate` Hz, from any position.

    The samples do not depend on how they are reached: a lossy stream is cut into segments of 6 s, and each is decoded
    from a decoder's initial state over the same lead-in. Memory does not grow with the file's length. An object is used
    by one thread at a time; FFmpeg works without the interpreter lock.

    Encoder delay and padding are removed where the file states them: LAME tag, Opus pre-skip, Ogg granule positions,
    MP4 edit list, iTunSMPB, Matroska's CodecDelay and DiscardPadding, CAF packet table.

    `frames` comes from the header of a file whose packets decode each by itself (PCM, FLAC, ALAC), else the packets
    are counted, for WMA and lossless sound in Matroska by decoding them.

    Raises `InputError`, whose line names the file, when it is missing, a directory, not to be read, empty, text, no
    audio, without frames, truncated, or of a rate out of 4 to 768 kHz; in `read`, when it is damaged.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        check_readable(self.path)
        self._check_stated_bytes()
        self._container = self._open()
        try:
            self._read_header()
            self._measure()
            self._check_ends()
        except FFmpegError as error:
            self.close()
            raise self._damaged(0, error) from None
        except InputError:
            self.close()
            raise
        except OSError as error:  # removed, or unreadable, since it was opened
            self.close()
            raise InputError(f"{self.path}: cannot be opened ({error.strerror}); check the path") from None

    sample_rate: int
    channels: int
    frames: int
    layout: str
    """Channel layout by FFmpeg's name: ``mono``, ``stereo``, ``5.1``."""
    channel_names: tuple[str, ...]
    """Names of the channels in their order: ``FL``, ``FR``, ``FC``, ``LFE``, …"""
    is_float: bool
    """True if samples may be NaN, infinite, or beyond full scale."""
    audio_streams: int
    """Audio streams of the file; the first is decoded."""
    description: str
    """Format in words: ``44.1 kHz 24 bit stereo FLAC``."""

    @property
    def position(self) -> int:
        """Frame that the next `read` begins with."""
        return self._position

    def read(self, frames: int) -> Block:
        """Return the next `frames` frames, shape (channels, frames); fewer only at the end of the file."""
        wanted = min(frames, self.frames - self._position)
        parts = []
        missing = wanted
        while missing > 0:
            if not self._pending.shape[1]:
                self._pending = self._next_block()
            part = self._pending[:, :missing]
            self._pending = self._pending[:, part.shape[1] :]
            parts.append(part)
            missing -= part.shape[1]
            self._position += part.shape[1]
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts, axis=1) if parts else np.empty((self.channels, 0), np.float32)

    def seek(self, frame: int) -> None:
        """Continue with `frame` >= 0; at or beyond the end, reads return nothing."""
        if frame < 0:
            raise ValueError(f"frame {frame} is before the start")
        frame = min(frame, self.frames)
        if self._position <= frame <= self._position + self._pending.shape[1]:
            self._pending = self._pending[:, frame - self._position :]
        else:
            self._stop()
        self._position = frame

    def close(self) -> None:
        """Close the file. May be called more than once."""
        self._stop()
        if self._second is not None:
            self._second.close()
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    _blocks: Generator[Block, None, None] | None = None
    _second: "av.container.InputContainer | None" = None
    _position = 0
    _pending: Block = np.empty((1, 0), np.float32)

    def _stop(self) -> None:
        if self._blocks is not None:
            self._blocks.close()
        self._blocks = None
        self._pending = self._pending[:, :0]

    def _next_block(self) -> Block:
        try:
            if self._blocks is None:
                start = self._position + self._skipped_frames
                self._blocks = self._timed_blocks(start) if self._is_timed else self._segment_blocks(start)
            return next(self._blocks)
        except StopIteration:
            self._stop()
            end, declared = (format_time_ms(frame / self.sample_rate) for frame in (self._position, self.frames))
            raise _TruncatedFileError(self.path, f"it ends at {end} instead of {declared}") from None
        except (FFmpegError, OSError) as error:
            self._stop()
            raise self._damaged(self._position, error) from None

    # --- opening ----------------------------------------------------------------------------------

    def _open(self) -> "av.container.InputContainer":
        # The protocol before the name keeps FFmpeg from reading a protocol out of the name.
        options = {"protocol_whitelist": "file,subfile", "format_whitelist": _DEMUXERS}
        name = f"file:{self.path}"
        try:
            with self.path.open("rb") as file:
                tag_bytes = id3_bytes(file)
                file.seek(tag_bytes)
                magic = file.read(4)
            if magic in _PCM_MAGIC:
                options |= _PCM_OPTIONS
                if tag_bytes:  # FFmpeg expects no tag there
                    name = f"subfile,,start,{tag_bytes},end,0,,:{name}"
            return av.open(name, "r", options=options, metadata_errors="replace")
        except (FFmpegError, OSError):
            raise self._not_audio() from None

    def _check_stated_bytes(self) -> None:
        if cut := missing_bytes(self.path):
            if not cut.found:
                raise self._no_sound()
            raise _TruncatedFileError(
                self.path, f"the header declares {cut.stated} bytes of audio, but only {cut.found} are present"
            )

    def _read_header(self) -> None:
        streams = self._container.streams.audio
        self.audio_streams = len(streams)
        if not streams:
            raise InputError(f"{self.path}: has no audio stream, only pictures or text; choose a file with sound")
        self._select_stream()
        stream = self._stream
        context: Any = stream.codec_context
        self.sample_rate, self.channels = stream.sample_rate, stream.channels
        self._codec = stream.codec.name
        if not self.channels or not self.sample_rate:
            raise self._not_audio()
        lowest_hz, highest_hz = SAMPLE_RATE_RANGE_HZ
        if not lowest_hz <= self.sample_rate <= highest_hz:
            raise InputError(
                f"{self.path}: has a sample rate of {self.sample_rate} Hz, outside {lowest_hz} to {highest_hz} Hz; "
                "resample it with: ffmpeg -i OLD -ar 48000 NEW.flac"
            )
        self.layout = stream.layout.name
        if self.layout.endswith(" channels"):
            self.layout = _LAYOUTS.get(self.channels, self.layout)
        names = av.AudioLayout(self.layout).channels if self.channels <= max(_LAYOUTS) else ()
        self.channel_names = tuple(channel.name for channel in names)
        self.is_float = self._codec.startswith("pcm_f") or (
            self._codec == "wavpack" and context.format.name.startswith("fl")
        )
        self.description = self._describe()
        base = stream.time_base or Fraction(1, self.sample_rate)
        self._frames_per_tick = base * self.sample_rate
        self._is_exact_time = base * self.sample_rate <= 1
        self._pending = np.empty((self.channels, 0), np.float32)

    def _describe(self) -> str:
        codec = self._codec
        name = _FORMAT_NAMES.get(codec.split("_")[0], codec.replace("_", " ").upper())
        bits = ""
        if codec.startswith("pcm_") and codec[5:7].rstrip("lb").isdigit():
            bits = f"{codec[5:7].rstrip('lb')} bit {'float ' if codec[4] == 'f' else ''}"
        elif codec == "flac" and len(info := self._stream.codec_context.extradata or b"") >= 14:
            bits = f"{((info[12] & 1) << 4 | info[13] >> 4) + 1} bit "
        container = self._container.format.name
        if codec.startswith("pcm_"):
            name = {"wav": "WAV", "aiff": "AIFF", "caf": "CAF"}.get(container, name)
        channels = self.layout if self.channels <= max(_LAYOUTS) else f"{self.channels} channels"
        return f"{format_sample_rate(self.sample_rate)} {bits}{channels} {name}"

    def _measure(self) -> None:
        """Find the length, what is to be skipped at the start, and the segments."""
        if self._container.format.name == "ogg" and not has_last_ogg_page(self.path):
            raise _TruncatedFileError(self.path, "the last page is missing")
        container = self._container.format.name
        ticks = self._stream.duration or 0
        self._is_timed = (
            self._codec.startswith(_STATELESS_CODECS)
            and self._is_exact_time
            and ticks > 0
            and not (container in ("caf", "ogg") and not self._codec.startswith("pcm_"))
        )
        if self._is_timed:
            self._skipped_frames = 0
            self.frames = round(ticks * self._frames_per_tick)
        else:
            self._segments, self._skipped_frames, self.frames = self._known_count()
        if self.frames <= 0:
            raise self._no_sound()

    def _known_count(self) -> _Count:
        """Return the count of the file, from memory if it has not been written since it was counted."""
        status = self.path.stat()
        key = self.path.absolute(), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
        with _counts_lock:
            count = _counts.get(key)
        if count is None:
            count = self._count()
            with _counts_lock:
                _counts[key] = count
                if len(_counts) > MAX_COUNTS:
                    del _counts[next(iter(_counts))]
        return count

    def _count(self) -> _Count:
        """Count the packets' frames and choose the starts of the segments."""
        container = self._container.format.name
        count = self._packet_counter()
        lead_in_frames = round(_LEAD_IN_S * self.sample_rate)
        segment_frames = _SEGMENT_S * self.sample_rate
        pages: deque[tuple[int, int, _Segment]] = deque()  # packet number, first frame, and a segment's start there
        segments: list[_Segment] = []
        total = first_frames = padding = 0
        last_frames = last_ticks = priming = 0
        first_pts = last_end = None
        last_position = None
        packets = self._packets()
        for number, packet in enumerate(packets):
            try:
                is_whole = not packet.is_corrupt
                frames = count(packet)
            except FFmpegError as error:
                if next(packets, None) is not None:
                    raise self._damaged(total, error) from None
                is_whole = False
            if not is_whole:
                at = format_time_ms(total / self.sample_rate)
                raise _TruncatedFileError(self.path, f"the last packet, at {at}, is incomplete")
            start = _Segment(0, 0, packet.pts or 0, packet.pos or 0, packet.size)
            # The lead-in starts where a seek can: with the first packet of a page, cluster or block.
            if packet.pos is not None and packet.pos != last_position:
                pages.append((number, total, start))
            last_position = packet.pos
            while len(pages) > 1 and pages[1][1] <= total - lead_in_frames:
                pages.popleft()
            if not segments:
                segments.append(start)
                first_frames, first_pts = frames, packet.pts
                priming = _side_data(packet)[0]
            elif total - segments[-1].start_frame >= segment_frames and pages and pages[0][1] <= total - lead_in_frames:
                first, _, start = pages[0]
                segments.append(start._replace(start_frame=total, lead_in_packets=number - first))
            padding = _side_data(packet)[1]
            last_frames, last_ticks = frames, packet.duration or 0
            if last_ticks > 2**31:  # Ogg: FFmpeg takes a negative one for unsigned
                last_ticks -= 2**32
            if packet.pts is not None:
                last_end = packet.pts + last_ticks
            total += frames
        total += count(None)
        if not segments:
            return _Count([], 0, 0)
        if self._codec == "vorbis":
            priming = first_frames  # "The first packet decoded yields no output" (Vorbis I, section 4.3.8)
        if self._codec in ("wmav1", "wmav2"):
            priming = _wma_window_frames(self._codec, self.sample_rate)
        if self._is_exact_time and first_pts is not None and first_pts < 0:
            priming = max(priming, math.ceil(-first_pts * self._frames_per_tick))
        if self._is_exact_time and 0 < last_ticks * self._frames_per_tick < last_frames:
            padding = max(padding, last_frames - round(last_ticks * self._frames_per_tick))
        frames = total - priming - padding
        if container == "ogg" and self._codec == "vorbis" and last_end is not None:
            # The last granule position counts the frames, without the first packet's. FFmpeg counts that too where
            # the first page is the last.
            frames = min(total - priming, round((last_end - max(0, first_pts or 0)) * self._frames_per_tick))
        self._check_counted(frames, last_frames)
        if container == "ogg" and self._is_exact_time and last_end is not None:
            missing = (last_end - (first_pts or 0)) * self._frames_per_tick - total
            if missing > _VORBIS_BLOCK_FRAMES:  # pages of some whole streams count a block that no decoder returns
                raise self._damaged(frames)
        if container == "mp3" and has_xing_header(self.path) and self._stream.duration:
            frames = min(frames, round(self._stream.duration * self._frames_per_tick))
        if stated := self._stated_length():
            priming, frames = stated.start_frames, min(stated.frames, total - stated.start_frames)
        elif "mp4" in container and self._stream.duration:
            edited = round(self._stream.duration * self._frames_per_tick)
            if frames - edited > self.sample_rate // 1000 + 1:  # the edit list's own unit is often a millisecond
                frames = edited
        return _Count(segments, priming, frames)

    def _check_counted(self, frames: int, packet_frames: int) -> None:
        stream, container = self._stream, self._container.format.name
        promised = stream.duration
        if container == "asf" or (container == "mp3" and promised):
            expected = round((promised or 0) * self._frames_per_tick)
            if container == "mp3" and not has_xing_header(self.path):
                return
            tolerance = 2 * packet_frames if container == "mp3" else max(2 * packet_frames, self.sample_rate // 4)
        elif "mp4" in container and promised:
            expected, tolerance = round(promised * self._frames_per_tick), 2 * packet_frames
        else:
            return
        if expected - frames > tolerance:
            raise _TruncatedFileError(
                self.path,
                f"the header declares {format_time_ms(expected / self.sample_rate)}, "
                f"but only {format_time_ms(frames / self.sample_rate)} are present",
            )

    def _stated_length(self) -> Priming | None:
        container = self._container.format.name
        if container == "caf":
            return caf_priming(self.path)
        numbers = self._container.metadata.get("iTunSMPB", "").split()
        if "mp4" in container and len(numbers) >= 4:
            try:
                return Priming(int(numbers[1], 16), int(numbers[3], 16))
            except ValueError:
                return None
        return None

    def _packet_counter(self) -> Callable[[Any], int]:
        """Function from a packet to its frames, and from None to those that the decoder still holds at the end."""
        context: Any = self._stream.codec_context
        codec = self._codec
        if codec.startswith("pcm_") and (size := _pcm_bytes(codec)):
            return lambda packet: packet.size // (size * self.channels) if packet else 0
        if codec == "opus":
            return lambda packet: _opus_frames(bytes(packet)) if packet else 0
        if codec == "vorbis":
            try:
                return _VorbisCounter(context.extradata or b"")
            except (ValueError, IndexError):
                pass
        if codec in _FIXED_SIZE_CODECS and (frames := self._frames_per_packet()):
            return lambda packet: frames if packet else 0
        decoder = self._fresh_decoder()

        def count_decoded(packet: Any) -> int:
            with suppress(EOFError):
                return sum(frame.samples for frame in decoder.decode(packet))
            return 0

        return count_decoded

    def _frames_per_packet(self) -> int:
        """Frames of each packet, out of the first ones; 0 where they differ."""
        sizes = set()
        with self._open() as container:  # what is to be skipped stands at the packets only before the first seek
            stream = container.streams.audio[0]
            decoder: Any = stream.codec_context
            decoder.flags2 |= Flags2.skip_manual
            for packet in islice(container.demux(stream), 4):
                with suppress(FFmpegError):
                    sizes.add(sum(frame.samples for frame in decoder.decode(packet)))
        sizes.discard(0)
        return sizes.pop() if len(sizes) == 1 else 0

    def _check_ends(self) -> None:
        """Read the last frames and the first, so that a file without them is refused when it is opened."""
        last = max(0, self.frames - 64)
        try:
            self.seek(last)
            self.read(64)
        except _TruncatedFileError:
            raise
        except InputError:
            declared = format_time_ms(self.frames / self.sample_rate)
            raise _TruncatedFileError(
                self.path, f"the header declares {declared}, but the end cannot be read"
            ) from None
        self._stop()
        self.seek(0)
        self.read(1)
        self.seek(0)

    # --- decoding ---------------------------------------------------------------------------------

    def _packets(self) -> Iterator[Any]:
        for packet in self._container.demux(self._stream):
            if packet.size:
                yield packet

    def _fresh_decoder(self) -> Any:
        """A decoder in its initial state."""
        context: Any = self._stream.codec_context
        fresh: Any
        if self._codec.startswith("wma"):  # a flush leaves half of the last window; its block size cannot be set
            if self._second is not None:
                self._second.close()
            self._second = self._open()
            fresh = self._second.streams.audio[0].codec_context
            _configure(fresh)
            return fresh
        if self._codec != "aac":
            context.flush_buffers()
            return context
        # AAC's noise substitution draws from a generator that a flush does not reset.
        fresh = CodecContext.create("aac", "r")
        fresh.extradata = context.extradata
        _configure(fresh)
        return fresh

    def _timed_blocks(self, start: int) -> Generator[Block, None, None]:
        """Blocks from frame `start`, of a stream whose packets decode each by itself and have exact times."""
        decoder = self._fresh_decoder()
        lead = 0
        while True:
            expected = start
            self._seek_container(self._ticks(max(0, start - lead)))
            for packet in self._packets():
                at = round(packet.pts * self._frames_per_tick) if packet.pts is not None else expected
                if at > expected:
                    if expected > start or start <= lead:
                        raise self._damaged(expected)
                    break  # the seek went too far
                block = self._decode(decoder, packet, expected)
                end = at + block.shape[1]
                if end > expected:
                    yield block[:, expected - at :]
                    expected = end
            else:
                return
            lead = 10 * lead or self.sample_rate

    def _segment_blocks(self, start: int) -> Generator[Block, None, None]:
        """Blocks from frame `start` of the stream."""
        index = bisect_right(self._segments, start, key=lambda segment: segment.start_frame) - 1
        segment = self._segments[index]
        packets = self._packets_from(segment)
        recent: deque[Any] = deque(maxlen=max(segment.lead_in_packets for segment in self._segments) or 1)
        for _ in range(segment.lead_in_packets):
            recent.append(next(packets))
        at = segment.start_frame
        end = self._skipped_frames + self.frames
        decoder = self._restarted(recent, segment)
        next_start = self._start_of(index + 1)
        for packet in packets:
            if at >= next_start:
                if at > next_start:
                    raise self._damaged(at)
                index += 1
                decoder = self._restarted(recent, self._segments[index])
                next_start = self._start_of(index + 1)
            recent.append(packet)
            block = self._decode(decoder, packet, at)
            if at + block.shape[1] > start:
                yield block[:, max(0, start - at) :]
            at += block.shape[1]
            if at >= end:
                return
        block = self._decode(decoder, None, at)
        if at + block.shape[1] > start:
            yield block[:, max(0, start - at) :]

    def _start_of(self, index: int) -> float:
        return self._segments[index].start_frame if index < len(self._segments) else math.inf

    def _restarted(self, recent: "deque[Any]", segment: _Segment) -> Any:
        decoder = self._fresh_decoder()
        for packet in list(recent)[len(recent) - segment.lead_in_packets :]:
            try:
                decoder.decode(packet)
            except FFmpegError:
                continue  # MP3: the packets that these borrow from are missing
        return decoder

    def _packets_from(self, segment: _Segment) -> Iterator[Any]:
        """Packets from the first of a segment's lead-in on."""
        for back_s in (0, 1, 10, math.inf):
            ticks = segment.pts - self._ticks(back_s * self.sample_rate) if math.isfinite(back_s) else -(2**40)
            first_pts = self._segments[0].pts
            self._seek_container(max(ticks, min(0, first_pts)))
            for packet in self._packets():
                if (packet.pos or 0) == segment.position and packet.size == segment.size:
                    yield packet
                    yield from self._packets()
                    return
                if (packet.pos or 0) > segment.position:
                    break
        raise self._damaged(segment.start_frame)

    def _seek_container(self, ticks: int) -> None:
        """Continue at or before a presentation time, in units of the stream's time base."""
        for earlier in (0, self._ticks(self.sample_rate)):  # FLAC: a seek into the last packet fails
            try:
                self._container.seek(max(ticks - earlier, min(ticks, 0)), stream=self._stream)
            except FFmpegError:
                continue
            return
        self._container.close()  # a file of one packet, and what follows a failed seek is not what follows a start
        self._container = self._open()
        self._select_stream()

    def _select_stream(self) -> None:
        self._stream = self._container.streams.audio[0]
        for stream in self._container.streams:
            if stream is not self._stream:
                stream.discard = Discard.all
        if self._stream.codec_context is None:
            raise self._unknown_codec()
        _configure(self._stream.codec_context)

    def _ticks(self, frame: float) -> int:
        return math.floor(Fraction(frame) / self._frames_per_tick)

    def _decode(self, decoder: Any, packet: Any, at: int) -> Block:
        try:
            frames = decoder.decode(packet)
        except EOFError:
            frames = []
        except FFmpegError as error:
            raise self._damaged(max(0, at - self._skipped_frames), error) from None
        blocks = [_samples(frame) for frame in frames]
        if any(len(block) != self.channels for block in blocks):
            raise self._damaged(max(0, at - self._skipped_frames))
        if len(blocks) == 1:
            return blocks[0]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((self.channels, 0), np.float32)

    # --- errors -----------------------------------------------------------------------------------

    def _damaged(self, frame: int, error: Exception | None = None) -> InputError:
        if isinstance(error, PatchWelcomeError):
            return self._unknown_codec()
        reason = " (samples are missing)" if error is None else f" ({getattr(error, 'strerror', None) or error})"
        at = format_time_ms(frame / self.sample_rate)
        return InputError(
            f"{self.path}: cannot be read after {at}{reason}, because the file is damaged; download or copy it again"
        )

    def _no_sound(self) -> InputError:
        return InputError(
            f"{self.path}: contains no audio (zero frames); if the recorder did not close the file, "
            "repair it with: sox --ignore-length OLD.wav NEW.wav"
        )

    def _unknown_codec(self) -> InputError:
        return InputError(
            f"{self.path}: has an audio codec that FFmpeg cannot decode; "
            "save it as WAV or FLAC in the program that made it"
        )

    def _not_audio(self) -> InputError:
        with self.path.open("rb") as file:
            start = file.read(4096)
        control = bytes(range(9)) + bytes(range(14, 32))
        try:
            codecs.getincrementaldecoder("utf-8")().decode(start)  # the last character may be incomplete
            is_text = not any(byte in control for byte in start)
        except UnicodeDecodeError:
            is_text = False
        problem = "is a text file, not a sound file" if is_text else "is not a readable sound file"
        return InputError(f"{self.path}: {problem}; supported: {FORMATS}")


def check_readable(path: Path) -> None:
    """Raise `InputError` if `path` is missing, a directory, not a regular file, not to be read, or empty."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a directory; name a sound file in it ({FORMATS})")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is not a regular file; save the audio to a file first ({FORMATS})")
        path.open("rb").close()
    except FileNotFoundError:
        raise InputError(f"{path}: does not exist; check the path") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it; allow it with chmod +r") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"{path}: cannot be opened ({reason}); check the path") from None
    if status.st_size == 0:
        raise InputError(f"{path}: is empty (0 bytes); record or copy it again")


def _configure(context: Any) -> None:
    """Set up a decoder: it skips nothing, works in its caller's thread, and raises where a FLAC's checksum fails."""
    context.flags2 |= Flags2.skip_manual
    context.thread_count = 1
    if context.name == "flac":
        context.options = {"err_detect": "crccheck+explode"}


def _samples(frame: Any) -> Block:
    """Samples of a decoded frame as float32, shape (channels, frames)."""
    dtype = _DTYPES[frame.format.name.removesuffix("p")]
    channels, count = frame.layout.nb_channels, frame.samples
    # Not `frame.planes` or `to_ndarray`: PyAV 18 counts planes up to a null pointer, and behind the eighth is none.
    if frame.format.is_planar:
        raw = np.stack([np.frombuffer(memoryview(AudioPlane(frame, index)), dtype, count) for index in range(channels)])
    else:
        raw = np.frombuffer(memoryview(AudioPlane(frame, 0)), dtype, count * channels).reshape(count, channels).T
    kind = raw.dtype
    if kind == np.float32:
        return np.ascontiguousarray(raw)
    if kind == np.float64:
        with np.errstate(over="ignore", invalid="ignore"):
            return raw.astype(np.float32, order="C")
    if kind == np.uint8:
        return (raw.astype(np.float32, order="C") - np.float32(128)) / np.float32(128)
    return raw.astype(np.float32, order="C") * np.float32(2.0 ** (1 - 8 * kind.itemsize))


def _side_data(packet: Any) -> tuple[int, int]:
    """Frames to skip at the start and at the end of a packet."""
    if not packet.has_sidedata("skip_samples"):
        return 0, 0
    start, end = struct.unpack("<II", bytes(packet.get_sidedata("skip_samples"))[:8])
    return int(start), int(end)


def _pcm_bytes(codec: str) -> int:
    if codec in ("pcm_alaw", "pcm_mulaw"):
        return 1
    digits = "".join(filter(str.isdigit, codec))
    return int(digits) // 8 if digits else 0


def _opus_frames(packet: bytes) -> int:
    """Frames at 48 kHz of an Opus packet, out of its first two bytes (RFC 6716, section 3.1)."""
    configuration = packet[0] >> 3
    if configuration < 12:
        frame = (480, 960, 1920, 2880)[configuration % 4]
    elif configuration < 16:
        frame = (480, 960)[configuration % 2]
    else:
        frame = (120, 240, 480, 960)[configuration % 4]
    code = packet[0] & 3
    if code == 3:
        return frame * (packet[1] & 63) if len(packet) > 1 else 0
    return frame * (1, 2, 2)[code]


def _wma_window_frames(codec: str, sample_rate: int) -> int:
    """Half a window of WMA 1 and 2 in frames: the first half has none before it to overlap with.

    After `ff_wma_get_frame_len_bits` of libavcodec's wma_common.c.
    """
    if sample_rate <= 16_000:
        return 512
    return 1024 if sample_rate <= (32_000 if codec == "wmav1" else 22_050) else 2048


class _VorbisCounter:
    """Frames of Vorbis packets, out of the mode that their first byte names (Vorbis I, sections 4.2 and 4.3).

    Ogg's own durations are wrong at page borders where the block size changes.
    """

    def __init__(self, extradata: bytes) -> None:
        identification, setup = _xiph_headers(extradata)
        sizes = identification[28]
        self._sizes = (1 << (sizes & 15), 1 << (sizes >> 4))
        self._is_long = _vorbis_modes(setup)
        self._mode_mask = (1 << (len(self._is_long) - 1).bit_length()) - 1
        self._previous = self._sizes[0]  # FFmpeg returns the first block too, as if a short one were before it

    def __call__(self, packet: Any) -> int:
        if packet is None:
            return 0
        first = bytes(memoryview(packet)[:1])[0]
        size = self._sizes[self._is_long[(first >> 1) & self._mode_mask]] if not first & 1 else 0
        if not size:
            return 0
        frames = (self._previous + size) // 4
        self._previous = size
        return frames


def _xiph_headers(extradata: bytes) -> tuple[bytes, bytes]:
    """First and third header of Vorbis out of FFmpeg's extradata."""
    if extradata[:2] == b"\x00\x1e":  # each behind its length of two bytes
        headers, at = [], 0
        for _ in range(3):
            length = int.from_bytes(extradata[at : at + 2], "big")
            headers.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
        return headers[0], headers[2]
    if extradata[0] != 2:
        raise ValueError("no Vorbis headers")
    at, lengths = 1, []
    for _ in range(2):
        length = 0
        while extradata[at] == 255:
            length, at = length + 255, at + 1
        lengths.append(length + extradata[at])
        at += 1
    return extradata[at : at + lengths[0]], extradata[at + sum(lengths) :]


def _vorbis_modes(setup: bytes) -> list[int]:
    """Block flag of each mode. Modes end the setup header, and only from there can they be found without parsing it.

    After libavcodec's vorbis_parser.c: each mode is a flag, two numbers of 16 bits that are 0, and a mapping of 8 bits;
    their count of 6 bits stands before them.
    """
    bits = "".join(f"{byte:08b}"[::-1] for byte in setup).rstrip("0")[:-1]  # less the framing bit
    found = []
    modes: list[int] = []
    end = len(bits)
    while end >= 41 + 6 and len(modes) < 64:
        mode = bits[end - 41 : end]
        if "1" in mode[1:33] or int(mode[33:][::-1], 2) > 63:
            break
        modes.insert(0, int(mode[0]))
        end -= 41
        if int(bits[end - 6 : end][::-1], 2) + 1 == len(modes):
            found.append(list(modes))
    if not found:
        raise ValueError("no modes in the Vorbis setup header")
    return found[-1]
