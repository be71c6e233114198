"""Compute the forecasts of a recipe and a day, here or on workers, without storing them.

`blends` reads what is published, `members` loads the recipe's models, `compute_issues` asks them and combines their forecasts by
`publishing_rule`, `published_rows` makes the rows, `contributing_events` explains a forecast. The daily run, backfills, alerts and the map
of the world ask these.
"""
