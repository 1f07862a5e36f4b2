"""Cache of the built-in demo source, whose synthesis takes a second."""

from rtgain.audio.sources.demo import DemoSource


def cache_demo_source() -> None:
    """Synthesize the demo once per sample rate, number of channels and process; later instances share the samples."""
    make = DemoSource.__init__
    made: dict[tuple[int, int], dict[str, object]] = {}

    def make_or_copy(source: DemoSource, sample_rate: int, channels: int = 1) -> None:
        key = sample_rate, channels
        if key not in made:
            make(source, sample_rate, channels)
            made[key] = dict(vars(source))
        vars(source).update(made[key])

    if make.__name__ != make_or_copy.__name__:
        DemoSource.__init__ = make_or_copy  # type: ignore[method-assign]
