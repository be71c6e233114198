"""Rows of the tables as typed dicts: alerts, messages, reports and models. Those of forecasts and outcomes are in `store.row_types`."""
