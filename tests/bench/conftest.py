"""Prefect's server in a bench sends nothing about itself, as in a run. This must be said before Prefect is imported."""

import os

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
