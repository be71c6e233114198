"""The rules that come with the recipes, out of the box: nothing trained, nothing set but a channel."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.pipeline.alerting import rule_figures
from forecaster.pipeline.alerting.raise_alerts import raise_alerts
from forecaster.pipeline.as_of.bundled_catalogue import load_snapshot
from forecaster.pipeline.messaging import deliver
from forecaster.pipeline.run_context import Job
from forecaster.publishing_rule.combination import KIND
from forecaster.settings import load_settings
from tests.support import alert_world as world
from tests.support.changed_recipes import changed_recipe
from tests.support.channels import channels_to
from tests.support.smtp_server import SmtpServer
from tests.support.steps import machine, predict
from tests.support.toys import cover, quake, table, write
from tests.support.webhook_server import SECRET, WebhookServer

NOTO = datetime(2024, 1, 1, 14, 30, tzinfo=UTC)  # 23:30 in Japan, seven hours after the earthquake of M 7.5
DAY = date(2024, 1, 10)


def channels(home, smtp, hook):
    """Settings of a home in which only the channels are set."""
    return load_settings(home=home, **channels_to(smtp, hook))


@pytest.mark.slow
def test_after_the_noto_earthquake_an_untrained_installation_tells_by_mail_and_webhook(store, settings, recipes):
    """The bundled catalogue as it was known seven hours after it, the recipe as it is bundled, the models that come along."""
    niigata, now = recipes["niigata-m45"], datetime.now(UTC)
    load_snapshot(store, NOTO)
    clock = machine(NOTO)
    predict(store, [niigata], settings, clock)
    assert table(store, "model").empty, "nothing was trained"
    with SmtpServer() as smtp, WebhookServer(SECRET) as hook:
        job = Job(channels(settings.home, smtp, hook), store, [niigata], clock, "run")
        (alert_id,) = raise_alerts(job).raised
        assert not deliver.notify(job, report=False, sent_at=now).failed
    (mail,), (document,) = smtp.messages, hook.received
    facts = document["facts"]
    assert (facts["rule"], facts["recipe_id"], facts["model"], facts["alert_id"]) == ("raised", "niigata-m45", KIND, alert_id)
    (rule,) = niigata.alerts
    assert facts["probability"] >= rule.probability and facts["ratio"] >= rule.ratio and facts["gain_source"] == "pooled"
    told = " ".join(document["lines"])
    assert "Behind it: combined forecast" in told and "hundreds of places around the world" in told
    assert "in the evaluation that comes with quakecast" in told and facts["expected"]["counted_on"] == "measured"
    assert "Niigata" in str(mail["Subject"])


def test_no_channel_no_message_and_the_alert_is_kept(store, settings, recipes):
    athens = recipes["athens"]
    say(store, athens, above(athens))
    job = world.job(store, settings, athens, world.issued(athens, DAY))
    assert len(raise_alerts(job).raised) == 1
    deliver.notify(job, report=False)
    assert table(store, "delivery").empty and len(table(store, "alert")) == 1


@pytest.mark.parametrize("recipe_id", ["athens", "sendai-m45", "los-angeles"])
def test_a_shipped_rule_is_raised_at_its_bounds_and_not_below_them(store, settings, recipes, recipe_id):
    recipe = recipes[recipe_id]
    (rule,) = recipe.alerts
    run = lambda day: raise_alerts(world.job(store, settings, recipe, world.issued(recipe, day)))  # noqa: E731
    say(store, recipe, 0.99 * rule.probability)
    assert not run(DAY).raised
    world.say(store, recipe, DAY + timedelta(days=1), *above(recipe), model_kind=KIND)
    result = run(DAY + timedelta(days=1))
    assert len(result.raised) == 1 and not result.suppressed


def above(recipe) -> tuple[float, float]:
    """(chance, usual) just above both bounds of the recipe's rule."""
    (rule,) = recipe.alerts
    return min(1.01 * rule.probability, 0.999), rule.probability / rule.ratio


