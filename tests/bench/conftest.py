"""Prefect has the defaults of a run in a bench, too: its server sends nothing about itself. They are set before Prefect is imported."""

from flows.commands import prefect_defaults

prefect_defaults(quiet=False)
