"""Open and validate sound files. Errors state in one line what is wrong with a file and how to repair it."""

import codecs
import os
import re
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import soundfile

from rtgain.config.names import SAMPLE_RATE_RANGE_HZ
from rtgain.errors import InputError
from rtgain.number_format import format_time_ms

_FORMATS = "wav, flac, ogg, mp3"
_UNKNOWN_FRAMES = 2**62
"""libsndfile reports its largest count if the header of a FLAC does not declare the length."""

_STREAMED_BYTES = (range(2**31 - 8192, 2**31 + 1), range(2**32 - 8192, 2**32))
"""Lengths that recorders declare in the header of a streamed WAV of unknown length (sox, ALSA, ffmpeg)."""

_DECLARED_BYTES = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_DECLARED_FRAMES = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_MP3_LEAD_IN_FRAMES = 16 * 1152
"""Frames decoded before the frame of a seek: MP3 frames use data from up to 9 frames before them."""

_MP3_TOLERANCE_FRAMES = 2 * 1152
"""Tolerance of the declared length: not all encoders count the frames of the header and of the padding."""

_OGG_PAGE_MAX_BYTES = 27 + 255 + 255 * 255


_stderr_lock = threading.RLock()


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """Suppress the messages of libmpg123 about damaged files on standard error; rtgain reports these errors itself."""
    with _stderr_lock:
        try:
            standard_error = os.dup(2)
        except OSError:  # standard error is closed
            yield
            return
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            os.close(null)


class SequentialSound(soundfile.SoundFile):  # type: ignore[misc]
    """`SoundFile` whose samples do not depend on the sizes of reads and on seeks.

    soundfile seeks to the current position after every read. libmpg123 then discards the frames on which later
    frames depend: a tone read in blocks of 4,096 frames was wrong by its whole amplitude.
    """

    def seekable(self) -> bool:
        """Return False, so that reads do not seek. `seek_exact` works nevertheless."""
        return False

    def read(self, *arguments: Any, **options: Any) -> Any:
        """Read the next frames, as `soundfile.SoundFile.read`."""
        with stderr_silenced() if self.format == "MP3" else nullcontext():
            return super().read(*arguments, **options)

    def seek_exact(self, frame: int) -> None:
        """Continue at `frame` with the samples of a sequential read.

        Exact for every format except MP3, where the last bit of a float32 may be rounded differently.
        """
        # From the start, because after a short forward seek Vorbis is wrong by one block (libsndfile issue 885): in 54
        # of 300 random seeks. With an MP3, whose frames use data from up to 9 earlier frames, 145 of 300 seeks were
        # wrong. With both measures all seeks were exact.
        self.seek(0)
        lead_in = min(frame, _MP3_LEAD_IN_FRAMES) if self.format == "MP3" else 0
        self.seek(frame - lead_in)
        self.read(lead_in)


class OpenSound(NamedTuple):
    """Open file that has passed all checks that do not read the whole file."""

    sound: SequentialSound
    frames: int
    """Number of readable frames at the file's own rate; counted if the header only estimates it."""


def open_sound(path: str | Path) -> OpenSound:
    """Open `path` for reading.

    Raises `InputError` with the name of the file if it is missing, a directory, not readable, empty, text, not audio,
    without frames or truncated, or if its sample rate is not from 4 to 768 kHz.
    """
    path = Path(path)
    _check_readable(path)
    with stderr_silenced():
        return _open(path)


