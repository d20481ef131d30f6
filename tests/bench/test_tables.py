"""Results as tables of the documentation."""

import pytest

from bench import growth, tables
from bench.growth import AXES, BARS
from bench.replay.plan import PROFILES
from bench.tables import PAGE


@pytest.mark.parametrize(
    ("rows", "table"),
    [
        ([], "| a | b |\n| --- | --- |"),
        ([("x", 0.12345), (None, 123.456)], "| a | b |\n| --- | --- |\n| x | 0.123 |\n| - | 123.5 |"),
        ([("x", 3), ("", "**fails**")], "| a | b |\n| --- | --- |\n| x | 3 |\n|  | **fails** |"),
    ],
)
def test_markdown(rows: list[tuple[object, ...]], table: str) -> None:
    assert tables.markdown(("a", "b"), rows) == table


@pytest.mark.parametrize("between", ["", "| old |\n| --- |\n"])
def test_a_table_takes_the_place_of_the_one_before(between: str) -> None:
    page = "above\n<!-- one -->\n{}<!-- end -->\nbelow\n<!-- two -->\n<!-- end -->\n"
    assert tables.filled(page.format(between), "one", "| \\1 |") == page.format("| \\1 |\n")


def test_a_page_without_the_marks() -> None:
    with pytest.raises(ValueError, match="no <!-- one -->"):
        tables.filled("<!-- two -->\n<!-- end -->\n", "one", "")


FIGURES = dict.fromkeys(tables.REPLAY_COLUMNS, 0.5) | {"by_source": {"hit": {"share": 1.0}}, "runs": 6}
REPLAY = {
    "results": [
        {
            "profile": profile,
            "accept": 0.0,
            "gap_ms": 40.0,
            "servers": {"naive": FIGURES, "gone": {"unavailable": ["no"]}},
        }
        for profile in PROFILES
    ],
    "checks": [{"accept": 0.0, "figure": "stale", "against": "", "value": 0.0, "bar": 0.0, "holds": True}],
}
GROWTH = growth.as_json({name: {size: {bar.figure: 1.0 for bar in BARS} for size in (1_000, 10_000)} for name in AXES})
RESULTS = {"replay-full": REPLAY, "replay-reduced": REPLAY, "growth": GROWTH, "smoke": {"rss_mb": 60.0, "holds": {}}}


@pytest.mark.parametrize("name", tables.TABLES)
def test_the_page_has_a_place_for_every_table(name: str) -> None:
    page = PAGE.read_text()
    for mark, table in tables.TABLES[name](RESULTS[name]):
        page = tables.filled(page, mark, table)
    assert "gone" not in page
