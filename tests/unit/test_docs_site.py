"""The documentation cannot rot: its reference is made from the code, its links lead somewhere, its files and figures are there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.scripts import load_script

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), *ROOT.glob("*.md"), ROOT / "deployments" / "RUNBOOK.md"])


def test_the_reference_is_that_of_the_code() -> None:
    """Each page as a whole. Seen to fail: an option's help changed, a setting's comment changed, a schema's field renamed."""
    command = [sys.executable, "deployments/site/reference.py", "--check"]  # a process of its own: other tests put toys in place of parts
    told = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Files of the repository in code style. Pages about the past may name what is gone, EXTENDING what its reader is to write."""
    if page.name in ("CHANGELOG.md", "DECISIONS.md", "EXPERIMENTS.md", "EXTENDING.md"):
        pytest.skip("names files that are gone, or are to be written")
    named = re.findall(
        r"`((?:docs|deployments|forecaster|flows|tests|templates|requirements)/[\w./-]*\w)`", page.read_text(encoding="utf-8")
    )
    missing = [path for path in named if not (ROOT / path).exists() and path != "deployments/.env"]
    assert missing == []


@pytest.mark.parametrize("page", ["docs/SCIENCE.md", "README.md"])
def test_the_figures_of_the_evaluation_are_shown(page: str) -> None:
    lines = (ROOT / page).read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if re.match(r"\| (Japan|abroad|250 circles)", line)]
    scores = json.loads((ROOT / "docs" / "skill.json").read_text(encoding="utf-8"))["scores"]
    pools = {"Japan": "japan", "abroad": "abroad", "250 circles": "circles"}
    assert len(rows) == len(pools)
    for place, over_etas, over_rate, target_days in rows:
        pool = next(pool for told, pool in pools.items() if place.startswith(told))
        (score,) = (
            s for s in scores if (s["arm"], s["level"], s.get("pool"), s["model"], s["days_of"]) == ("B", "pool", pool, "published", "all")
        )
        gains = [score["information_gain"][over] for over in ("etas", "climatology")]
        assert [over_etas, over_rate] == [f"{g['estimate']:+.3f} ({g['low']:+.3f} to {g['high']:+.3f})" for g in gains]
        assert target_days == f"{score['target_days']:,}"


def test_a_page_that_loads_from_another_host_is_refused() -> None:
    hooks = load_script("deployments/site/hooks.py")
    for bad in ('<script src="https://unpkg.com/mermaid.js"></script>', "<link rel=stylesheet href='//fonts.example.org/a.css'>"):
        assert hooks.FOREIGN.search(f"<p>{bad}</p>"), bad
    assert not hooks.FOREIGN.search('<a href="https://example.org/">out</a><img src="report.png">')


@pytest.mark.slow
def test_the_site_is_built_and_a_broken_link_stops_it(tmp_path: Path) -> None:
    """`make docs` on the pages as they are; then on pages of which one leads nowhere."""

    def build(config: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", str(config), "-d", str(tmp_path / "site")]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    built = build(ROOT / "mkdocs.yml")
    assert built.returncode == 0, built.stderr
    start = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="SKILL.html"' in start and 'src="report.png"' in start, "names of files are links, and lead to the pages of the site"

    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("# A\n\n[gone](gone.md)\n")
    (tmp_path / "mkdocs.yml").write_text(
        "site_name: a\nvalidation: {links: {not_found: warn}}\n"
        + f"docs_dir: {tmp_path / 'docs'}\ntheme: {{name: material, font: false}}\n"
    )
    broken = build(tmp_path / "mkdocs.yml")
    assert broken.returncode != 0 and "gone.md" in broken.stderr + broken.stdout
