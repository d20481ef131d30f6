"""`python -m bench.tables`: puts the newest results into the documentation, each table between the two marks of its name."""

import argparse
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.growth import AXES
from bench.replay.passages import REPOSITORY
from bench.replay.runs import OUT

PAGE = REPOSITORY / "docs/performance.md"
REPLAY_COLUMNS: Mapping[str, str] = {
    "useful_150": "useful",
    "visible_150": "visible",
    "possible_150": "possible",
    "wrong_shown": "wrong",
    "visible_in_pauses": "in pauses",
    "lat_ms_p50": "p50 ms",
    "lat_ms_p90": "p90 ms",
    "known_ms_p50": "known p50 ms",
    "calls_per_100": "calls",
    "tokens_per_100": "tokens",
    "waste": "waste",
    "stale": "stale",
    "cpu_ms_per_key": "CPU ms/key",
    "rss_mb": "MB",
}
SOURCES = ("hit", "typed_through", "speculation", "flight", "model", "other")

Raw = Mapping[str, Any]
Tables = Iterator[tuple[str, str]]
"""Tables by the name of their marks."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.tables", description=__doc__)
    parser.add_argument("files", nargs="*", default=["replay-full", "growth", "smoke"], help="names in bench/out")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    page = arguments.page.read_text()
    for name in arguments.files:
        for mark, table in TABLES[name](json.loads((OUT / f"{name}.json").read_text())):
            page = filled(page, mark, table)
    arguments.page.write_text(page)


def filled(page: str, mark: str, table: str) -> str:
    """Raises ValueError where the page has no such marks."""
    marks = re.compile(rf"(<!-- {re.escape(mark)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marks.search(page):
        raise ValueError(f"no <!-- {mark} --> … <!-- end --> in the page")
    return marks.sub(lambda found: f"{found[1]}{table}\n{found[2]}", page, count=1)


def replay(results: Raw) -> Tables:
    rows = results["results"]
    for profile in dict.fromkeys(row["profile"] for row in rows):
        mine = [row for row in rows if row["profile"] == profile]
        yield f"replay {profile}", markdown(("accept", "gap ms", "server", *REPLAY_COLUMNS.values()), _figures(mine))
        yield f"sources {profile}", markdown(("accept", "gap ms", "server", *SOURCES), _shares(mine))
    yield "replay bars", markdown(("accept", "figure", "against", "value", "bar", ""), map(_check, results["checks"]))


def growth(results: Raw) -> Tables:
    for name, axis in results["axes"].items():
        columns = list(dict.fromkeys(figure for each in axis.values() for figure in each))
        rows = [(f"{int(size):,}", *(each.get(column) for column in columns)) for size, each in axis.items()]
        yield f"growth {name}", markdown((AXES[name].title, *columns), rows)
    rows = [
        (
            each["axis"],
            each["figure"],
            f"{each['size']:,}",
            each["against"] or "",
            each["value"],
            each["most"],
            _holds(each),
        )
        for each in results["checks"]
    ]
    yield "growth bars", markdown(("axis", "figure", "at", "against", "value", "bar", ""), rows)


def smoke(results: Raw) -> Tables:
    yield "smoke", markdown(("figure", "value"), ((name, value) for name, value in results.items() if name != "holds"))


TABLES: Mapping[str, Callable[[Raw], Tables]] = {
    "replay-full": replay,
    "replay-reduced": replay,
    "growth": growth,
    "smoke": smoke,
}


def markdown(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _figures(rows: Sequence[Raw]) -> Iterator[Sequence[object]]:
    for setting, server, figures in _servers(rows):
        yield *setting, server, *(figures[column] for column in REPLAY_COLUMNS)


def _shares(rows: Sequence[Raw]) -> Iterator[Sequence[object]]:
    for setting, server, figures in _servers(rows):
        yield *setting, server, *(figures["by_source"].get(source, {}).get("share", 0.0) for source in SOURCES)


def _servers(rows: Sequence[Raw]) -> Iterator[tuple[tuple[str, str], str, Raw]]:
    """Those that ran at least once."""
    for row in rows:
        for server, figures in row["servers"].items():
            if "runs" in figures:
                yield (f"{row['accept']:g}", f"{row['gap_ms']:g}"), server, figures


def _check(each: Raw) -> Sequence[object]:
    return f"{each['accept']:g}", each["figure"], each["against"], each["value"], each["bar"], _holds(each)


def _holds(each: Raw) -> str:
    return "holds" if each["holds"] else "**fails**"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"
    return "-" if value is None else str(value)


if __name__ == "__main__":
    main()
