"""Three questions to the published copy, with charts: docs/QUERIES.md 2, 3 and 5.

`marimo edit docs/notebook.py` opens it in a browser, `marimo run docs/notebook.py` shows the answers without the code. It reads
QUAKECAST_HOME (default: quakecast-data), and it may be open while a run writes: press "read again" for the newer copy.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="quakecast: three questions")

with app.setup:
    import os
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo
    import pandas as pd

    DATABASE = Path(os.environ.get("QUAKECAST_HOME") or "quakecast-data") / "published" / "quakecast.duckdb"

    def ask(sql: str, **values: object) -> pd.DataFrame:
        """One query, on a connection of its own: a connection goes on reading the copy that it opened, a new one reads the newest."""
        connection = duckdb.connect(str(DATABASE), read_only=True)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            return connection.execute(sql, values or None).df()
        finally:
            connection.close()


@app.cell
def _():
    again = mo.ui.refresh(label="read again")
    mo.vstack([mo.md("# quakecast: three questions"), mo.md(f"Read from `{DATABASE}`."), again])
    return (again,)


@app.cell
def _(again):
    again.value  # noqa: B018
    mo.stop(
        not DATABASE.exists(), mo.md(f"There is no published copy at `{DATABASE}` yet: `quakecast run` makes one, QUAKECAST_HOME names it.")
    )
    scored = ask(
        "SELECT mode, method, recipe_id, count(DISTINCT local_day) AS days FROM v_scored GROUP BY ALL ORDER BY days DESC, recipe_id"
    )
    mo.stop(scored.empty, mo.md("No forecast has been scored yet: outcomes are scored a day after the window at the earliest."))
    return (scored,)


@app.cell
def _(scored):
    kinds = list(dict.fromkeys(f"{row.mode}, {row.method}" for row in scored.itertuples()))
    recipes = sorted(scored["recipe_id"].unique())
    chosen_kind = mo.ui.dropdown(kinds, value=kinds[0], label="forecasts")
    chosen_recipe = mo.ui.dropdown(recipes, value=recipes[0], label="recipe")
    mo.hstack([chosen_kind, chosen_recipe], justify="start")
    return chosen_kind, chosen_recipe


@app.cell
def _(chosen_kind, chosen_recipe):
    mode, method = chosen_kind.value.split(", ")
    recipe = chosen_recipe.value
    return method, mode, recipe


@app.cell
def _(method, mode):
    # How much better than the usual rate have the models been, day by day? All recipes; one line a kind of model.
    gained = ask(
        """
        SELECT local_day, model_kind, sum(sum(information_gain)) OVER (PARTITION BY model_kind ORDER BY local_day) AS nats,
               sum(count(*) FILTER (happened)) OVER (PARTITION BY model_kind ORDER BY local_day)::INTEGER AS target_days
        FROM v_scored WHERE mode = $mode AND method = $method
        GROUP BY local_day, model_kind ORDER BY local_day, model_kind
        """,
        mode=mode,
        method=method,
    )
    gain_chart = (
        alt.Chart(gained, title=f"Log-likelihood over the usual rate, added up ({mode} forecasts, all recipes)")
        .mark_line(interpolate="step-after")
        .encode(
            x=alt.X("local_day:T", title="local day"),
            y=alt.Y("nats:Q", title="nats, above 0 is better"),
            color=alt.Color("model_kind:N", title="model"),
            strokeDash=alt.StrokeDash("model_kind:N", title="model"),
            tooltip=["local_day:T", "model_kind:N", alt.Tooltip("nats:Q", format="+.3f"), "target_days:Q"],
        )
        .properties(width=640, height=260)
    )
    mo.vstack(
        [
            mo.md(
                "## Is it better than the usual rate?\n"
                "A few days with earthquakes decide such a line: a step up or down is one day. Provisional outcomes are in it."
            ),
            gain_chart,
        ]
    )
    return gain_chart, gained


@app.cell
def _(method, mode):
    # Does 3 % mean 3 %? Of what was published; sums over all recipes.
    bins = ask(
        """
        SELECT bin_low, bin_high, sum(days)::INTEGER AS days, sum(expected_target_days) AS expected, sum(target_days)::INTEGER AS observed,
               greatest(0, sum(expected_target_days) - 1.96 * sqrt(sum(expected_variance))) AS low,
               sum(expected_target_days) + 1.96 * sqrt(sum(expected_variance)) AS high,
               printf('%g to %g %%', 100 * bin_low, 100 * bin_high) AS bin
        FROM v_calibration WHERE model_kind = 'published' AND mode = $mode AND method = $method GROUP BY bin_low, bin_high ORDER BY bin_low
        """,
        mode=mode,
        method=method,
    )
    base = alt.Chart(bins, title=f"Days with the target, expected and come ({mode} forecasts that were published)").encode(
        x=alt.X("bin:N", sort=bins["bin"].tolist(), title="probability that was published", axis=alt.Axis(labelAngle=0)),
        tooltip=["bin:N", "days:Q", alt.Tooltip("expected:Q", format=".1f"), "observed:Q"],
    )
    calibration_chart = (
        base.mark_rule(strokeWidth=6, opacity=0.35).encode(y=alt.Y("low:Q", title="days with the target"), y2="high:Q")
        + base.mark_tick(thickness=2, width=24).encode(y="expected:Q")
        + base.mark_point(filled=True, size=80, shape="diamond", color="black").encode(y="observed:Q")
    ).properties(width=640, height=260)
    mo.vstack(
        [
            mo.md(
                "## Does 3 % mean 3 %?\n"
                "Tick: expected. Bar: where 95 % of the counts would lie if the probabilities are right and days do not hang together "
                "(they do a little, so it is too narrow). Diamond: what came."
            ),
            calibration_chart,
        ]
    )
    return bins, calibration_chart


@app.cell
def _(method, mode, recipe):
    # What was said at one place, day by day, and what came?
    said = ask(
        """
        SELECT local_day, probability, reference_probability, happened, max_magnitude, outcome_status FROM v_forecast
        WHERE recipe_id = $recipe AND mode = $mode AND method = $method AND counts ORDER BY local_day
        """,
        recipe=recipe,
        mode=mode,
        method=method,
    )
    day = alt.X("local_day:T", title="local day")
    lines = alt.Chart(said, title=f"{recipe}: published probability, usual rate, and days with the target ({mode})")
    came = alt.Chart(said[said["happened"] == True])  # noqa: E712
    history_chart = (
        lines.mark_line(strokeDash=[4, 3], color="gray").encode(x=day, y="reference_probability:Q")
        + lines.mark_line(interpolate="step").encode(
            x=day,
            y=alt.Y("probability:Q", title="probability of the day", axis=alt.Axis(format="%")),
            tooltip=["local_day:T", alt.Tooltip("probability:Q", format=".2%"), alt.Tooltip("reference_probability:Q", format=".2%")],
        )
        + came.mark_point(filled=True, size=70, shape="triangle-up", color="black").encode(
            x=day, y="probability:Q", tooltip=["local_day:T", alt.Tooltip("max_magnitude:Q", title="largest M"), "outcome_status:N"]
        )
    ).properties(width=640, height=260)
    mo.vstack(
        [
            mo.md("## What was said at one place, and what came?\nDashed: the usual rate. Triangles: days with the target."),
            history_chart,
        ]
    )
    return history_chart, said


if __name__ == "__main__":
    app.run()
