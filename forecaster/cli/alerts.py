"""`quakecast alerts`: backtest rules, list the alerts they sent, test delivery, and run the day's alert step by hand."""

from typing import TYPE_CHECKING

import click

from forecaster.cli.common import example, json_option, look, open_job, print_result, recipe_options
from forecaster.errors import BadInput
from forecaster.registry.model_kinds import kinds_where

if TYPE_CHECKING:
    from forecaster.registry.recipe_fields import AlertRule
    from forecaster.settings import Settings

MODELS = ("present", "published", "climatology", *kinds_where(lambda kind: kind.in_recipes))


@click.group()
def alerts() -> None:
    """Backtest, check, list and raise alerts."""


@alerts.command("test", epilog=example("quakecast alerts test --recipe tokyo-m45 --probability 0.2 --ratio 2 --years 5"))
@recipe_options
@click.option("--rule", "name", metavar="NAME", help="A rule of the recipe (default: all of them).")
@click.option("--probability", type=float, help="Try this bound instead, which no recipe needs to have; with --ratio.")
@click.option("--ratio", type=float, help="Times the usual rate.")
@click.option("--probability-off", type=float, help="Below this the alert ends (default: --probability).")
@click.option("--ratio-off", type=float, help="Below this the alert ends (default: --ratio).")
@click.option("--cooldown-days", type=int, help="At most one alert in so many days.")
@click.option(
    "--model",
    type=click.Choice(MODELS),
    default=MODELS[0],
    show_default=True,
    help="Whose forecasts: of the kind that is published at present, what was or would have been published then, or of one kind.",
)
@click.option("--years", type=click.FloatRange(min=0, min_open=True, max=100), default=5.0, show_default=True, help="Of stored forecasts.")
@json_option
@click.pass_obj
def alerts_test(
    settings: "Settings",
    /,
    recipes: tuple[str, ...],
    everything: bool,
    name: str | None,
    model: str,
    years: float,
    as_json: bool,
    **bounds: float | None,
) -> None:
    """Backtest a rule: what it would have sent over the last years, and how often it would have been false.

    Counted on forecasts that their models had not seen: official ones, and those of `quakecast backfill --mode walk-forward`. Nothing is
    sent, stored or switched on. If you try many bounds and keep the best, expect it to do worse than shown here.
    """
    from forecaster.pipeline.alerting.rule_backtest import backtest_rules, chosen_rules

    inline = _inline(name, bounds)
    job = look(settings, recipes)
    documents = backtest_rules(job, chosen_rules(job.recipes, name, inline), years, model)
    print_result(as_json, {"rules": documents}, "\n\n".join(row["text"] for row in documents))


@alerts.command("check", epilog=example("quakecast alerts check"))
@recipe_options
@json_option
@click.pass_obj
def alerts_check(settings: "Settings", recipes: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Check every active rule: its share of false alarms, and what would keep it from raising an alert."""
    from forecaster.pipeline.alerting.rule_backtest import check_rules

    documents = check_rules(look(settings, recipes))
    print_result(
        as_json, {"rules": documents}, "\n".join(row["text"] for row in documents) or "no recipe has an alert rule (docs/ALERTS.md)"
    )


@alerts.command("list", epilog=example("quakecast alerts list --limit 5"))
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many.")
@json_option
@click.pass_obj
def alerts_list(settings: "Settings", limit: int, as_json: bool) -> None:
    """List the raised alerts, newest first."""
    from forecaster.pipeline.alerting.rule_backtest import list_alerts

    rows = list_alerts(look(settings), limit)
    lines = [f"{row['raised_at']:%Y-%m-%d %H:%M}Z  {row['state']:9}  {row['rule']:20}  {row['message']}" for row in rows]
    print_result(as_json, {"alerts": rows}, "\n".join(lines) or "no alert has been raised")


@alerts.command("run", epilog=example("quakecast alerts run"))
@recipe_options
@json_option
@click.pass_obj
def alerts_run(settings: "Settings", recipes: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Apply every rule now and put the messages into the outbox, as the daily job does; `quakecast notify` sends them."""
    from forecaster.pipeline.alerting.raise_alerts import raise_alerts
    from forecaster.pipeline.run_context import publish_copy

    job = open_job(settings, recipes)
    result = raise_alerts(job)
    publish_copy(job)
    counts = ", ".join(f"{len(getattr(result, name))} {name}" for name in ("raised", "held", "cleared", "withdrawn", "corrected"))
    operations = f"system alerts: {len(result.operations_raised)} raised, {len(result.operations_resolved)} resolved"
    not_raised = [f"{rule} was not raised: {reason}" for rule, reason in result.suppressed.items()]
    print_result(
        as_json, result.document(), "\n".join([f"{counts}; {operations}; {len(result.messages)} messages in the outbox", *not_raised])
    )


def _inline(name: str | None, bounds: dict[str, float | None]) -> "AlertRule | None":
    """Return the rule that the options make; None where there are no such options."""
    given = {key: value for key, value in bounds.items() if value is not None}
    if not given:
        return None
    if name is not None:
        raise BadInput("--rule names a rule of the recipe, --probability and --ratio make a new one: give one or the other")
    if missing := {"probability", "ratio"} - set(given):
        raise BadInput(f"--{sorted(missing)[0]} is missing: a rule has a bound of the probability and one of its ratio to the usual rate")
    from pydantic import ValidationError

    from forecaster.registry.recipe_fields import AlertRule

    try:
        return AlertRule.model_validate({"name": "tried", **given})
    except ValidationError as error:
        problems = [
            f"--{'-'.join(map(str, item['loc'])).replace('_', '-')} {item['input']!r}: {item['msg']}" if item["loc"] else item["msg"]
            for item in error.errors()
        ]
        raise BadInput("\n".join(problem.replace("Value error, ", "") for problem in problems)) from None


COMMANDS = (alerts,)
