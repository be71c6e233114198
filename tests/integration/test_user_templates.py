"""Templates of one's own: they go first, and where they are broken the built-in one is used and file and line are told."""

import logging
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecaster.pipeline.messaging.operator import report_to_operator
from forecaster.reports import sandbox
from forecaster.reports.outgoing.letters import MessageLetter, ReportLetter
from forecaster.reports.outgoing.message import Message
from forecaster.reports.render import environment, render_index, render_report
from forecaster.reports.sandbox import Sandbox
from forecaster.settings import load_settings
from tests.support.sample_report import sample_report
from tests.support.smtp_server import SmtpServer

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
MESSAGE = Message("m", "alert", "Niigata: 21 %", ("line",), NOW)


def letter(folder: Path) -> MessageLetter:
    return MessageLetter(MESSAGE, "en", folder)


def test_a_user_s_template_goes_first_with_the_same_words_and_escaping(tmp_path: Path) -> None:
    (tmp_path / "message.html.j2").write_text('{% extends "_mail.html.j2" %}{% block sheet %}<b>{{ title }} {{ "<i>" }}</b>{% endblock %}')
    (tmp_path / "message.subject.j2").write_text("{{ t('message.kind_' ~ kind) }}!")
    mine = letter(tmp_path)
    said = mine.mail()
    assert said.subject == "Alert by a rule!" and "<b>Niigata: 21 % &lt;i&gt;</b>" in said.html
    assert said.text == letter(Path("nowhere")).mail().text and mine.problems == []


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("a\nb {{ title", 2, "TemplateSyntaxError"),
        ("a\n\n{{ titel }}", 3, "'titel' is undefined"),
        ("{{ title.x.y }}", 1, "UndefinedError"),
        ("a\n{{ 1 / 0 }}", 2, "division by zero"),
        ('a\n{% include "nothing.j2" %}', 2, "nothing.j2"),
        ("a\n{{ t('no.such.text') }}", 2, "no.such.text"),
        ("\n{% for x in range(3) %}{{ x }}{% endfr %}", 2, "endfr"),
    ],
)
def test_a_broken_one_is_told_with_file_and_line_and_the_built_in_one_is_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str, line: int, said: str
) -> None:
    file = tmp_path / "message.txt.j2"
    file.write_text(text)
    broken = letter(tmp_path)
    assert broken.mail().text == letter(Path("nowhere")).mail().text
    (problem,) = broken.problems
    assert problem.startswith(f"template {file}, line {line}: ") and said in problem and "\n" not in problem
    assert problem.endswith("the built-in message.txt.j2 is used, mend or remove yours") and problem in caplog.text


def test_a_broken_part_that_a_built_in_template_takes_in_is_told_too(tmp_path: Path) -> None:
    (tmp_path / "_mail.html.j2").write_text("<html>\n{{ nothing }}\n{% block sheet %}{% endblock %}")
    broken = letter(tmp_path)
    assert broken.mail().html == letter(Path("nowhere")).mail().html
    assert f"template {tmp_path / '_mail.html.j2'}, line 2: 'nothing' is undefined" in broken.problems[0]


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "message.txt.j2").write_bytes(b"\xff\xfe\x00")
    broken = letter(tmp_path)
    assert "line" in broken.mail().text and f"template {tmp_path / 'message.txt.j2'}: " in broken.problems[0]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("slack.json.j2", '{"text": "a",}', "JSONDecodeError"),
        (
            "slack.json.j2",
            '{"text": "a", "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]}',
            "Slack takes 1 to 3000",
        ),
        ("webhook.json.j2", "[1]", "a JSON object"),
        ("webhook.json.j2", "{{ document }}", "JSONDecodeError"),
    ],
)
def test_what_the_channel_would_not_take_gives_way_to_the_built_in_one(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    mine, built_in = (ReportLetter(sample_report(), "en", None, folder) for folder in (tmp_path, None))
    assert (mine.slack(False), mine.document()) == (built_in.slack(False), built_in.document())
    assert said in mine.problems[0] and str(tmp_path / name) in mine.problems[0]


def test_a_webhook_may_have_any_shape_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "webhook.json.j2").write_text('{"summary": {{ document.title | tojson }}, "n": 1}')
    assert letter(tmp_path).document() == {"summary": "Niigata: 21 %", "n": 1}


def test_every_template_of_a_report_mail_may_be_replaced(tmp_path: Path) -> None:
    for part in ("subject", "txt", "html"):
        (tmp_path / f"email.{part}.j2").write_text(f"mine {part} {{{{ rows | length }}}}")
    said = ReportLetter(sample_report(), "en", None, tmp_path).mail()
    assert (said.subject, said.text) == ("mine subject 21", "mine txt 21\n") and "mine html 21" in said.html


def test_a_language_that_nobody_has_written_is_told_and_english_is_used() -> None:
    mine = MessageLetter(MESSAGE, "xx")
    assert mine.mail().text == MessageLetter(MESSAGE, "en").mail().text
    assert mine.problems[0].startswith("no reports in language 'xx'") and mine.problems[0].endswith("; messages use en")


def test_a_user_may_write_a_language_and_what_it_lacks_is_said_in_english(tmp_path: Path) -> None:
    (tmp_path / "i18n").mkdir()
    (tmp_path / "i18n" / "xx.toml").write_text('[message]\nkind_alert = "ALERTO"\n')
    said = MessageLetter(MESSAGE, "xx", tmp_path).mail()
    assert "ALERTO · for information" in said.text and "Nobody can predict" in said.text


