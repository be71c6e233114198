"""The steps of a day, in the order of a run.

1. `issue_schedule`: which forecasts are due now.
2. `pull` brings the catalogue up to date (`pull_checks`, `clock_check` and, weekly, `reconcile` look whether it can be right).
3. `predict` computes the models' forecasts: `members` are the models of a recipe, `publishing` combines them, `issue_rows` stores them.
4. `verify` scores what was forecast before; `records` sums it up.
5. `build_report` gathers what a report says (`nearby` and `contributing_events` are its earthquakes), `publish_report` writes the pages.
6. `export_map_files` writes the files of the map.

Alerts follow in `pipeline.alerting`, mails and messages in `pipeline.messaging`.
"""
