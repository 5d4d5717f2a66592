"""Each part of `make bench` runs: a command in the docs that has broken is found here, and no time is judged."""

import pytest
from tests.bench import create, events, imports, measure, scale, webhook, webhook_postgresql

PARTS = {
    "create": create.figures,
    "events": events.figures,
    "imports": lambda: imports.figures(1),
    "webhook": webhook.figures,
    "postgresql": webhook_postgresql.figures,
    "scale": lambda: scale.figures(200),
}


@pytest.fixture
def hurried(monkeypatch) -> None:
    """A few calls of each are enough."""
    timed = measure._time
    monkeypatch.setattr(measure, "_time", lambda work, _number: timed(work, 1))
    for module, name, value in (
        (create, "CALLS", 2), (webhook, "BATCH", 2), (webhook, "ROUNDS", 2), (webhook_postgresql, "ROUNDS", 2),
        (scale, "SMALL", 100), (scale, "ROUNDS", 3),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("part", PARTS)
def test_every_part_of_the_bench_prints_its_figures(part) -> None:
    figures = PARTS[part]()
    assert figures
    for figure in figures:
        assert figure.ratio > 0
        assert figure.line().count("|") == 7
        # What a duplicate must not do is no matter of speed.
        assert "a duplicate" not in figure.name or "0 writes" in figure.detail