def test_the_operator_is_told_even_where_templates_and_texts_are_broken(tmp_path: Path, caplog) -> None:
    (tmp_path / "message.txt.j2").write_text("{{")
    (tmp_path / "i18n").mkdir()
    (tmp_path / "i18n" / "en.toml").write_text("not toml")
    with SmtpServer() as smtp, caplog.at_level(logging.WARNING):
        mail = {"smtp_host": "127.0.0.1", "smtp_port": smtp.port, "smtp_security": "none", "mail_to": "a@example.org"}
        assert report_to_operator(load_settings(**mail, templates=tmp_path), "run failed", "why", "k", NOW) == []
    assert len(smtp.messages) == 1 and f"messages use en, and no template of {tmp_path}" in caplog.text


PASSWORD = "hunter2-of-these-tests"
ATTACKS = (
    "{{ cycler.__init__.__globals__.os.environ['QUAKECAST_SMTP_PASSWORD'] }}",
    "{{ cycler.__init__.__globals__.os.popen('echo $QUAKECAST_SMTP_PASSWORD').read() }}",
    "{{ t.__globals__ }}{{ t.__closure__ }}{{ wrapped.__code__ }}",
    "{{ t | attr('__globals__') }}",
    "{{ (t | attr('__' ~ 'globals__'))['os'] }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment.loader }}",
    "{{ '{0.__globals__}'.format(t) }}",
    "{{ '{0.__init__.__globals__}' | format(t) }}",
    "{{ ([t] | map(attribute='__globals__') | first).x }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lines.append('x') }}",
    "{{ {}.__class__.__base__.__subclasses__() }}",
    "{% import 'os' as os %}{{ os.environ }}",
    "{% include '/etc/passwd' %}",
    "{% include '../../etc/passwd' %}",
)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_template_that_reaches_for_more_than_it_was_given_is_refused(tmp_path: Path, monkeypatch, attack: str) -> None:
    """Neither a secret of the environment nor anything of Python's insides stands in the mail; file and line are told."""
    monkeypatch.setenv("QUAKECAST_SMTP_PASSWORD", PASSWORD)
    (tmp_path / "message.txt.j2").write_text(f"a\n{attack}")
    mine = letter(tmp_path)
    said = mine.mail().text
    assert PASSWORD not in said and "<function" not in said and "root:" not in said
    assert said == letter(Path("nowhere")).mail().text and mine.problems[0].startswith(f"template {tmp_path / 'message.txt.j2'}, line 2: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% for i in range(10 ** 9) %}x{% endfor %}", "more than 1,000,000 steps"),
        ("{% for i in range(9999) %}{% for j in range(9999) %}{% endfor %}{% endfor %}", "more than 1,000,000 steps"),
        ("{% for a in 'x' * 9000 %}{{ 'y' * 9000 }}{% endfor %}", "more than 5,000,000 letters"),
        ("{{ 'x' * 10 ** 9 }}", "more than 1,000,000 letters or items"),
        ("{{ 10 ** 10 ** 10 }}", "too large"),
        ("{{ '%1000000000d' % 1 }}", "formats no text"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "RecursionError"),
    ],
)
def test_a_template_without_an_end_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "message.txt.j2").write_text(text)
    mine = letter(tmp_path)
    assert mine.mail().text == letter(Path("nowhere")).mail().text and said in mine.problems[0]


def test_a_template_that_takes_too_long_is_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(sandbox, "MAX_SECONDS", 0.2)
    letters = "abcdefghij" * 10
    loops = "".join(f"{{% for c{i} in '{letters}' %}}" for i in range(6)) + "{{ c0.x }}" + "{% endfor %}" * 6
    (tmp_path / "message.txt.j2").write_text(loops.replace("{{ c0.x }}", "{% if c0.isdigit() %}{% endif %}"))
    mine = letter(tmp_path)
    assert mine.mail().text == letter(Path("nowhere")).mail().text and "takes longer than" in mine.problems[0]


def test_what_a_template_does_to_what_it_was_given_does_not_show_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "email.txt.j2").write_text("{{ rows.clear() }}{{ rows.pop() }}")
    mine, built_in = (ReportLetter(sample_report(), "en", None, folder).mail() for folder in (tmp_path, None))
    assert mine.text == built_in.text and mine.html == built_in.html


@pytest.mark.slow
def test_built_in_templates_are_the_same_in_the_sandbox(tmp_path: Path) -> None:
    """A folder of one's own with nothing in it: every text is filled in the sandbox then."""
    data, mine, built_in = sample_report(), [], []
    for folder, told in ((tmp_path, mine), (None, built_in)):
        report = ReportLetter(data, "en", "https://example.org", folder)
        said = report.mail()
        told += [said.subject, said.text, said.html, report.slack(True), report.chat(True), report.document()]
        told += [render_report(data, "ja", {}, folder), render_index([], "en", folder)]
    assert mine == built_in
    inside = Sandbox.like(environment("en"), environment("en").loader)
    assert inside.fill("webhook.json.j2", {"document": {"a": 1}}) == '{"a": 1}'


@pytest.mark.parametrize("text", ["{title.__class__}", "{title[0]}", "{title:9999999999}", "{title!r:>1000000000}"])
def test_a_text_of_one_s_own_fills_in_names_and_nothing_else(tmp_path: Path, text: str) -> None:
    (tmp_path / "i18n").mkdir()
    (tmp_path / "i18n" / "en.toml").write_text(f"[message]\nsubject_alert = '{text}'\n")
    mine = letter(tmp_path)
    assert mine.mail().subject == letter(Path("nowhere")).mail().subject and "message.subject_alert" in mine.problems[0]
