"""Reports and short messages as mails: subject, text and HTML with inlined styles, from the templates; pictures by CID."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from forecaster.installed import code_version
from forecaster.reports import templates
from forecaster.reports.content.context import map_targets
from forecaster.reports.content.contract import ReportData
from forecaster.reports.content.headline import NAMED_AS_USUAL, usual_line
from forecaster.reports.drawing import charts
from forecaster.reports.outgoing.message import Message
from forecaster.reports.plain_text import for_messages, one_line, single_spaced, wrapped
from forecaster.reports.render import coastlines, environment, translated
from forecaster.reports.texts import FALLBACK, day_writer, translator

MAIL_ROWS = 40
MAX_HTML_BYTES = 100_000  # mail programs cut off longer HTML
MAX_TITLE = 140
MAX_LINE = 2000
PICTURES = ("world-map", "japan-map")


def render_email(
    data: ReportData,
    language: str,
    report_url: str | None = None,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    pictures: Collection[str] = PICTURES,
) -> tuple[str, str, str]:
    """Return (subject, text, HTML) of the day's report. The HTML shows `pictures` by their CID.

    At most MAIL_ROWS of the rows that stand out are listed, fewer where the HTML would be too long; the number of the others is given.
    Places near or below their usual rate share one line, which names them all, or the likeliest where there are more than MAIL_ROWS.
    """
    context = translated(for_messages(data), language, user_templates) | {
        "report_url": report_url,
        "pictures": pictures,
        "wrapped": wrapped,
    }
    named = MAIL_ROWS if len(context["usual_rows"]) <= MAIL_ROWS else NAMED_AS_USUAL
    context["usual_line"] = usual_line(context["usual_rows"], bool(context["leading_rows"]), named)
    count = MAIL_ROWS
    while True:
        listed = {"listed": context["leading_rows"][:count], "unlisted": len(context["leading_rows"][count:])}
        subject, text, page = _parts("email", context | listed, language, user_templates, problems)
        if len(page.encode()) < MAX_HTML_BYTES or count == 0:
            return subject, text, page
        count //= 2


def email_pictures(data: ReportData, language: str) -> dict[str, bytes]:
    """Return CID -> PNG: the world map, and the inset where a place lies in Japan; circles are numbered as the rows of the mail's table."""
    context, label = translated(data, language), translator(language)("map.japan")
    if not charts.can_draw(label):  # no font of this machine has its characters
        label = translator(FALLBACK)("map.japan")
    targets, coasts = map_targets(context["rows"], numbered=True, labelled=MAIL_ROWS), coastlines()
    world = charts.world_map(targets, data.events, coasts, "", label, font_size=17.0)
    pictures = {"world-map": charts.svg_to_png(world, scale=1.25)}
    if any(map(charts.in_japan, targets)):
        pictures["japan-map"] = charts.svg_to_png(charts.japan_map(targets, data.events, coasts, "", font_size=16.0), scale=1.5)
    return pictures


def render_message(
    message: Message,
    language: str,
    user_templates: Path | None = None,
    problems: list[str] | None = None,
    answered: Message | None = None,
) -> tuple[str, str, str]:
    """Return (subject, text, HTML) of a short message.

    Errors in the user's templates are appended to `problems`, and the built-in templates are used. `answered`: the message that this one
    follows up on.
    """
    return _parts("message", message_context(message, language, answered, user_templates), language, user_templates, problems)


def message_context(message: Message, language: str, answered: Message | None = None, user_templates: Path | None = None) -> dict[str, Any]:
    """Return the context that the templates of a short message receive."""
    writer = day_writer(language, user_templates)
    return {
        "language": language,
        "kind": message.kind,
        "severity": message.severity,
        "title": one_line(message.title, MAX_TITLE),
        "lines": [_paragraph(line) for line in message.lines],
        "link": message.link,
        "created": writer.moment(message.created_at),
        "answered": f"{one_line(answered.title, MAX_TITLE)} ({writer.moment(answered.created_at)})" if answered else None,
        "subject_id": message.subject_id,
        "version": code_version(),
        "wrapped": wrapped,
    }


def _paragraph(text: str) -> str:
    """Return a paragraph with each line cleaned by `one_line`; line breaks are kept, and nothing else in the text is interpreted."""
    return "\n".join(one_line(line, MAX_LINE) for line in text.splitlines())


def _parts(
    stem: str, context: Mapping[str, Any], language: str, user_templates: Path | None, problems: list[str] | None
) -> tuple[str, str, str]:
    builtin = environment(language, user_templates)
    subject, text, page = (
        templates.fill(builtin, f"{stem}.{part}.j2", context, user_templates, problems) for part in ("subject", "txt", "html")
    )
    return single_spaced(subject), text.strip() + "\n", _inline_styles(page)


def _inline_styles(page: str) -> str:
    """Return the page with its styles as attributes, as mail programs require.

    A style sheet that is marked to be kept (dark mode) stays a style sheet.
    """
    import css_inline

    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True).inline(page)
