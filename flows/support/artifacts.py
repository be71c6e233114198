"""Artifacts of a run in the Prefect UI: the forecast table, the skill table, a link to the report, progress."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from prefect.artifacts import create_link_artifact, create_progress_artifact, create_table_artifact, update_progress_artifact

from forecaster.console import chances
from forecaster.pipeline import run_tables
from forecaster.pipeline.run_context import Job

log = logging.getLogger(__name__)


def show_forecasts(work: Job, forecast_ids: list[str], *, reforecast: bool = False) -> None:
    """Show the published forecasts among these, or those of a reforecast, a row each."""
    rows = [
        {
            "recipe": row["recipe_id"],
            "day": row["local_day"],
            **dict(zip(("probability", "usual"), chances(row["probability"], row["reference_probability"]), strict=True)),
            "ratio": f"{row['probability'] / row['reference_probability']:.2f}",
            "model": row["model_kind"],
            "mode": row["mode"],
            "degraded": row["degraded_reason"] or "",
        }
        for row in run_tables.published_rows(work, forecast_ids, reforecast=reforecast)
    ]
    create_table_artifact(rows, key="forecasts", description="Published forecasts of this run; with the usual rate beside each")


def show_skill(work: Job) -> None:
    """Show the skill of published forecasts, by mode."""
    create_table_artifact(
        run_tables.skill_rows(work),
        key="skill",
        description="Settled published forecasts: gain over the usual rate, nats per target day",
    )


def show_report(work: Job, page: Path) -> None:
    """Show a link to a page of the report."""
    base = work.settings.base_url.rstrip("/")
    link = f"{base}/{page.relative_to(work.settings.output).as_posix()}" if base else page.resolve().as_uri()
    create_link_artifact(link, link_text=page.name, key="report", description="The report page of this run")


def show_progress(key: str, title: str) -> Callable[[int, int, str], None]:
    """Show a progress bar in the UI; returns update(done, total, text). Neither ever fails: the server may be away."""
    artifact = _unless_it_fails(lambda: create_progress_artifact(0.0, key=key, description=title))

    def update(done: int, total: int, text: str = "") -> None:
        share = 100.0 * done / total if total else 100.0
        progress = f"{title}: {done} of {total}{', ' if text else ''}{text}"
        if isinstance(artifact, UUID):
            _unless_it_fails(lambda: update_progress_artifact(artifact, min(share, 100.0), description=progress))

    return update


def _unless_it_fails(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - whatever it is, it concerns the display alone
        log.warning("no progress is shown: %s", type(error).__name__)
        return None
