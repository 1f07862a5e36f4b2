"""Text form of an equalizer, as Equalizer APO reads and AutoEq writes it.

    Preamp: -6.0 dB
    Filter 1: ON LSC Fc 105 Hz Gain -3.2 dB Q 0.70
    Filter 2: ON PK Fc 1000 Hz Gain 2.5 dB Q 1.41
    Filter 3: OFF HSC Fc 10000 Hz Gain 1.0 dB Q 0.70

Source: the configuration reference of Equalizer APO. LSC, PK and HSC with a Q are the filters of the audio EQ cookbook.
"""

import re
from pathlib import Path

from rtgain.config.names import FILTER_GAIN_RANGE_DB, FILTER_Q_RANGE, MAX_FILTERS, FilterKind
from rtgain.errors import InputError
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters

KINDS: dict[str, FilterKind] = {"LSC": "low_shelf", "PK": "peak", "PEQ": "peak", "HSC": "high_shelf"}
"""Kinds by their names in a file; the first name of a kind is written."""

MAX_BYTES = 1_000_000
"""Size above which a file is not an equalizer, but something else."""

GAIN_LIMIT_DB = FILTER_GAIN_RANGE_DB[1]

_COMMAND = re.compile(r"\s*(?P<name>[A-Za-z]+)\s*(?P<number>\d*)\s*:\s*(?P<value>.*?)\s*$")
_NUMBER = r"(?P<{}>[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?)"
_PREAMP = re.compile(_NUMBER.format("gain") + r"\s*dB$", re.IGNORECASE)
_FILTER = re.compile(
    rf"Fc\s+{_NUMBER.format('frequency')}\s*Hz\s+Gain\s+{_NUMBER.format('gain')}\s*dB(?:\s+Q\s+{_NUMBER.format('q')})?$",
    re.IGNORECASE,
)


def format_equalizer(equalizer: EqualizerFilters) -> str:
    """Write an equalizer as text, one line per filter."""
    names = {kind: name for name, kind in reversed(KINDS.items())}
    lines = [f"Preamp: {_decimals(equalizer.gain_db, 2)} dB"]
    lines += [
        f"Filter {number}: ON {names[item.kind]} Fc {_decimals(item.frequency_hz, 2)} Hz "
        f"Gain {_decimals(item.gain_db, 2)} dB Q {item.q:.3f}"
        for number, item in enumerate(equalizer.filters, 1)
    ]
    return "\n".join(lines) + "\n"


def read_equalizer(path: Path) -> EqualizerFilters:
    """Read an equalizer for any sample rate from a text file. Raises `InputError` that names the line."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{path}: larger than {MAX_BYTES} bytes; --eq expects a text of filters")
        text = content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; --eq expects a text of filters") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not a text file in UTF-8; --eq expects a text of filters") from None
    return parse_equalizer(text, str(path))


def parse_equalizer(text: str, name: str) -> EqualizerFilters:
    """Read an equalizer from text. Several preamps add up, and filters that are OFF are left out.

    Raises `InputError` that begins with `name` and the line, for commands and filter types other than the above.
    """
    gain_db = 0.0
    filters: list[EqualizerFilter] = []
    is_empty = True
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        is_empty = False
        where = f"{name}, line {number}"
        command = _COMMAND.match(line)
        if command is None:
            raise InputError(f"{where}: expected 'Preamp: … dB' or 'Filter 1: ON PK Fc … Hz Gain … dB Q …'")
        value = command["value"]
        match command["name"].lower():
            case "preamp":
                gain_db += _preamp_db(value, where)
            case "filter":
                filters += _filters(value, where)
            case "channel" | "device" if value.lower() == "all":
                pass
            case _:
                raise InputError(f"{where}: '{command['name']}:' is not supported; use Preamp and Filter lines only")
    if is_empty:
        raise InputError(f"{name}: has no filters; give at least a line 'Preamp: 0 dB'")
    if abs(gain_db) > GAIN_LIMIT_DB:
        raise InputError(f"{name}: the preamps add up to {gain_db:g} dB; use −{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g}")
    if len(filters) > MAX_FILTERS:
        raise InputError(f"{name}: has {len(filters)} filters; use at most {MAX_FILTERS}")
    return EqualizerFilters(gain_db, tuple(filters))


def _preamp_db(value: str, where: str) -> float:
    preamp = _PREAMP.match(value)
    if preamp is None:
        raise InputError(f"{where}: expected a gain such as 'Preamp: -6.0 dB'")
    return _parse_number(preamp["gain"])


def _filters(value: str, where: str) -> list[EqualizerFilter]:
    """Parse the part after the colon; a filter that is off, or of type None, is left out."""
    words = value.split(maxsplit=2)
    switch = words[0].upper() if words else ""
    if switch not in ("ON", "OFF"):
        raise InputError(f"{where}: a filter must begin with ON or OFF, as in 'Filter 1: ON PK Fc 1000 Hz …'")
    if switch == "OFF" or (len(words) > 1 and words[1].lower() == "none"):
        return []
    kind_name = words[1].upper() if len(words) > 1 else ""
    if kind_name not in KINDS:
        raise InputError(f"{where}: filter type '{kind_name}' is not supported; use LSC, PK or HSC")
    settings = _FILTER.match(words[2] if len(words) > 2 else "")
    if settings is None:
        raise InputError(f"{where}: expected '{kind_name} Fc … Hz Gain … dB Q …' with a number at each dots")
    if settings["q"] is None:
        raise InputError(f"{where}: the filter has no Q; add one, for example 'Q 0.71'")
    frequency_hz, gain_db, q = (_parse_number(settings[field]) for field in ("frequency", "gain", "q"))
    if not frequency_hz > 0.0:
        raise InputError(f"{where}: the frequency must be above 0 Hz, not {frequency_hz:g}")
    if not abs(gain_db) <= GAIN_LIMIT_DB:
        raise InputError(f"{where}: the gain must be from −{GAIN_LIMIT_DB:g} to {GAIN_LIMIT_DB:g} dB, not {gain_db:g}")
    if not FILTER_Q_RANGE[0] <= q <= FILTER_Q_RANGE[1]:
        raise InputError(f"{where}: the Q must be from {FILTER_Q_RANGE[0]:g} to {FILTER_Q_RANGE[1]:g}, not {q:g}")
    return [EqualizerFilter(KINDS[kind_name], frequency_hz, gain_db, q)]


def _parse_number(text: str) -> float:
    """Convert a number with a decimal point, or with a comma as some locales write it."""
    return float(text.replace(",", "."))


def _decimals(value: float, decimals: int) -> str:
    """Format with at least one and at most `decimals` decimals, and no negative zero."""
    text = f"{round(value, decimals) + 0.0:.{decimals}f}"
    return re.sub(r"(\.\d+?)0+$", r"\1", text)