def say(store, recipe, said) -> None:
    probability, usual = said if isinstance(said, tuple) else (said, above(recipe)[1])
    world.say(store, recipe, DAY, probability, usual, model_kind=KIND)


@pytest.fixture
def fresh(store, settings):
    """run(*arguments) on a catalogue that was read to 2024-01-12, without any forecast."""
    now = datetime(2024, 1, 12, 12, tzinfo=UTC)
    write(store, quake("us1", datetime(2015, 3, 5, tzinfo=UTC)))
    cover(store, now, start=datetime(2000, 1, 1, tzinfo=UTC))

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(cli.main, ["alerts", *arguments], env={"QUAKECAST_HOME": str(settings.home)})
        assert result.exit_code == 0, result.output
        return result.output

    return run


def test_check_on_a_fresh_home_tells_the_measured_figures_of_every_rule(fresh, recipes):
    text = fresh("check")
    lines = [line for line in text.splitlines() if ", rule raised: " in line]
    assert len(lines) == 21 and all("2018-01-01 to 2024-12-3" in line for line in lines)
    assert all(line.endswith("days with such an earthquake (measured for docs/ALERTS.md)") for line in lines)
    assert text.count("! no channel is set up") == 21 and text.count("!") == 21, "and nothing else is wrong with them"
    (found,) = json.loads(fresh("check", "--recipe", "athens", "--json"))["rules"]
    shipped = rule_figures.measured(recipes["athens"], recipes["athens"].alerts[0])
    assert found["measured"] == shipped and found["excluded"] is found["barred"] is None
    (athens,) = (line for line in lines if line.startswith("athens,"))
    assert f"false on {shipped['false_alarm_days']} of {shipped['alert_days']} alert days" in athens


def test_test_on_a_fresh_home_names_days_that_the_catalogue_holds(fresh):
    """The catalogue ends on 2024-01-12, long before today: the hint stays within it."""
    text = fresh("test", "--recipe", "athens")
    assert "rule raised" in text and "Measured, as docs/ALERTS.md says: 2018-01-01 to 2024-12-3" in text
    assert "--from 2019-01-10 --to 2024-01-10`" in text
    tried = fresh("test", "--recipe", "athens", "--probability", "0.11", "--ratio", "2")
    assert "rule tried" in tried and "Its false alarms are not known." in tried and "Measured" not in tried


def test_with_forecasts_of_its_own_an_installation_tells_what_they_say(fresh, store, recipes):
    """40 alerts of a day each, in blocks of their own, 8 with the target: from now on no measured figure is told."""
    athens = recipes["athens"]
    on, usual = above(athens)
    line = [point for block in range(40) for point in [(on, block % 5 == 0), *[(usual, False)] * 29]]
    world.walked(store, athens, date(2020, 1, 1), line, usual, model_kind=KIND)
    text = fresh("check", "--recipe", "athens")
    assert "false on 32 of 40 alert days (80 %, 95 % range " in text and "(forecasts stored here)" in text and "measured" not in text
    assert "40 alerts in 1200 days" in fresh("test", "--recipe", "athens", "--years", "10")


def test_what_was_measured_is_told_of_that_rule_and_target_only(recipes):
    athens = recipes["athens"]
    (rule,) = athens.alerts
    louder = rule.model_copy(update={"severity": "warning", "channels": ("email",)})
    assert rule_figures.measured(athens, louder)["alerts"] == rule_figures.measured(athens, rule)["alerts"]
    for change in ({"probability": rule.probability / 2}, {"ratio": rule.ratio + 1}, {"cooldown_days": rule.cooldown_days + 1}):
        assert rule_figures.measured(athens, rule.model_copy(update=change)) is None
    moved = changed_recipe(athens, predict_radius_meters=200_000)
    assert rule_figures.measured(moved, rule) is None
