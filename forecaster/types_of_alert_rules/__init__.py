"""The types of alert rules. There is one module per type, with:

- `reaches(rule, figures) -> bool`: whether a forecast is at or above the bounds at which an alert is raised
- `above_clearing(rule, figures) -> bool`: whether a forecast is not below the bounds of the end of an alert; true wherever `reaches` is
- `description(rule) -> str`: the bounds at which an alert is raised, in a few words
- `REACHED`: why an alert was raised, in words
"""
