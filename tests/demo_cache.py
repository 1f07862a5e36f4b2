"""Cache of the built-in demo source, whose synthesis takes a second."""

from rtgain.audio.sources.demo import DemoSource


def cache_demo_source() -> None:
    """Synthesize the demo once per sample rate and process; later instances share the samples."""
    make = DemoSource.__init__
    made: dict[int, dict[str, object]] = {}

    def make_or_copy(source: DemoSource, sample_rate: int) -> None:
        if sample_rate not in made:
            make(source, sample_rate)
            made[sample_rate] = dict(vars(source))
        vars(source).update(made[sample_rate])

    if make.__name__ != make_or_copy.__name__:
        DemoSource.__init__ = make_or_copy  # type: ignore[method-assign]
