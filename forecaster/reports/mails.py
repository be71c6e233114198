"""Messages as mails: subject, text and HTML with its styles inlined, by the templates."""

from datetime import UTC
from pathlib import Path

from forecaster.reports import templates
from forecaster.reports.message import Message
from forecaster.reports.render import environment
from forecaster.settings import code_version


def render_message(
    message: Message, language: str, user_templates: Path | None = None, problems: list[str] | None = None
) -> tuple[str, str, str]:
    """(subject, text, HTML) of a short message. Broken templates of the user are added to `problems`, the built-in ones used."""
    context = {
        "language": language,
        "kind": message.kind,
        "severity": message.severity,
        "title": " ".join(message.title.split()),
        "lines": message.lines,
        "link": message.link,
        "created": f"{message.created_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        "subject_id": message.subject_id,
        "version": code_version(),
    }
    builtin = environment(language, user_templates)
    subject, text, page = (
        templates.fill(builtin, f"message.{part}.j2", context, user_templates, problems) for part in ("subject", "txt", "html")
    )
    return " ".join(subject.split()), text.strip() + "\n", inline_styles(page)


def inline_styles(page: str) -> str:
    """The page with its styles as attributes, as mail programs want it; what is marked to be kept (dark mode) stays a style sheet."""
    import css_inline

    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True).inline(page)
