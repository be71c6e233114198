"""Pages and mails as text: self-contained, escaped, complete in both languages, honest about their mode, whatever is missing."""

import re
import tomllib
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from forecaster.reports import render
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.outgoing import mails
from forecaster.reports.texts import read_texts
from forecaster.reports.web.page import Shared
from tests.support.html_text import bare, parse, shown
from tests.support.sample_report import many_recipes, sample_report, some_places

LANGUAGES = ("en", "ja")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {language: render.render_report(sample_report(), language) for language in LANGUAGES}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_is_one_file_that_loads_nothing(pages: dict[str, str], language: str) -> None:
    page = parse(pages[language])
    assert (page.faults, page.open, page.loaded) == ([], [], [])
    assert re.findall(r"<script[^>]*\bsrc", pages[language]) == []
    assert "@import" not in bare(pages[language]) and re.findall(r"url\((?!#)", bare(pages[language])) == []


def test_the_page_says_what_science_md_asks_for(pages: dict[str, str]) -> None:
    text = shown(pages["en"])
    assert "Niigata, after the M 7.5 of 1 Jan: 66 %, 4.6 times the usual 14 %" in text
    assert "from 3 Jan 2024, 00:00 to 4 Jan 2024, 00:00 (Japan Time, UTC+09:00)" in text
    assert "Nobody can predict the exact time and place of an earthquake" in text
    assert "no official warning" in text and "JMA" in text and "USGS" in text
    assert "9f2b6c1d" * 8 in text and "24 minutes" in text and "2 × latitude outside -90..90" in text


def test_no_word_promises_safety_and_no_traffic_lights(pages: dict[str, str]) -> None:
    everything = "".join(map(bare, pages.values())) + "".join(
        "".join(mails.render_email(sample_report(), language)) for language in LANGUAGES
    )
    assert re.findall(r"\bsafe|安全|安心", everything, flags=re.I) == []
    assert re.findall(r"(?<!-)\b(red|green|orange|yellow)\b", everything) == []


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("mode", ["replay", "hindcast", "late"])
def test_what_is_no_forecast_says_so_at_the_top_in_the_title_and_in_the_mail(language: str, mode: str) -> None:
    data = some_places(mode=mode)  # type: ignore[arg-type]
    badge, banner = render.translator(language)(f"mode.{mode}"), render.translator(language)(f"mode.{mode}_banner")
    page, (subject, text, html) = render.render_report(data, language), mails.render_email(data, language)
    assert f"<title>[{badge}]" in page and page.index(banner) < page.index("<h1>")
    assert subject.startswith(f"[{badge}]") and banner in text and banner in html
    if mode == "replay" and language == "en":
        assert banner == "Replay with a simulated clock"


def test_a_prospective_page_has_no_banner() -> None:
    page = render.render_report(some_places(mode="prospective"), "en")
    assert 'class="banner"' not in page and "Prospective" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_names_with_markup_are_shown_not_obeyed(language: str) -> None:
    data = sample_report()
    evil = "<img src=x onerror=alert(1)>\u202eabc"
    rows = tuple(
        replace(row, display_name={"en": evil, "ja": evil}, degraded_reason="<script>", comparison_only=None) for row in data.recipes[:3]
    )
    data = replace(
        data, recipes=rows, degraded=("<b>",), quarantined={"<i>": 1}, events=tuple(replace(event, place=evil) for event in data.events[:2])
    )
    _, _, html = mails.render_email(data, language)
    for page in (render.render_report(data, language), html):
        assert "<img src=x" not in page and "<script>" not in bare(page) and "<i>" not in bare(page) and "\u202e" not in bare(page)
        assert "&lt;img src=x" in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_known_still_makes_a_page_and_a_mail(language: str) -> None:
    moment = datetime(2024, 1, 2, 15, tzinfo=UTC)
    empty = RecipeForecast("x", {}, 0.0, 0.0, 100.0, 4.5, "Not/AZone", moment, moment.replace(day=3), None, None, "late")
    for recipes in ((), (empty,), (replace(empty, probability=float("nan"), reference_probability=0.0),)):
        data = ReportData("r", moment, recipes=recipes)
        page, (subject, text, html) = render.render_report(data, language), mails.render_email(data, language)
        for made in (page, subject, text, html):
            assert not re.search(r"\bnan\b|\binf\b|\bNone\b", shown(made))
        assert parse(page).faults == []


