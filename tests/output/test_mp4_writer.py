"""MP4 writer: H.264 at its frame rate, with the same bytes for the same pictures."""

import io

import av
import numpy as np

from rtgain.output.mp4_writer import mp4


def bars(count: int) -> list[np.ndarray]:
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[:, :80] = (200, 40, 40)
    return [np.roll(picture, 8 * number, axis=1) for number in range(count)]


def test_mp4_is_h264_with_every_picture_at_its_time() -> None:
    encoded = mp4(bars(30), 20)
    with av.open(io.BytesIO(encoded)) as file:
        stream = file.streams.video[0]
        frames = list(file.decode(stream))
        assert (stream.codec.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert [frame.time for frame in frames] == [number / 20 for number in range(30)]
        shown = frames[7].to_ndarray(format="rgb24").astype(int)
    assert np.abs(shown - bars(30)[7]).mean() < 5


def test_mp4_is_reproducible_and_has_its_index_before_the_pictures() -> None:
    encoded = mp4(bars(30), 20)
    assert encoded == mp4(bars(30), 20)
    assert encoded.index(b"moov") < encoded.index(b"mdat")
