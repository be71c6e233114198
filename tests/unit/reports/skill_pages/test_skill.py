"""Skill in words and pictures: what is bold, what is a dash, what is told of failures, and where marks are drawn."""

import copy
import re

import pytest

from forecaster.registry.model_kinds import KINDS, looks
from forecaster.reports.map_files import check_document
from forecaster.reports.render import render_skill
from forecaster.reports.skill_pages import skill_charts as charts
from forecaster.reports.skill_pages.skill import BASELINES, Plots, gain_text, skill_context
from forecaster.reports.skill_pages.skill_tables import skill_markdown


def gain(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high, "target_days": 10, "t_test_p": 0.04, "w_test_p": None}


def row(level, name, model, climatology, etas, pool="japan", days_of="all"):
    return {
        "arm": "A", "level": level, "name": name, "pool": pool, "model": model, "days_of": days_of, "recipes": 1,
        "first_day": "2018-01-01", "last_day": "2018-12-31", "days": 365, "target_days": 10, "base_rate": 0.0274, "auc": 0.61,
        "pr_auc": 0.05, "molchan_skill": 0.6, "brier": 0.026, "brier_skill": 0.012, "calibration_ratio": 1.1, "calibration_slope": 0.9,
        "calibration_slope_error": 0.2, "calibration_error": 0.004, "sharpness": 0.01, "log_score": 0.12, "log_miscalibration": 0.01,
        "log_discrimination": 0.02, "log_uncertainty": 0.13,
        "information_gain": {"climatology": climatology, "etas": etas, "best_rate": None},
        "n_test": {"observed": 10, "expected": 21.0, "low": 13, "high": 30, "delta1": 1.0, "delta2": 0.004},
        "l_test": {"observed": -44.0, "low": -60.0, "high": -30.0, "gamma": 0.4},
    }  # fmt: skip


@pytest.fixture
def document():
    clear, unclear = gain(0.05, 0.01, 0.09), gain(-0.02, -0.06, 0.03)
    worse = gain(-0.2, -0.3, -0.1)
    rows = [row(level, name, model, *gains) for level, name in (("pool", "japan"), ("recipe", "tokyo-m45"))
            for model, gains in {"etas": (clear, gain(0.0, 0.0, 0.0)), "hybrid": (unclear, worse)}.items()]  # fmt: skip
    failures = [{"arm": arm, "recipe_id": "niigata", "model": "etas", "years": [2018, 2019], "reason": "not scoreable"} for arm in "AB"]
    return {
        "version": 1,
        "code_version": "0.1.0",
        "unit": "nats per target day",
        "interval": {"level": 0.95, "block_days": 30, "resamples": 2000},
        "arms": [
            {"arm": "A", "inputs": "final", "first_day": "2018-01-01", "last_day": "2018-12-31", "recipes": 1, "models": ["etas", "hybrid"]}
        ],
        "scores": rows,
        "failures": failures,
    }


def test_gains_are_bold_where_the_interval_leaves_zero_out(document):
    check_document("skill.json", document)
    text = skill_markdown(document)
    pooled = text.split("### Japan, 1 recipe\n")[1].split("###")[0].splitlines()
    etas, hybrid = (next(line for line in pooled if line.startswith(f"| {name} ")) for name in ("ETAS", "hybrid"))
    assert "| ETAS | – | – | **+0.050** (+0.010 to +0.090) | 0.610 |" in etas, "against itself there is nothing to say"
    assert "| **-0.200** (-0.300 to -0.100) | – | -0.020 (-0.060 to +0.030) |" in hybrid, "worse is bold, too"
    assert "| tokyo-m45 | 10 | **21 (13 to 30)** | **21 (13 to 30)** |" in text, "10 came, which lies outside"
    assert text.count("| niigata | ETAS | A, B | 2018 to 2019 | not scoreable |") == 1


def test_what_is_missing_is_a_dash_and_a_failed_model_says_so(document):
    missing = copy.deepcopy(document)
    missing["scores"] = [r for r in missing["scores"] if (r["level"], r["model"]) != ("recipe", "hybrid")]
    missing["scores"].append(row("recipe", "athens", "hybrid", None, None, pool="abroad"))
    missing["scores"][-1] |= {"auc": None, "calibration_slope": None, "n_test": None, "l_test": None}
    check_document("skill.json", missing)
    text = skill_markdown(missing, "# Mine\n")
    assert text.startswith("# Mine\n\nInformation gain is")
    over_usual = text.split("information gain over usual rate\n")[1].split("###")[0]
    assert "| athens | 10 | failed | – |" in over_usual and "| tokyo-m45 | 10 | **+0.050** (+0.010 to +0.090) | failed |" in over_usual
    assert gain_text(missing["scores"][-1], "climatology") == "–"


def test_the_schema_refuses_what_is_no_figure(document):
    for change in ({"auc": 1.2}, {"target_days": 3.5}, {"days_of": "sundays"}, {"extra": 1}):
        broken = copy.deepcopy(document)
        broken["scores"][0] |= change
        with pytest.raises(ValueError, match=r"skill\.json: \$\.scores\[0\]"):
            check_document("skill.json", broken)


