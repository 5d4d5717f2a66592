"""What people install: built twice, looked into, installed and started."""

from __future__ import annotations

import email
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from .repository import ROOT, tracked_files

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("build")]  # one worker builds

DEPENDENCIES = {"stripe", "pydantic", "httpx", "typing-extensions"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = {"sqlalchemy", "postgres", "fastapi", "flask", "django", "demo", "test", "check", "build"}


def _copy(folder: Path) -> Path:
    for path in tracked_files():
        target = folder / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def _build(source: Path, target: Path, *, umask: int = 0o022, **variables: str) -> dict[str, Path]:
    """Build the sdist, and the wheel from the sdist, as a release does; `{'whl': …, 'gz': …}`."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(
        command,
        env={**os.environ, **variables},
        umask=umask,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name.rpartition(".")[2]: path for path in target.iterdir()}


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    return _copy(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def built(source, tmp_path_factory) -> dict[str, Path]:
    return _build(source, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def in_wheel(built) -> set[str]:
    with zipfile.ZipFile(built["whl"]) as wheel:
        return set(wheel.namelist())


@pytest.fixture(scope="module")
def metadata(built) -> email.message.Message:
    with zipfile.ZipFile(built["whl"]) as wheel:
        (name,) = [n for n in wheel.namelist() if n.endswith(".dist-info/METADATA")]
        return email.message_from_bytes(wheel.read(name))


def test_two_builds_are_the_same_bit_for_bit(built, tmp_path):
    """In another folder, under another umask, by another clock, time zone, language and order of hashes."""
    elsewhere = _copy(tmp_path / "another" / "place")
    for path in [*elsewhere.rglob("*"), elsewhere]:
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (86400 * 365 * 30, 86400 * 365 * 30))
    again = _build(elsewhere, tmp_path / "again", umask=0o077, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    for kind in ("whl", "gz"):
        first, second = (hashlib.sha256(files[kind].read_bytes()).hexdigest() for files in (built, again))
        assert first == second, kind


def test_the_wheel_has_an_sbom_of_what_comes_along(built, metadata):
    with zipfile.ZipFile(built["whl"]) as wheel:
        (name,) = [n for n in wheel.namelist() if ".dist-info/sboms/" in n]
        bom = json.loads(wheel.read(name))
    assert name.endswith(".dist-info/sboms/airport-payments.cdx.json")
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert bom["metadata"]["component"]["version"] == metadata["Version"]
    assert {component["name"] for component in bom["components"]} > DEPENDENCIES


def test_the_wheel_has_the_whole_package(in_wheel):
    expected = {
        path.relative_to(ROOT / "src").as_posix() for path in tracked_files() if path.is_relative_to(ROOT / "src")
    }
    assert "airport_payments/py.typed" in in_wheel
    assert expected <= in_wheel


def test_the_wheel_has_the_examples_with_their_pages(in_wheel):
    examples = {
        f"airport_payments/{p.relative_to(ROOT).as_posix()}"
        for p in tracked_files()
        if p.is_relative_to(ROOT / "examples")
    }
    assert any(name.endswith(".html") for name in examples)
    assert examples <= in_wheel


def test_the_wheel_has_the_licence_and_no_tests(in_wheel):
    assert any(re.fullmatch(r"[^/]+\.dist-info/licenses/LICENSE", name) for name in in_wheel)
    assert {name.split("/")[0].partition("-")[0] for name in in_wheel} == {"airport_payments"}
    assert not [name for name in in_wheel if "/tests/" in name or "__pycache__" in name]


def test_the_sdist_has_what_its_tests_need(built):
    with tarfile.open(built["gz"]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in (
        "Makefile",
        ".ci/requirements.txt",
        "tests/conftest.py",
        "README.md",
        "LICENSE",
        "pyproject.toml",
        "CHANGELOG.md",
    ):
        assert name in names


def test_only_four_packages_come_along(metadata):
    required = metadata.get_all("Requires-Dist")
    always = {re.match(r"[\w-]+", line)[0].lower() for line in required if "extra ==" not in line}
    assert always == DEPENDENCIES


def test_the_extras_are_those_of_the_docs(metadata):
    assert set(metadata.get_all("Provides-Extra")) == EXTRAS


def test_the_metadata_says_what_it_is(metadata):
    assert metadata["Version"] == PROJECT["version"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in metadata.get_all("Classifier")


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory) -> Path:
    """The wheel, installed into a folder of its own, which goes before everything else."""
    target = tmp_path_factory.mktemp("installed")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-qq",
        "--no-deps",
        "--no-index",
        "--target",
        str(target),
        str(built["whl"]),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return target


def _run(installed: Path, *command: str | Path) -> str:
    variables = {**os.environ, "PYTHONPATH": str(installed), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(
        command, cwd=installed, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_installed_package_imports_from_where_it_was_installed(installed):
    printed = _run(installed, sys.executable, "-c", "import airport_payments as a; print(a.__file__, a.__version__)")
    assert printed.split() == [str(installed / "airport_payments" / "__init__.py"), PROJECT["version"]]


def test_every_public_name_of_the_installed_package_loads(installed):
    code = (
        "import airport_payments as a; print(sum(getattr(a, name) is not None for name in a.__all__) - len(a.__all__))"
    )
    assert _run(installed, sys.executable, "-c", code).strip() == "0"


def test_importing_the_package_loads_none_of_its_dependencies(installed):
    code = (
        "import sys, airport_payments, airport_payments.core.decide\n"
        "print([name for name in ('stripe', 'httpx', 'pydantic', 'sqlalchemy', 'fastapi', 'flask') if name in sys.modules])"
    )
    assert _run(installed, sys.executable, "-c", code).strip() == "[]"


def test_the_installed_command_starts(installed):
    printed = _run(installed, installed / "bin" / "airport-payments", "--help")
    assert "demo" in printed
    assert _run(installed, sys.executable, "-m", "airport_payments", "--help") == printed
