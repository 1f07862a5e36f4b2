"""What comes out the same every time is made once in a process: the built-in demo, which takes a second."""

from rtgain.audio.sources.demo import DemoSource


def remember_the_demo() -> None:
    """Let every `DemoSource` of a rate after the first be made as that one was."""
    make = DemoSource.__init__
    made: dict[int, dict[str, object]] = {}

    def make_or_copy(source: DemoSource, sample_rate: int) -> None:
        if sample_rate not in made:
            make(source, sample_rate)
            made[sample_rate] = dict(vars(source))
        vars(source).update(made[sample_rate])

    if make.__name__ != make_or_copy.__name__:
        DemoSource.__init__ = make_or_copy  # type: ignore[method-assign]
