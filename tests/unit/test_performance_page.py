"""How measurements get into docs/PERFORMANCE.json, its tables and its picture."""

import json
from xml.etree import ElementTree

import pytest

from tests.bench import page
from tests.bench.figures import Amount, Figure, Size


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "FILE", tmp_path / "PERFORMANCE.json")
    monkeypatch.setattr(page, "PAGE", tmp_path / "PERFORMANCE.md")
    monkeypatch.setattr(page, "PICTURE", tmp_path / "performance.svg")
    page.PAGE.write_text(f"before\n{page.MARK}\nold\n{page.MARK}\nafter\n")
    return tmp_path


def rows_of(docs) -> dict[str, list[str]]:
    lines = [line.strip("| ").split(" | ") for line in (docs / "PERFORMANCE.md").read_text().splitlines() if line.startswith("| ")]
    return {cells[0]: [cell.strip() for cell in cells[1:]] for cells in lines}


def test_figures_replace_those_of_their_key_and_others_stay(docs):
    page.write([Figure("a", "ours", "theirs", 3.0, 1.0, 2.0), Amount("b", "rows", 200_000, "rows/s", 150_000, at_least=True)])
    page.write([Figure("a", "ours", "theirs", 1.0, 1.0, 2.0)])
    text = (docs / "PERFORMANCE.md").read_text()
    assert text.startswith(f"before\n{page.MARK}\n") and text.endswith(f"{page.MARK}\nafter\n") and "old" not in text
    assert rows_of(docs)["ours"][:7] == ["1", "theirs", "1", "CPU s", "1", "2", "yes"]
    assert rows_of(docs)["rows"][:4] == ["200,000", "rows/s", "at least 150,000", "yes"]
    assert json.loads((docs / "PERFORMANCE.json").read_text())["figures"]["a"]["ratio"] == 1.0


def test_what_misses_its_goal_is_told(docs):
    page.write([Figure("a", "ours", "theirs", 3.0, 1.0, 2.0), Amount("b", "slow", 5.0, goal=4), Amount("c", "few", 5, "rows/s", 9, True)])
    rows = rows_of(docs)
    assert rows["ours"][6] == rows["slow"][3] == rows["few"][3] == "**no**"
    assert page.worse([Figure("a", "ours", "theirs", 4.6, 1.0)]) and not page.worse([Figure("a", "ours", "theirs", 4.4, 1.0)])


def test_the_picture_has_a_panel_for_each_size(docs):
    page.write(
        [Size("days", "backfill", "days", ((10, 0.5), (300, 6.0))), Size("events", "reading", "events", ((3000, 0.1), (9000, 0.1001)))]
    )
    texts = [each.text for each in ElementTree.parse(docs / "performance.svg").iter() if each.tag.endswith("text")]
    assert {"backfill", "reading", "10", "300", "3k", "9k", "1 s"} <= set(texts)
    assert "(performance.svg)" in (docs / "PERFORMANCE.md").read_text()