@pytest.mark.slow
def test_two_hundred_recipes_make_a_page_and_a_mail_that_stays_small() -> None:
    data = many_recipes(200)
    assert render.render_report(data, "en").count('id="recipe-') == 200
    _, _, html = mails.render_email(data, "ja")
    leading = len(render.translated(data, "ja")["leading_rows"])
    assert leading > 20 and len(html.encode()) < 100_000 and f"ほかの{200 - leading}か所は平常並み" in shown(html)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_mail_is_small_inlined_and_complete_in_text(language: str) -> None:
    """Limits of issue 5: HTML under 100 kB for 29 recipes, pictures by CID."""
    data = sample_report()
    subject, text, html = mails.render_email(data, language, report_url="https://example.org/r.html")
    assert len(html.encode()) < 100_000
    assert 'style="' in html and "cid:world-map" in html and "prefers-color-scheme" in html
    assert "\n" not in subject and "4.6" in subject
    told = re.sub(r"\n\s*", "" if language == "ja" else " ", text)  # a line may end within a name
    for row in data.recipes:
        assert (row.display_name[language] in told) == (
            row.comparison_only is None
            or row.display_name[language] in {r.display_name[language] for r in data.recipes if not r.comparison_only}
        )
    assert "https://example.org/r.html" in text and "example.org" in html
    assert parse(html).loaded == []


def test_the_pictures_of_the_mail_are_png_under_the_limit() -> None:
    pictures = mails.email_pictures(sample_report(), "ja")
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert sum(map(len, pictures.values())) * 4 / 3 < 900_000  # base64, beside 100 kB of HTML under 1 MB


WORLD_FILES = ("world.js", "world.parquet", "world.geojson")  # names of files, no texts


def test_every_text_is_used_and_every_used_text_exists() -> None:
    """Keys named in templates and code, against those of en.toml; families (mode.*, level.*, ...) are put together at run time."""
    folder, package = render.template_folder(), Path(render.__file__).parent
    sources = "".join(file.read_text(encoding="utf-8") for file in [*folder.rglob("*.j2"), *package.parent.rglob("*.py")])
    families = (
        "message.",
        "mode.",
        "glossary.",
        "age.",
        "reason.",
        "level.",
        "map.range_",
        "status.",
        "verdict.",
        "model.",
        "short.",
        "step.",
        "page.language_name",
    )
    families += tuple(re.findall(r"""f["']([a-z]+\.[a-z_]+)\{""", sources)) + tuple(re.findall(r"'([a-z]+\.[a-z_]+)' ~", sources))
    unused = [key for key in read_texts("en") if not key.startswith(families) and f'"{key}"' not in sources and f"'{key}'" not in sources]
    assert unused == []
    tables = set(tomllib.loads((folder / "i18n" / "en.toml").read_text(encoding="utf-8")))
    used = {key for key in re.findall(r"""["']([a-z]+\.[a-z_0-9]+)["']""", sources) if key.split(".")[0] in tables}
    assert {key for key in used if not key.endswith("_")} - set(read_texts("en")) - {
        "report.css",
        "index.html",
        "model.json",
        "world.json",
        *WORLD_FILES,
    } == set()


def test_pages_of_the_same_facts_are_the_same() -> None:
    one, other = (render.render_report(data, "en") for data in (some_places(), deepcopy(some_places())))
    assert one == other


def test_what_languages_share_changes_no_page() -> None:
    data = replace(sample_report(), recipes=sample_report().recipes[:3])
    shared = Shared()
    for language in ("en", "ja", "en"):
        assert render.render_report(data, language, shared=shared) == render.render_report(data, language)


def test_comparison_recipes_are_folded_away_after_the_table(pages: dict[str, str]) -> None:
    page = pages["en"]
    assert page.index('id="recipe-niigata-m45"') < page.index("<details>") < page.index('id="recipe-tokyo"')
    assert "<details open" not in page


def test_the_other_language_is_linked() -> None:
    assert '<a href="2024.ja.html" hreflang="ja" lang="ja">日本語</a>' in render.render_report(some_places(), "en", {"ja": "2024.ja.html"})


@pytest.mark.parametrize("drawable", [True, False])
def test_the_mails_map_speaks_its_language_where_its_letters_can_be_drawn(monkeypatch: pytest.MonkeyPatch, drawable: bool) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(mails.charts, "can_draw", lambda text: drawable)
    monkeypatch.setattr(mails.charts, "svg_to_png", lambda svg, scale: drawn.append(svg) or b"")
    mails.email_pictures(sample_report(), "ja")
    assert (">日本<" if drawable else ">Japan<") in drawn[0]
