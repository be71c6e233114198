"""Reports for the tests of messages: one whose headline is known, and one with names that try to be more than names.

Those hold markup of every channel, directions reversed, calls to everybody, and have no end.
"""

from dataclasses import replace

from forecaster.reports.content.contract import ReportData
from tests.support.sample_report import sample_report

EVIL = (
    "<!channel> & <https://evil.example.org|click>",
    "*bold* _it_ ~no~ `code` :fire:",
    "@everyone @here <@U123>",
    "<img src=x onerror=alert(1)>\u202eabc",
    "القدس",
    "line\r\nBcc: x@example.org\n\n# heading",
    "{{ 7 * 7 }} {% raw %}",
    "x" * 500,
    "",
)


def niigata_report() -> ReportData:
    """The sample with Niigata at 21 %, 4.6 times the usual 4.6 % (0.21 / 0.046 = 4.57): nothing is further above its usual rate."""
    data = sample_report()
    rows = tuple(
        replace(row, probability=0.21, reference_probability=0.046) if row.recipe_id == "niigata-m45" else row for row in data.recipes
    )
    return replace(data, recipes=rows)


def evil_report() -> ReportData:
    """A report whose places have these names, first those with the highest ratio."""
    data = sample_report("prospective")
    main = [row for row in data.recipes if not row.comparison_only]
    rows = tuple(
        replace(row, display_name={"en": name, "ja": name}, degraded_reason=name or None, not_scoreable_reason=name or None)
        for row, name in zip(main, EVIL * 9, strict=False)
    )
    return replace(data, recipes=rows, degraded=EVIL, events=tuple(replace(event, place=EVIL[0]) for event in data.events[:3]))
