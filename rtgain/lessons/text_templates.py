"""Numbers as the lessons' texts write them."""

from collections.abc import Mapping

from rtgain.number_format import real_minus


class FormattedNumber(float):
    """A number that is written with a real minus sign."""

    def __format__(self, form: str) -> str:
        text = super().__format__(form)
        if text.startswith("-") and float(text) == 0.0:
            text = text[1:]
        return real_minus(text)


class LiteralText(str):
    """What stands in a number's place, whatever the number's format."""

    def __format__(self, form: str) -> str:
        return str(self)


def fill(text: str, numbers: Mapping[str, float], **words: str) -> str:
    """`text` with its placeholders filled, some by `words`. Raises `KeyError` for a number that nobody measured."""
    values: dict[str, FormattedNumber | LiteralText] = {name: FormattedNumber(value) for name, value in numbers.items()}
    return text.format_map(values | {name: LiteralText(said) for name, said in words.items()})
