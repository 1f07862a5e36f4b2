"""Length of a sound file as its own container states it, in bytes.

FFmpeg reads a file to its end, wherever that is, and does not compare it with what the header states.
"""

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_UNKNOWN_LENGTHS = (range(2**31 - 8192, 2**31 + 1), range(2**32 - 8192, 2**32))
"""Lengths in bytes that recorders write into a WAV which they stream (sox, ALSA, ffmpeg)."""

_OGG_PAGE_MAX_BYTES = 27 + 255 + 255 * 255


class MissingBytes(NamedTuple):
    """Difference between the length that a header states and the length of the file, in bytes."""

    stated: int
    found: int


class Priming(NamedTuple):
    """Frames of an encoder's delay at the start, and frames of sound after it."""

    start_frames: int
    frames: int


def missing_bytes(path: Path) -> MissingBytes | None:
    """Difference between the stated and the actual length of a file; None if it is whole or states nothing.

    Covers RIFF, RF64, BW64, AIFF, CAF, MP4, Matroska, and MP3 with a Xing header, behind an ID3v2 tag too.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = id3_bytes(file)
        file.seek(start)
        magic = file.read(12)
        file.seek(start)
        if magic[:4] in (b"RIFF", b"RF64", b"BW64") and magic[8:] == b"WAVE":
            stated = _riff_sound(file, start)
        elif magic[:4] == b"FORM" and magic[8:11] == b"AIF":
            stated = _aiff_sound(file, start)
        elif magic[:4] == b"caff":
            stated = _caf_sound(file, start)
        elif magic[4:8] == b"ftyp":
            stated = _mp4_boxes(file, size)
        elif magic[:4] == b"\x1a\x45\xdf\xa3":
            stated = _matroska_segment(file)
        else:
            stated = _xing_stream(file, start)
    if stated is None:
        return None
    first, length = stated
    return MissingBytes(length, size - first) if first + length > size else None


def has_last_ogg_page(path: Path) -> bool:
    """True if the last page of an Ogg stream is complete and marked as the last (RFC 3533, section 6)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - 2 * _OGG_PAGE_MAX_BYTES))
        tail = file.read()
    start = tail.rfind(b"OggS\x00")
    if start < 0:
        return True  # something else, longer than a page, was appended
    page = tail[start:]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    is_complete = len(page) > 26 and len(lacing) == page[26] and len(page) >= 27 + len(lacing) + sum(lacing)
    return is_complete and bool(page[5] & 4)


def caf_priming(path: Path) -> Priming | None:
    """Contents of a CAF's packet table, which FFmpeg does not apply; None if it has none."""
    with path.open("rb") as file:
        for name, start, length in _caf_chunks(file, 0):
            if name == b"pakt" and length >= 24:
                file.seek(start)
                _, frames, priming, _ = struct.unpack(">qqii", file.read(24))
                return Priming(priming, frames)
    return None


def id3_bytes(file: BinaryIO) -> int:
    """Length in bytes of the ID3v2 tags at the start of a file (ID3 2.4.0, section 3.1)."""
    start = 0
    while True:
        file.seek(start)
        tag = file.read(10)
        if tag[:3] != b"ID3" or len(tag) < 10:
            return start
        a, b, c, d = tag[6:10]
        start += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if tag[5] & 0x10 else 0)


def has_xing_header(path: Path) -> bool:
    """True if the first frame of an MP3 counts the others."""
    with path.open("rb") as file:
        return _xing_header(file, id3_bytes(file)) is not None


def _xing_stream(file: BinaryIO, start: int) -> tuple[int, int] | None:
    header = _xing_header(file, start)
    if header is None or not int.from_bytes(header[4:8], "big") & 2:
        return None
    return start, int.from_bytes(header[12:16], "big")


def _xing_header(file: BinaryIO, start: int) -> bytes | None:
    file.seek(start)
    frame = file.read(256)
    if len(frame) < 64 or frame[0] != 0xFF or frame[1] & 0xE0 != 0xE0:
        return None
    # It stands behind the side information, whose length depends on version, channels and checksum.
    for side_bytes in (9, 17, 32):
        for checksum_bytes in (0, 2):
            at = 4 + side_bytes + checksum_bytes
            if frame[at : at + 4] in (b"Xing", b"Info") and frame[at + 7] & 1:
                return frame[at:]
    return None


def _riff_sound(file: BinaryIO, start: int) -> tuple[int, int] | None:
    size = os.fstat(file.fileno()).st_size
    long_length = None
    at = start + 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"ds64":
            fields = file.read(16)
            long_length = struct.unpack("<QQ", fields)[1] if len(fields) == 16 else None
        if name == b"data":
            if long_length is not None and length == 0xFFFFFFFF:
                return at + 8, long_length
            return None if any(length in unknown for unknown in _UNKNOWN_LENGTHS) else (at + 8, length)
        at += 8 + length + length % 2
    return None


def _aiff_sound(file: BinaryIO, start: int) -> tuple[int, int] | None:
    size = os.fstat(file.fileno()).st_size
    at = start + 12
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack(">4sI", file.read(8))
        if name == b"SSND":
            return at + 8, length
        at += 8 + length + length % 2
    return None


def _caf_sound(file: BinaryIO, start: int) -> tuple[int, int] | None:
    """The first chunk that reaches beyond the file, or the sound."""
    size = os.fstat(file.fileno()).st_size
    sound = None
    for name, at, length in _caf_chunks(file, start):
        if at + length > size:
            return at, length
        if name == b"data" and length >= 0:  # -1 is the rest of the file
            sound = at, length
    return sound


def _caf_chunks(file: BinaryIO, start: int) -> Iterator[tuple[bytes, int, int]]:
    size = os.fstat(file.fileno()).st_size
    at = start + 8
    while at + 12 <= size:
        file.seek(at)
        name, length = struct.unpack(">4sq", file.read(12))
        yield name, at + 12, length
        if length < 0:
            return
        at += 12 + length


def _mp4_boxes(file: BinaryIO, size: int) -> tuple[int, int] | None:
    """Start and length of the first box that reaches beyond the file, or of an index that is missing."""
    at = 0
    names = set()
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        header = 8
        if length == 1 and at + 16 <= size:
            length = int.from_bytes(file.read(8), "big")
            header = 16
        if length == 0:  # up to the end of the file
            return None
        if length < header:
            return None
        names.add(name)
        if at + length > size:
            return at, length
        at += length
    return None if b"moov" in names else (at, size - at + 8)


def _matroska_segment(file: BinaryIO) -> tuple[int, int] | None:
    file.seek(4)
    header = _ebml_length(file)
    if header is None:
        return None
    file.seek(header, os.SEEK_CUR)
    if file.read(4) != b"\x18\x53\x80\x67":
        return None
    length = _ebml_length(file)
    return None if length is None else (file.tell(), length)


def _ebml_length(file: BinaryIO) -> int | None:
    """The variable-length number at the file's position (RFC 8794, section 4); None if it means unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    following = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> following)]) + file.read(following), "big")
    return None if value == 2 ** (7 * (following + 1)) - 1 else value
