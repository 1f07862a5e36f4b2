"""Text form of an equalizer: files as AutoEq, Equalizer APO and REW write them, and faulty ones."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtgain.config.names import MAX_FILTERS
from rtgain.config.session_config import make_session_config
from rtgain.errors import InputError
from rtgain.records.equalizer import EqualizerFilter, EqualizerFilters
from rtgain.records.equalizer_text import format_equalizer, parse_equalizer, read_equalizer
from rtgain.records.reference_equalizer import reference_filters

AUTOEQ = """\
Preamp: -6.33 dB
Filter 1: ON LSC Fc 105 Hz Gain 6.4 dB Q 0.70
Filter 2: ON PK Fc 181 Hz Gain -2.5 dB Q 0.52
Filter 3: OFF PK Fc 2158 Hz Gain 4.2 dB Q 1.98
Filter 10: ON HSC Fc 10000 Hz Gain -2.8 dB Q 0.70"""

AUTOEQ_FILTERS = EqualizerFilters(
    -6.33,
    (
        EqualizerFilter("low_shelf", 105.0, 6.4, 0.7),
        EqualizerFilter("peak", 181.0, -2.5, 0.52),
        EqualizerFilter("high_shelf", 10000.0, -2.8, 0.7),
    ),
)


def test_a_file_of_autoeq_is_read() -> None:
    assert parse_equalizer(AUTOEQ, "eq.txt") == AUTOEQ_FILTERS


def test_a_file_with_byte_order_mark_and_windows_line_ends_is_read(tmp_path: Path) -> None:
    path = tmp_path / "eq.txt"
    path.write_bytes(b"\xef\xbb\xbf" + AUTOEQ.replace("\n", "\r\n").encode())
    assert read_equalizer(path) == AUTOEQ_FILTERS


def test_a_file_of_rew_with_comments_and_decimal_commas_is_read() -> None:
    text = """\
    # Filter Settings file
    Channel: all
    Preamp: -3 dB
    preamp: -1,5 dB
    Filter  1: ON  PK       Fc   50,5 Hz   Gain  -10,0 dB  Q  2,500
    Filter  2: ON  None
    filter: on peq fc .5e3 hz gain +1 db q 1
    """
    assert parse_equalizer(text, "rew.txt") == EqualizerFilters(
        -4.5, (EqualizerFilter("peak", 50.5, -10.0, 2.5), EqualizerFilter("peak", 500.0, 1.0, 1.0))
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "eq.txt: has no filters; give at least a line 'Preamp: 0 dB'"),
        ("# a comment\n\n", "eq.txt: has no filters; give at least a line 'Preamp: 0 dB'"),
        ("GraphicEQ: 20 -1.2; 22 -1.1", "line 1: 'GraphicEQ:' is not supported; use Preamp and Filter lines only"),
        ("Preamp: 1 dB\nChannel: L", "line 2: 'Channel:' is not supported; use Preamp and Filter lines only"),
        ("time_s,gain_db", "line 1: expected 'Preamp: … dB' or 'Filter 1: ON PK Fc … Hz Gain … dB Q …'"),
        ("Preamp: loud", "line 1: expected a gain such as 'Preamp: -6.0 dB'"),
        ("Preamp: -40 dB\nPreamp: -40 dB", "the preamps add up to -80 dB"),
        ("Filter 1: PK Fc 100 Hz Gain 1 dB Q 1", "line 1: a filter must begin with ON or OFF"),
        ("Filter 1:", "line 1: a filter must begin with ON or OFF"),
        ("Filter 1: ON", "line 1: filter type '' is not supported; use LSC, PK or HSC"),
        ("Filter 1: ON LP Fc 100 Hz", "line 1: filter type 'LP' is not supported; use LSC, PK or HSC"),
        ("Filter 1: ON PK Fc 100 Hz Gain 1 dB", "line 1: the filter has no Q; add one, for example 'Q 0.71'"),
        ("Filter 1: ON PK Fc 100 Hz Gain 1 dB BW Oct 1", "line 1: expected 'PK Fc … Hz Gain … dB Q …'"),
        ("Filter 1: ON PK Gain 1 dB Q 1", "line 1: expected 'PK Fc … Hz Gain … dB Q …'"),
        ("Filter 1: ON PK Fc nan Hz Gain 1 dB Q 1", "line 1: expected 'PK Fc … Hz Gain … dB Q …'"),
        ("Filter 1: ON PK Fc -5 Hz Gain 1 dB Q 1", "line 1: the frequency must be above 0 Hz, not -5"),
        ("Filter 1: ON PK Fc 100 Hz Gain 99 dB Q 1", "line 1: the gain must be from −60 to 60 dB, not 99"),
        ("Filter 1: ON PK Fc 100 Hz Gain 1e999 dB Q 1", "line 1: the gain must be from −60 to 60 dB, not inf"),
        ("Filter 1: ON PK Fc 100 Hz Gain 1 dB Q 0", "line 1: the Q must be from 0.05 to 100, not 0"),
    ],
)
def test_a_faulty_text_is_reported_with_its_line(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_equalizer(text, "eq.txt")
    assert str(caught.value).startswith("eq.txt")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe\x00F", "not a text file in UTF-8; --eq expects a text of filters"),
        (b"#" * 1_000_001, "larger than 1000000 bytes; --eq expects a text of filters"),
        (None, "No such file or directory; --eq expects a text of filters"),
    ],
)
def test_a_file_that_is_no_text_is_reported(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "eq.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_equalizer(path)


def test_a_file_that_does_not_suit_the_sample_rate_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "eq.txt"
    path.write_text(AUTOEQ)
    with pytest.raises(InputError, match=r"eq.txt: filter 3: 10000 Hz is not below half of the sample rate of 16000"):
        reference_filters(make_session_config(eq=str(path)), 16_000)


def test_text_has_the_form_of_equalizer_apo() -> None:
    equalizer = EqualizerFilters(-6.0, (EqualizerFilter("low_shelf", 105.0, -3.2, 0.7),
                                        EqualizerFilter("peak", 1234.567, -0.001, 1.41421),
                                        EqualizerFilter("high_shelf", 10000.0, 2.25, 0.7)))  # fmt: skip
    assert format_equalizer(equalizer) == (
        "Preamp: -6.0 dB\n"
        "Filter 1: ON LSC Fc 105.0 Hz Gain -3.2 dB Q 0.700\n"
        "Filter 2: ON PK Fc 1234.57 Hz Gain 0.0 dB Q 1.414\n"
        "Filter 3: ON HSC Fc 10000.0 Hz Gain 2.25 dB Q 0.700\n"
    )


@given(
    st.floats(-60, 60),
    st.lists(
        st.builds(
            EqualizerFilter,
            st.sampled_from(["low_shelf", "peak", "high_shelf"]),
            st.floats(1, 20_000),
            st.floats(-60, 60),
            st.floats(0.05, 100),
        ),
        max_size=4,
    ),
)
def test_what_is_written_is_read_again(gain_db: float, filters: list[EqualizerFilter]) -> None:
    read = parse_equalizer(format_equalizer(EqualizerFilters(gain_db, tuple(filters))), "eq.txt")
    assert read.gain_db == pytest.approx(gain_db, abs=0.006)
    assert [f.kind for f in read.filters] == [f.kind for f in filters]
    for one, other in zip(read.filters, filters, strict=True):
        assert one.frequency_hz == pytest.approx(other.frequency_hz, abs=0.006)
        assert one.gain_db == pytest.approx(other.gain_db, abs=0.006)
        assert one.q == pytest.approx(other.q, abs=0.0006)


def test_filters_without_effect_have_no_coefficients() -> None:
    flat = EqualizerFilters(0.0, (EqualizerFilter("peak", 1000.0, 0.0, 1.0),))
    assert flat.coefficients(48_000).shape == (0, 5)


def test_a_filter_above_half_the_sample_rate_is_reported() -> None:
    with pytest.raises(InputError, match="filter 1: 12000 Hz is not below half of the sample rate of 22050 Hz"):
        EqualizerFilters(0.0, (EqualizerFilter("peak", 12_000.0, 1.0, 1.0),)).coefficients(22_050)


def test_too_many_filters_are_reported() -> None:
    filters = (EqualizerFilter("peak", 100.0, 1.0, 1.0),) * (MAX_FILTERS + 1)
    with pytest.raises(InputError, match=f"has {MAX_FILTERS + 1} filters; use at most {MAX_FILTERS}"):
        EqualizerFilters(0.0, filters).coefficients(48_000)