def _open(path: Path) -> OpenSound:
    _check_mp3_is_whole(path)
    try:
        sound = SequentialSound(os.fspath(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a suffix that soundfile treats as headerless
        raise InputError(_not_audio(path)) from None
    try:
        return OpenSound(sound, _checked_frames(path, sound))
    except soundfile.LibsndfileError:
        sound.close()
        raise _damaged(path) from None
    except InputError:
        sound.close()
        raise


def _damaged(path: Path) -> InputError:
    return InputError(f"{path}: cannot be decoded, because the file is damaged; download or copy it again")


def truncated_file_error(path: Path, detail: str) -> InputError:
    """Create the error for a truncated file."""
    return InputError(
        f"{path}: truncated: {detail}; download or copy it again, "
        "or save the existing part with: ffmpeg -i OLD NEW.flac"
    )


def _check_readable(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a directory; name a sound file in it ({_FORMATS})")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is not a regular file; save the audio to a file first ({_FORMATS})")
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


def _not_audio(path: Path) -> str:
    start = _bytes_at(path, 0, 4096)
    control = bytes(range(9)) + bytes(range(14, 32))
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # the last character may be incomplete
        is_text = not any(byte in control for byte in start)
    except UnicodeDecodeError:
        is_text = False
    problem = "is a text file, not a sound file" if is_text else "is not a readable sound file"
    return f"{path}: {problem}; supported formats: {_FORMATS}"


def _checked_frames(path: Path, sound: SequentialSound) -> int:
    rate = sound.samplerate
    lowest_hz, highest_hz = SAMPLE_RATE_RANGE_HZ
    if not lowest_hz <= rate <= highest_hz:
        raise InputError(
            f"{path}: has a sample rate of {rate} Hz, outside {lowest_hz} to {highest_hz} Hz; "
            "resample it with: ffmpeg -i OLD -ar 48000 NEW.flac"
        )
    if sound.frames >= _UNKNOWN_FRAMES:
        raise InputError(f"{path}: the header does not declare the length; re-encode it with: ffmpeg -i OLD NEW.flac")
    if sound.frames <= 0:
        raise InputError(
            f"{path}: contains no audio (zero frames); if the recorder did not close the file, "
            "repair it with: sox --ignore-length OLD.wav NEW.wav"
        )
    _check_declared_length(path, sound)
    if sound.format == "OGG":
        _check_ogg_is_whole(path)
    frames: int = sound.frames
    declared = format_time_ms(frames / rate)
    if sound.format == "MP3":
        frames = _count_frames(sound)
        if _xing_header(path) is None:
            _check_mp3_estimate(path, frames)
        elif sound.frames - frames > _MP3_TOLERANCE_FRAMES:
            raise truncated_file_error(
                path, f"the header declares {declared}, but only {format_time_ms(frames / rate)} are present"
            )
    elif sound.format != "OGG" and not _can_read_at(sound, frames - 1):
        raise truncated_file_error(path, f"the header declares {declared}, but the end cannot be read")
    if not _can_read_at(sound, 0):
        raise _damaged(path)
    sound.seek_exact(0)
    return frames


def _check_declared_length(path: Path, sound: SequentialSound) -> None:
    log = sound.extra_info
    if counts := _DECLARED_BYTES.search(log):
        declared, found = int(counts[1]), int(counts[2])
        is_streamed = any(declared in unknown for unknown in _STREAMED_BYTES)
        if declared > found and not is_streamed:
            raise truncated_file_error(
                path, f"the header declares {declared} bytes of audio, but only {found} are present"
            )
    if counts := _DECLARED_FRAMES.search(log):
        found, declared = int(counts[1]), int(counts[2])
        if declared > found:
            raise truncated_file_error(path, f"the header declares {declared} frames, but only {found} are present")


def _check_ogg_is_whole(path: Path) -> None:
    """Check that the last page of an Ogg stream is complete and marked as the last (RFC 3533, section 6)."""
    size = path.stat().st_size
    tail = _bytes_at(path, max(0, size - 2 * _OGG_PAGE_MAX_BYTES), 2 * _OGG_PAGE_MAX_BYTES)
    start = tail.rfind(b"OggS\x00")
    if start < 0:
        return  # more than a page of other data was appended; the stream itself may be complete
    page = tail[start:]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    is_complete = len(page) > 26 and len(lacing) == page[26] and len(page) >= 27 + len(lacing) + sum(lacing)
    if not is_complete or not page[5] & 4:
        raise truncated_file_error(path, "the last page is missing")


def _check_mp3_is_whole(path: Path) -> None:
    """Compare the stream length in a Xing header with the length of the file, before libmpg123 prints a warning."""
    xing = _xing_header(path)
    if xing is None:
        return
    header, start = xing
    flags = int.from_bytes(header[4:8], "big")
    if flags & 2:
        declared, found = int.from_bytes(header[12:16], "big"), path.stat().st_size - start
        if declared > found:
            raise truncated_file_error(
                path, f"the header declares {declared} bytes of audio, but only {found} are present"
            )


def _check_mp3_estimate(path: Path, frames: int) -> None:
    """Check that the file ends where a constant bit rate would end.

    Without a Xing header, libsndfile stops reading there.
    """
    size = path.stat().st_size
    with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        _can_read_at(sound, frames - 1)
        unread = size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
    if unread > max(8_192, size // 100):  # more than tags take
        raise InputError(
            f"{path}: is an MP3 with a variable bit rate that does not declare its length; "
            "rewrite it with: ffmpeg -i OLD -c copy NEW.mp3"
        )


def _xing_header(path: Path) -> tuple[bytes, int] | None:
    """Return the Xing header of an MP3 if it declares the number of frames, and the byte at which the stream starts."""
    start = 0
    tag = _bytes_at(path, 0, 10)
    if tag[:3] == b"ID3" and len(tag) == 10:
        size = tag[6:10]  # seven bits per byte
        start = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    frame = _bytes_at(path, start, 256)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    # It follows the side information, whose length depends on version, channels and checksum.
    for side_bytes in (9, 17, 32):
        for checksum_bytes in (0, 2):
            offset = 4 + side_bytes + checksum_bytes
            if frame[offset : offset + 4] in (b"Xing", b"Info") and frame[offset + 7] & 1:
                return frame[offset:], start
    return None


def _count_frames(sound: SequentialSound) -> int:
    """Count the frames of an MP3 by bisection: seeks are exact even if the length is an estimate.

    Without a Xing header, the length is extrapolated from the bit rate of the first frame.
    """
    readable, unreadable = -1, int(sound.frames)
    if _can_read_at(sound, unreadable - 1) and not _can_read_at(sound, unreadable):
        return unreadable
    while _can_read_at(sound, unreadable):
        readable, unreadable = unreadable, 2 * unreadable
    while unreadable - readable > 1:
        middle = (readable + unreadable) // 2
        if _can_read_at(sound, middle):
            readable = middle
        else:
            unreadable = middle
    return readable + 1


def _can_read_at(sound: soundfile.SoundFile, frame: int) -> bool:
    try:
        sound.seek(frame)
        return len(sound.read(1)) == 1
    except soundfile.LibsndfileError:
        return False


def _bytes_at(path: Path, start: int, count: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(count)
