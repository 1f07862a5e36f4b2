"""Encoder of H.264 in MP4, with the same bytes for the same pictures."""

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
    """Encode pictures, each (height, width, 3) of red, green and blue, as an MP4 that every browser plays.

    It uses one thread and stores neither date nor version, so that the same pictures give the same bytes with the same
    release of PyAV. Raises `av.error.FFmpegError` if the encoder fails.
    """
    with tempfile.TemporaryDirectory() as folder:  # the index is moved to the front at the end, which needs a file
        path = Path(folder) / "animation.mp4"
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
