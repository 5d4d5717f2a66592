"""What is installed, built and published is what was looked at: pins with hashes, pinned actions, no stored token."""

from __future__ import annotations

import json
import re

import pytest

from .repository import ROOT, tracked_files
from .sbom import FILE, PINS, document, graph, pins

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RELEASE = ROOT / ".github" / "workflows" / "release.yml"


def requirements() -> list[str]:
    """The lines of the lock file, continuations joined, comments left out."""
    text = re.sub(r"\\\n\s*", " ", PINS.read_text("utf-8"))
    return [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_every_pin_of_ci_has_a_hash():
    lines = requirements()
    assert len(lines) > 40
    assert len(lines) == len(pins()), "a line that is no pin of one version"
    pin = re.compile(
        r"[A-Za-z0-9._-]+(?:\[[^]]+\])?==[A-Za-z0-9.+!_-]+(?: ; [^-]+?)?(?: +--hash=sha256:[0-9a-f]{64})+\s*"
    )
    assert [line[:60] for line in lines if not pin.fullmatch(line)] == []


def test_what_installs_the_pins_asks_for_their_hashes():
    installs = [line for line in (ROOT / "Makefile").read_text("utf-8").splitlines() if "pip install" in line]
    assert installs
    for line in installs:
        assert "--require-hashes" in line or ("--no-deps" in line and line.rstrip().endswith("-e ."))
    for workflow in [*WORKFLOWS, ROOT / ".ci" / "run"]:
        assert "pip install" not in workflow.read_text("utf-8")


def test_the_pages_lock_file_has_a_hash_for_each_package():
    for path in tracked_files():
        if path.name == "package-lock.json":
            packages = json.loads(path.read_text("utf-8"))["packages"]
            assert all("integrity" in package for name, package in packages.items() if name), path.name


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_by_its_full_version(workflow):
    """By the hash of its commit, which nobody can move, with the version beside it for people."""
    uses = [line.strip() for line in workflow.read_text("utf-8").splitlines() if re.search(r"\buses:", line)]
    assert uses
    pinned = re.compile(r"- uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in uses if not pinned.fullmatch(line)] == []


def test_the_release_publishes_without_a_stored_token():
    text = RELEASE.read_text("utf-8")
    build, publish = text.split("\n  publish:\n")
    assert "secrets." not in text
    assert "password" not in text
    assert "id-token: write" in publish
    assert "id-token" not in build
    assert "\npermissions: {}\n" in text
    assert "attestations: true" in publish
    assert "run:" not in publish, "what may publish runs nothing of ours"
    assert "pull_request" not in text


def test_what_is_released_was_tested_and_built_twice():
    steps = RELEASE.read_text("utf-8")
    assert (
        steps.index("bash .ci/run")
        < steps.index("-m build")
        < steps.index("diff --recursive")
        < steps.index("upload-artifact")
    )


def test_no_workflow_puts_what_others_write_into_a_shell():
    ours = re.compile(r"\s*(python-version: \$\{\{ matrix\.python \}\}|group: test-\$\{\{ github\.ref \}\})")
    for workflow in WORKFLOWS:
        for line in workflow.read_text("utf-8").splitlines():
            assert "${{" not in line or ours.fullmatch(line), line


def test_each_push_is_tested_on_every_python_that_the_package_names():
    named = set(re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8")))
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8")
    assert set(re.findall(r'"(3\.\d+)"', workflow)) == named
    assert "run: bash .ci/run" in workflow


def test_the_sbom_is_what_the_lock_file_says():
    assert FILE.read_text("utf-8") == document(), "run `python -m tests.packaging.sbom --write`"


def test_the_sbom_names_all_that_comes_along_once():
    bom = json.loads(FILE.read_text("utf-8"))
    names = [component["name"] for component in bom["components"]]
    assert names == sorted(set(names)) == list(graph())
    assert {"stripe", "pydantic", "pydantic-core", "httpx", "httpcore", "typing-extensions"} <= set(names)
    refs = {bom["metadata"]["component"]["bom-ref"], *(component["bom-ref"] for component in bom["components"])}
    assert {entry["ref"] for entry in bom["dependencies"]} == refs
    assert {ref for entry in bom["dependencies"] for ref in entry["dependsOn"]} <= refs
    assert "timestamp" not in bom["metadata"]
    assert "serialNumber" not in bom
