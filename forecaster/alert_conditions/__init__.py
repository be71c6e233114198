"""The conditions of the types of alert rules. There is one module per type, with:

- `reaches(rule, said) -> bool`: whether a forecast is at or above the bounds at which an alert is raised
- `keeps(rule, said) -> bool`: whether a forecast is at or above the bounds below which an alert ends; true wherever `reaches` is
- `told(rule) -> str`: the bounds at which an alert is raised, in a few words
- `REACHED`: why an alert was raised, in words
"""
