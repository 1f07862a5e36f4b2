"""Templates of lesson texts: placeholders for measured numbers, written with a real minus sign."""

from collections.abc import Mapping

from rtgain.number_format import format_as


class FormattedNumber(float):
    """Number that is formatted with a real minus sign and without a negative zero."""

    def __format__(self, spec: str) -> str:
        return format_as(float(self), spec)


class LiteralText(str):
    """Text that replaces a number and ignores the number's format."""

    def __format__(self, spec: str) -> str:
        return str(self)


def fill_template(text: str, numbers: Mapping[str, float], **literals: str) -> str:
    """Fill the placeholders of `text` with `numbers`; `literals` replace some of them by text.

    Raises `KeyError` for a number that was not measured.
    """
    values: dict[str, FormattedNumber | LiteralText] = {name: FormattedNumber(value) for name, value in numbers.items()}
    return text.format_map(values | {name: LiteralText(literal) for name, literal in literals.items()})
