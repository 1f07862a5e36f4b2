"""Opening a sound file, or saying in one line why it cannot be played and how to mend it."""

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

from rtgain.errors import InputError
from rtgain.number_format import format_time_ms

MIN_SAMPLE_RATE = 4_000
MAX_SAMPLE_RATE = 768_000

_FORMATS = "wav, flac, ogg and mp3"
_UNKNOWN_FRAMES = 2**62
"""libsndfile reports its largest count when a FLAC's header leaves the length open."""

_STREAMED_BYTES = (range(2**31 - 8192, 2**31 + 1), range(2**32 - 8192, 2**32))
"""What recorders write as a WAV's length when they stream it and cannot know (sox, ALSA, ffmpeg)."""

_CLAIMED_BYTES = re.compile(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", re.MULTILINE)
_CLAIMED_FRAMES = re.compile(r"Calculated frame count (\d+) does not match value from 'ds64' chunk of (\d+)")
_MP3_LEAD_IN_FRAMES = 16 * 1152
_MP3_TOLERANCE_FRAMES = 2 * 1152
"""Encoders differ in whether the frames that hold a header or padding count."""

_OGG_PAGE_MAX_BYTES = 27 + 255 + 255 * 255


_stderr_lock = threading.RLock()


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """Keep standard error clean of what libmpg123 says about a damaged file; what there is to say, we say."""
    with _stderr_lock:
        try:
            standard_error = os.dup(2)
        except OSError:  # closed: nobody hears anything
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(standard_error, 2)
            os.close(standard_error)
            os.close(nowhere)


class SequentialSound(soundfile.SoundFile):  # type: ignore[misc]
    """A `SoundFile` whose samples do not depend on how they were come to.

    soundfile seeks to where it is after every read. libmpg123 answers that by forgetting the frames
    that later ones build on: a tone read in blocks of 4,096 frames was off by its whole amplitude.
    """

    def seekable(self) -> bool:
        """No, so that reads do not seek; `go_to` works all the same."""
        return False

    def read(self, *arguments: Any, **settings: Any) -> Any:
        """The next frames, as `soundfile.SoundFile.read`."""
        with stderr_silenced() if self.format == "MP3" else nullcontext():
            return super().read(*arguments, **settings)

    def go_to(self, frame: int) -> None:
        """Continue with `frame`, as if everything before it had been read.

        Exact for every format but MP3, where the last bit of a float32 may round differently.
        """
        # From the start: after a short seek forward Vorbis is a block off (libsndfile issue 885), in 54 of
        # 300 random seeks. MP3's frames borrow from up to 9 before them: 145 of 300. This way, none is.
        self.seek(0)
        lead_in = min(frame, _MP3_LEAD_IN_FRAMES) if self.format == "MP3" else 0
        self.seek(frame - lead_in)
        self.read(lead_in)


class OpenSound(NamedTuple):
    """A file that has passed every check that does not take reading it whole."""

    sound: SequentialSound
    frames: int
    """Frames that can be read, at the file's own rate; where a header only estimates, counted."""


def open_sound(path: str | Path) -> OpenSound:
    """Open `path` for reading.

    Raises `InputError`, whose line names the file, when it is missing, a directory, not to be
    read, empty, text, no audio, without frames, cut short, or of a rate out of 4 to 768 kHz.
    """
    path = Path(path)
    _check_readable(path)
    with stderr_silenced():
        return _open(path)


def _open(path: Path) -> OpenSound:
    _check_mp3_is_whole(path)
    try:
        sound = SequentialSound(os.fspath(path))
    except (soundfile.LibsndfileError, TypeError):  # TypeError: a suffix that means headerless to soundfile
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
    return InputError(f"{path}: its sound cannot be decoded; the file is damaged, so fetch it again")


def truncated_file_error(path: Path, detail: str) -> InputError:
    """The error for a file that ends before it should."""
    return InputError(f"{path}: cut short: {detail}; fetch it again, or save what is left with: ffmpeg -i OLD NEW.flac")


def _check_readable(path: Path) -> None:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{path}: is a directory; name a sound file ({_FORMATS}) in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: is no regular file; save the sound as {_FORMATS} first")
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
        codecs.getincrementaldecoder("utf-8")().decode(start)  # the last character may be cut
        is_text = not any(byte in control for byte in start)
    except UnicodeDecodeError:
        is_text = False
    what = "is text, not sound" if is_text else "is no sound file that can be read, or holds no sound"
    return f"{path}: {what}; rtgain plays {_FORMATS}"


def _checked_frames(path: Path, sound: SequentialSound) -> int:
    rate = sound.samplerate
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise InputError(
            f"{path}: has a sample rate of {rate} Hz, out of {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}; "
            "resample it with: ffmpeg -i OLD -ar 48000 NEW.flac"
        )
    if sound.frames >= _UNKNOWN_FRAMES:
        raise InputError(f"{path}: its header does not say how long it is; write it anew with: ffmpeg -i OLD NEW.flac")
    if sound.frames <= 0:
        raise InputError(
            f"{path}: holds no sound (zero frames); if its recorder never closed it, "
            "mend it with: sox --ignore-length OLD.wav NEW.wav"
        )
    _check_claimed_length(path, sound)
    if sound.format == "OGG":
        _check_ogg_is_whole(path)
    frames: int = sound.frames
    promised = format_time_ms(frames / rate)
    if sound.format == "MP3":
        frames = _count_frames(sound)
        if _xing_header(path) is None:
            _check_mp3_estimate(path, frames)
        elif sound.frames - frames > _MP3_TOLERANCE_FRAMES:
            raise truncated_file_error(
                path, f"its header promises {promised}, and {format_time_ms(frames / rate)} are there"
            )
    elif sound.format != "OGG" and not _can_read_at(sound, frames - 1):
        raise truncated_file_error(path, f"its header promises {promised}, and the end of it cannot be read")
    if not _can_read_at(sound, 0):
        raise _damaged(path)
    sound.go_to(0)
    return frames


def _check_claimed_length(path: Path, sound: SequentialSound) -> None:
    log = sound.extra_info
    if claimed := _CLAIMED_BYTES.search(log):
        promised, found = int(claimed[1]), int(claimed[2])
        is_streamed = any(promised in unknown for unknown in _STREAMED_BYTES)
        if promised > found and not is_streamed:
            raise truncated_file_error(path, f"its header promises {promised} bytes of sound, and {found} are there")
    if counted := _CLAIMED_FRAMES.search(log):
        found, promised = int(counted[1]), int(counted[2])
        if promised > found:
            raise truncated_file_error(path, f"its header promises {promised} frames, and {found} are there")


def _check_ogg_is_whole(path: Path) -> None:
    """The last page of a whole Ogg stream is complete and marked as the last (RFC 3533, section 6)."""
    size = path.stat().st_size
    tail = _bytes_at(path, max(0, size - 2 * _OGG_PAGE_MAX_BYTES), 2 * _OGG_PAGE_MAX_BYTES)
    start = tail.rfind(b"OggS\x00")
    if start < 0:
        return  # something else, longer than a page, was appended; the stream before it is not to blame
    page = tail[start:]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    is_complete = len(page) > 26 and len(lacing) == page[26] and len(page) >= 27 + len(lacing) + sum(lacing)
    if not is_complete or not page[5] & 4:
        raise truncated_file_error(path, "its last page is missing")


def _check_mp3_is_whole(path: Path) -> None:
    """Compare the stream's length in a Xing header with the file's, before libmpg123 complains on its own."""
    xing = _xing_header(path)
    if xing is None:
        return
    header, start = xing
    flags = int.from_bytes(header[4:8], "big")
    if flags & 2:
        promised, found = int.from_bytes(header[12:16], "big"), path.stat().st_size - start
        if promised > found:
            raise truncated_file_error(path, f"its header promises {promised} bytes of sound, and {found} are there")


def _check_mp3_estimate(path: Path, frames: int) -> None:
    """Without a Xing header, libsndfile stops where a constant bit rate would end; see if the file does too."""
    size = path.stat().st_size
    with path.open("rb") as file, soundfile.SoundFile(file.fileno(), closefd=False) as sound:
        _can_read_at(sound, frames - 1)
        unread = size - os.lseek(file.fileno(), 0, os.SEEK_CUR)
    if unread > max(8_192, size // 100):  # more than tags take
        raise InputError(
            f"{path}: is an MP3 of variable bit rate that does not say how long it is; "
            "write it anew with: ffmpeg -i OLD -c copy NEW.mp3"
        )


def _xing_header(path: Path) -> tuple[bytes, int] | None:
    """The Xing header of an MP3 that counts its frames, and the byte where its stream starts."""
    start = 0
    tag = _bytes_at(path, 0, 10)
    if tag[:3] == b"ID3" and len(tag) == 10:
        size = tag[6:10]  # seven bits a byte
        start = 10 + (size[0] << 21 | size[1] << 14 | size[2] << 7 | size[3])
    frame = _bytes_at(path, start, 256)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    # It stands behind the side information, whose length depends on version, channels and checksum.
    for side_bytes in (9, 17, 32):
        for checksum_bytes in (0, 2):
            at = 4 + side_bytes + checksum_bytes
            if frame[at : at + 4] in (b"Xing", b"Info") and frame[at + 7] & 1:
                return frame[at:], start
    return None


def _count_frames(sound: SequentialSound) -> int:
    """The frames of an MP3 by bisection: its seeks are exact even where its length is a guess.

    Without a Xing header the length is extrapolated from the bit rate of the first frame.
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
