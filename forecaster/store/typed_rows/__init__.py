"""Rows of the tables as typed dicts: what people are told, and models. Those of forecasts and outcomes are in `store.row_types`."""
