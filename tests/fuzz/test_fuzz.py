"""Whatever arrives, only typed errors leave, in bounded time and memory. `make fuzz` runs the same for longer."""

from __future__ import annotations

import json
import resource

import pytest
from tests.contract.harness import KINDS

from .mutate import MAX_BYTES, Mutator
from .run import HANG_S, Fuzz
from .targets import CORPUS, FAST, Target, all_targets, corpus_of, line_of

INPUTS = 100_000
# What the process may grow by at most, in MB: an input has 0.3, and what is kept of them is bounded.
GROWTH_MB = 400


def test_a_hundred_thousand_inputs_meet_typed_errors_only():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with all_targets() as targets:
        runs = [Fuzz(name, target) for name, target in targets.items()]
        for run in runs:
            run.run(run.target.share)
    assert [failure for run in runs for failure in run.failures] == []
    assert {run.name: run.inputs for run in runs} == {run.name: run.target.share for run in runs}
    assert sum(run.inputs for run in runs) == INPUTS
    for run in runs:
        # Neither all refused nor none: the inputs reach what lies behind the first check.
        assert len(run.ways) > 3, run.name
        assert run.refused < run.inputs
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < GROWTH_MB


@pytest.mark.parametrize("name", [*FAST, *KINDS])
def test_the_same_seed_draws_the_same_inputs(name):
    corpus = corpus_of(name)
    first, second, other = ([draw.input(corpus) for _ in range(200)] for draw in map(Mutator, ("1", "1", "2")))
    assert first == second != other
    assert max(map(len, first)) <= MAX_BYTES
    assert len(set(first)) > 150


def test_the_corpus_is_kept_in_plain_letters_and_each_input_once():
    for path in CORPUS.glob("*.jsonl"):
        lines = path.read_text("ascii").splitlines()
        assert len(lines) == len(set(lines)), path.name
        assert all(line_of(json.loads(line).encode("latin-1")) == line + "\n" for line in lines), path.name


def found_by(run, monkeypatch, tmp_path, allowed=()) -> tuple[Fuzz, str]:
    monkeypatch.setattr("tests.fuzz.targets.CORPUS", tmp_path)
    (tmp_path / "mine.jsonl").write_text(line_of(b"abc"))
    fuzz = Fuzz("mine", Target(run, allowed, 1))
    fuzz.run(300)
    return fuzz, (tmp_path / "mine.jsonl").read_text()


def test_an_error_that_is_not_allowed_is_found_told_and_kept(monkeypatch, tmp_path):
    def run(data: bytes) -> None:
        if b"b" not in data:
            raise KeyError("boom")

    fuzz, kept = found_by(run, monkeypatch, tmp_path)
    assert fuzz.failures
    assert "KeyError('boom')" in fuzz.failures[0]
    assert 2 <= len(kept.splitlines()) <= 6
    again = Fuzz("mine", Target(run, (), 1), seed=99)
    again.run(0)
    assert again.failures, "what failed once is tried first"


def test_an_allowed_error_is_no_failure_and_ways_of_ending_are_told_apart(monkeypatch, tmp_path):
    fuzz, kept = found_by(lambda data: json.loads(data), monkeypatch, tmp_path, (ValueError, RecursionError))
    assert not fuzz.failures
    assert fuzz.refused > 100
    assert len(kept.splitlines()) == 1
    assert fuzz.kept


def test_an_input_that_never_ends_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr("tests.fuzz.run.HANG_S", 0.05)
    assert HANG_S == 30

    def run(data: bytes) -> None:
        while data == b"abc":
            pass

    fuzz, _ = found_by(run, monkeypatch, tmp_path)
    assert "Hang" in fuzz.failures[0]