def test_the_page_holds_its_plots_and_loads_nothing(document):
    line = charts.Line("etas", [(0.0, 0.0), (0.2, 0.5), (1.0, 1.0)], "ETAS <1>")
    plot = charts.ReliabilityPlot("etas", [0.01, 0.04], [0.01, 0.05], [0.0, 0.02], [0.02, 0.08])
    page = render_skill(skill_context(document, [Plots("A", "japan", [plot], 0.03, [line], [line], [line])]))
    assert page.count('class="chart"') == 2 + 1 + 3 and "ETAS &lt;1&gt;" in page
    assert not re.findall(r'(?:src|href)="(?!https://www\.jma|https://earthquake\.usgs|data:|#)', page)
    for colour in (*KINDS["hybrid"].look.colour, *KINDS["etas"].look.colour):
        assert colour in page, "both themes"


def test_a_bar_beyond_the_axis_ends_in_an_arrow():
    """The axis reaches three times the largest estimate: 0.3 here, and pads by 4 %."""
    long = charts.Bar("etas", 0.1, 0.05, 5.0)
    chart = charts.gain_chart([("tokyo", [long, charts.Bar("hybrid", 0.02, -0.01, 0.3)])], "t", "u")
    assert chart.count("rotate(0)") == 1 and chart.count("rotate(180)") == 0
    assert "etas +0.100 (+0.050 to +5.000)" in chart
    empty = charts.gain_chart([("athens", [charts.Bar("etas", None, None, None)])], "t", "u")
    assert ">–</text>" in empty


def test_marks_lie_where_their_values_are():
    """Bars at 0 and at twice a value: the middle one is halfway between."""
    bars = [charts.Bar(name, value, None, None) for name, value in (("etas", 0.0), ("pooled", 0.1), ("hybrid", 0.2))]
    found = [float(x) for x in re.findall(r'translate\(([\d.]+) [\d.]+\)"/>', charts.gain_chart([("r", bars)], "t", "u"))]
    assert len(found) == 3 and found[1] == pytest.approx((found[0] + found[2]) / 2, abs=0.11) and found[2] > found[0]


def with_pools(document):
    """The toy's document with a pool of circles: blocks, two years and what the figures rest on."""
    told = copy.deepcopy(document)
    etas = gain(0.0, 0.0, 0.0)
    over = gain(0.012, 0.008, 0.015) | {"blocks": {"30": [0.008, 0.015], "90": [0.007, 0.016], "365": None}}
    for days_of in ("all", "2018"):
        told["scores"] += [
            row("pool", "circles", model, gain(0.1, 0.05, 0.15), of_etas, pool="circles", days_of=days_of) | {"recipes": 250}
            for model, of_etas in {"published": over, "etas_generic": etas}.items()
        ]
    share = {"estimate": 0.12, "low": 0.08, "high": 0.16, "blocks": {"30": [0.08, 0.16], "90": [0.07, 0.17], "365": [0.05, 0.2]}}
    gains = {"model": "published", "of_etas": share, "weighted": {"climatology": None, "etas": share, "best_rate": None}}
    gains["singles"] = {"climatology": None, "etas": {"above": 31, "below": 2, "of": 247}, "best_rate": None}
    facts = {"arm": "A", "pool": "circles", "recipes": 250, "target_days": 400, "distinct_days": 300, "shared_days": 20}
    told["pools"] = [facts | {"largest_overlap": 0.097, "mean_weight": 0.99, "gains": [gains]}]
    told["arms"][0] |= {"circles": 250, "models": ["published", "etas_generic", "etas", "hybrid"]}
    return told


def test_a_pool_of_circles(document):
    told = with_pools(document)
    check_document("skill.json", told)
    text = skill_markdown(told)
    assert "1 recipe and 250 circles drawn at random" in text and "### Random circles, 250 circles" in text
    circles = text.split("### Random circles, 250 circles")[1]
    first = next(line for line in circles.splitlines() if line.startswith("| ") and not line.startswith("| model"))
    assert first.startswith("| published combination | **+0.012** (+0.008 to +0.015) | – | **+0.100** (+0.050 to +0.150) |")
    assert "| ETAS, generic | – | – | **+0.100**" in circles, "it stands for ETAS there"
    assert "400 target days on 300 different UTC days; 20 of them (5%) are shared" in circles
    assert "| 12 % (8 % to 16 %; by 365-day blocks 5 % to 20 %) |" in circles and "| 31 / 2 of 247 |" in circles
    assert "| published combination | ETAS | +0.012 | +0.008 to +0.015 | +0.007 to +0.016 | – |" in circles
    assert "| Random circles | 2018 | published combination | **+0.012**" in text
    page = render_skill(skill_context(told, []))
    assert "Random circles, 250 circles" in page and page.index("gain over ETAS") < page.index("gain over the usual rate")


def test_the_published_combination_has_its_own_look():
    found = looks()
    assert next(iter(found)) == "published" and BASELINES[0] == "etas" and BASELINES[-1] == "climatology"
    assert found["published"].mark not in [look.mark for name, look in found.items() if name != "published"]


def test_every_model_has_a_look_of_its_own():
    found = looks()
    assert set(found) == {"published", "mean", *KINDS}
    assert len({look.title for look in found.values()}) == len({look.colour for look in found.values()}) == len(found)
    assert len({(look.mark, look.dash) for look in found.values()}) == len(found), "told apart without colours, too"
