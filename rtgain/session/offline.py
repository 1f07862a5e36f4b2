"""Runner of a whole session on the offline clock."""

from collections.abc import Callable
from dataclasses import dataclass

from rtgain.config.session_config import SessionConfig
from rtgain.records.estimate import Estimate
from rtgain.records.history import History, Summary
from rtgain.records.snapshot import Comparison
from rtgain.session.session import Session


@dataclass(frozen=True)
class OfflineResult:
    """Results of a session that has run to its end; `comparisons` by their entries, with at most 20 s of history."""

    history: History
    comparisons: dict[str, Comparison]
    summary: Summary


def run_offline(
    config: SessionConfig,
    *,
    on_start: Callable[[Session], None] = lambda session: None,
    on_estimates: Callable[[Session, list[Estimate]], None] = lambda session, estimates: None,
) -> OfflineResult:
    """Run a session on the offline clock to the end of its source, or of its duration.

    `on_start` is called before the first frame. `on_estimates` receives each batch of estimates, in order.
    Raises `InputError` for a source or an automation that cannot be used.
    """
    with Session(config, clock="offline", keep_all_estimates=True) as session:
        session.start()
        on_start(session)
        while not session.is_finished:
            on_estimates(session, session.advance())
        on_estimates(session, session.drain())
        comparisons = {comparison.name: comparison for comparison in session.comparisons}
        return OfflineResult(session.history.latest(), comparisons, session.summary())
