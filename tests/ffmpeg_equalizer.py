"""FFmpeg's filters as an equalizer of another program."""

import itertools

import av
import numpy as np
from numpy.typing import NDArray

from rtgain.records.equalizer import EqualizerFilters


def ffmpeg_filtered(equalizer: EqualizerFilters, x: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Filter by FFmpeg's own filters, which follow the cookbook, in double precision."""
    names = {"low_shelf": "lowshelf", "peak": "equalizer", "high_shelf": "highshelf"}
    graph = av.filter.Graph()
    source = {"sample_rate": str(rate), "sample_fmt": "dblp", "channel_layout": "mono", "time_base": f"1/{rate}"}
    nodes = [graph.add("abuffer", **source)]
    nodes += [
        graph.add(names[f.kind], f"f={f.frequency_hz!r}:t=q:w={f.q!r}:g={f.gain_db!r}:r=f64") for f in equalizer.filters
    ]
    nodes.append(graph.add("abuffersink"))
    for node, following in itertools.pairwise(nodes):
        node.link_to(following)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(x[None], format="dblp", layout="mono")
    frame.sample_rate = rate
    graph.push(frame)
    filtered: NDArray[np.float64] = graph.pull().to_ndarray()[0]
    return filtered * 10 ** (equalizer.gain_db / 20)
