"""Cautions shown beside a headline: they state how far its figures can be trusted."""

from collections.abc import Sequence
from typing import Any

from forecaster.reports.content.combined import trust_phrases
from forecaster.reports.content.contract import PooledSkill
from forecaster.reports.content.headline import subject
from forecaster.reports.numbers_as_text import Phrase

NAMED_PLACES = 5
HEADLINES = 3  # how many places above their usual rate the top of a report names


def cautions(rows: Sequence[dict[str, Any]], notable: Sequence[dict[str, Any]], skill: PooledSkill | None) -> list[Phrase]:
    """Return the cautions beside the headlines.

    They state how reliable the figures of the headlines are, and which usual rates do not account for a large earthquake nearby.

    Args:
        rows: the rows of the report's table.
        notable: those above their usual rate, the highest first.
        skill: of the combination.
    """
    phrases = trust_phrases(notable[:HEADLINES], skill)
    about = subject(rows)  # the headline itself states it for its own place
    unheard = [row for row in rows if row["unheard"] is not None and row is not about]
    if unheard:
        names = tuple(f"{row['name']} (M {row['unheard'][0]:.1f})" for row in unheard[:NAMED_PLACES])
        more = (Phrase("list.more"),) if len(unheard) > NAMED_PLACES else ()
        phrases.append(Phrase("caution.unheard", {"names": (*names, *more)}))
    return phrases
