"""FFmpeg's filters, as processors of another program."""

import av
import numpy as np
from numpy.typing import NDArray

from rtgain.records.equalizer import EqualizerFilters


def ffmpeg_filtered(filters: list[tuple[str, str]], x: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Filter a mono signal by filters of FFmpeg in a row, name and options each, in double precision."""
    graph = av.filter.Graph()
    source = {"sample_rate": str(rate), "sample_fmt": "dblp", "channel_layout": "mono", "time_base": f"1/{rate}"}
    nodes = [graph.add("abuffer", **source)]
    nodes += [graph.add(name, options) for name, options in filters]
    nodes += [graph.add("aformat", "sample_fmts=dblp"), graph.add("abuffersink")]
    graph.link_nodes(*nodes).configure()
    frame = av.AudioFrame.from_ndarray(x[None], format="dblp", layout="mono")
    frame.sample_rate = rate
    graph.push(frame)
    graph.push(None)
    blocks = []
    while True:
        try:
            blocks.append(graph.pull().to_ndarray()[0])
        except EOFError:
            return np.concatenate(blocks)


def ffmpeg_equalized(equalizer: EqualizerFilters, x: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Filter by FFmpeg's filters that follow the cookbook."""
    names = {"low_shelf": "lowshelf", "peak": "equalizer", "high_shelf": "highshelf"}
    filters = [(names[f.kind], f"f={f.frequency_hz!r}:t=q:w={f.q!r}:g={f.gain_db!r}:r=f64") for f in equalizer.filters]
    return ffmpeg_filtered(filters, x, rate) * 10 ** (equalizer.gain_db / 20)
