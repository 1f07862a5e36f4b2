"""Comparison entries: the loss and the optimizer of an additional estimator."""

from typing import NamedTuple, Self


class ComparisonSpec(NamedTuple):
    """Comparison entry: ``loss/optimizer``, or ``loss/optimizer@lr`` for torch's optimizer at a fixed learning rate.

    The latter descends without step limits, learning rate decay, early stop or averaging over time.
    """

    loss: str
    optimizer: str
    lr: float | None

    @classmethod
    def parse(cls, entry: str) -> Self:
        """Parse an entry. Raises `ValueError` if it is malformed."""
        loss, slash, optimizer_at_lr = entry.partition("/")
        optimizer, at, lr_text = optimizer_at_lr.partition("@")
        lr = float(lr_text) if at else None
        if not (slash and loss and optimizer) or (lr is not None and not 0.0 < lr <= 1000.0):
            raise ValueError(f"{entry!r} is not a loss/optimizer pair")
        return cls(loss, optimizer, lr)
