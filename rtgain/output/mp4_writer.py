"""H.264 in MP4, the same bytes every time."""

import os
import tempfile
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray


def mp4(pictures: Iterable[NDArray[np.uint8]], frames_per_second: int) -> bytes:
    """Encode pictures, each (height, width, 3) of red, green and blue, as every browser plays them.

    Raises `av.error.FFmpegError` where that fails. One thread, and no date or version in the file: the same pictures
    give the same bytes with the same release of PyAV.
    """
    with tempfile.TemporaryDirectory() as folder:  # the index is moved to the front at the end, which takes a file
        path = Path(folder) / "film.mp4"
        with av.open(os.fspath(path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}) as output:
            stream: Any = None
            for number, picture in enumerate(pictures):
                if stream is None:
                    stream = output.add_stream("libx264", rate=frames_per_second, options={"crf": "20"})
                    stream.height, stream.width = picture.shape[:2]
                    stream.pix_fmt = "yuv420p"
                    stream.codec_context.thread_count = 1
                    stream.codec_context.flags |= av.codec.context.Flags.bitexact
                frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, frames_per_second)
                output.mux(stream.encode(frame))
            if stream is not None:
                output.mux(stream.encode(None))
        return path.read_bytes()
