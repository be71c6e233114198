"""The steps of a daily run, in order.

1. `issue_schedule` finds the forecasts that are due.
2. `pull` updates the catalogue. `pull_checks`, `clock_check` and, weekly, `reconcile` check whether it is plausible.
3. `predict` makes the forecasts: `pipeline.issuing` computes them, `publishing_rule` combines them, `issue_rows` stores the results.
4. `verify` scores earlier forecasts. `forecast_record` summarizes the scores.
5. `build_report` gathers the content of a report; `nearby` supplies its earthquakes. `publish_report` writes the pages.
6. `export_map_files` writes the files of the map.

Alerts follow in `pipeline.alerting`, mails and messages in `pipeline.messaging`.
"""
