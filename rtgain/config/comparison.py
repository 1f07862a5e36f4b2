"""Entries of the option `compare`: other loss and optimizer pairs that run on the same windows."""

from typing import NamedTuple, Self

from rtgain.config.names import MAX_LR


class ComparisonSpec(NamedTuple):
    """A comparison: ``loss/optimizer``, or ``loss/optimizer@lr`` for torch's stock optimizer.

    The stock optimizer descends at its fixed learning rate, without step limits, early stopping or averaging over
    time. `lr` is None without ``@``.
    """

    loss: str
    optimizer: str
    lr: float | None

    @classmethod
    def of(cls, entry: str) -> Self:
        """Parse an entry. Raises `ValueError` if it does not have that form."""
        loss, slash, optimizer_and_lr = entry.partition("/")
        optimizer, at, lr_text = optimizer_and_lr.partition("@")
        lr = float(lr_text) if at else None
        if not (slash and loss and optimizer) or (lr is not None and not 0.0 < lr <= MAX_LR):
            raise ValueError(f"{entry!r} is not a loss/optimizer pair")
        return cls(loss, optimizer, lr)
