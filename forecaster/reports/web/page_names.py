"""The names of a report's pages in reports/: the day's page, and the pages of its groups where the recipes do not fit into one page.

2024-01-02T1200Z.en.html    2024-01-02T1200Z.group-japan.en.html    2024-01-02T1200Z.group-japan_2.en.html
"""

import re

_REPORT_PAGE = re.compile(r"(?P<report>\d{4}-\d{2}-\d{2}T\d{4}Z(?:-replay)?)(?:\.group-[a-z0-9_-]+)?\.[A-Za-z0-9-]+\.html")
_GROUP_PAGE = re.compile(r"[^/]+\.group-[a-z0-9_-]+\.[A-Za-z0-9-]+\.html")


def day_page(report: str, language: str) -> str:
    """Return the name of the page of the day."""
    return f"{report}.{language}.html"


def group_page(report: str, address: str, language: str) -> str:
    """Return the name of the page of the group with this address."""
    return f"{report}.group-{address}.{language}.html"


def is_group_page(name: str) -> bool:
    """Return whether the name is that of a group's page."""
    return _GROUP_PAGE.fullmatch(name) is not None


def report_of(name: str) -> str | None:
    """Return the report that a page of this name belongs to, such as 2024-01-02T1200Z; None where no report's page has such a name."""
    found = _REPORT_PAGE.fullmatch(name)
    return found["report"] if found else None
