"""Fixtures that more than one of these files uses."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from forecaster.pipeline.alerting.raise_alerts import AlertsResult, raise_alerts
from forecaster.recipe import Recipe
from forecaster.settings import Settings
from forecaster.store.database import Store
from tests.support import alert_world, pulls
from tests.support.smtp_server import SmtpServer
from tests.support.webhook_server import SECRET, WebhookServer


@pytest.fixture
def raise_at(store: Store, settings: Settings) -> Callable[..., AlertsResult]:
    """raise_at(recipe, moment): what comes of the alerts at that moment."""

    def at(recipe: Recipe, now: datetime, **more: bool) -> AlertsResult:
        return raise_alerts(alert_world.job(store, settings, recipe, now, **more))

    return at


@pytest.fixture
def servers() -> Iterator[tuple[SmtpServer, WebhookServer]]:
    """(smtp, hook): a mail server and a receiver of webhooks."""
    with SmtpServer() as smtp, WebhookServer(SECRET) as hook:
        yield smtp, hook


@pytest.fixture
def seeded(store: Store) -> Store:
    """A store as after loading a snapshot taken on 2024-01-01."""
    return pulls.seed(store)


@pytest.fixture(scope="module")
def now() -> datetime:
    """The machine's minute: the receiver of a webhook compares its timestamp with its own clock."""
    return datetime.now(UTC).replace(second=0, microsecond=0)
