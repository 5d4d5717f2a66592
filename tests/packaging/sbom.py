"""The SBOM in the wheel: what the library needs at run time, in the versions that it is tested with.

`python -m tests.packaging.sbom --write` makes it anew from `.ci/requirements.txt` after `make requirements`.
It has no time and no serial number, so that the same sources always give the same file.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
from importlib.metadata import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.packaging.repository import ROOT

FILE = ROOT / ".ci" / "airport-payments.cdx.json"
PINS = ROOT / ".ci" / "requirements.txt"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
# On which Python the needs are looked up: the oldest one, which needs the most.
PYTHON = {"python_version": "3.11", "python_full_version": "3.11.0", "implementation_name": "cpython",
          "platform_python_implementation": "CPython", "sys_platform": "linux", "platform_system": "Linux", "os_name": "posix",
          "platform_machine": "x86_64", "extra": ""}  # fmt: skip


def pins() -> dict[str, str]:
    """The version of each pinned package."""
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^ ;\\]+)", PINS.read_text("utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def needed_by(requirements: list[str]) -> list[str]:
    """The names of the packages that these lines ask for, where nothing optional is asked for."""
    asked = [Requirement(line) for line in requirements]
    return sorted({canonicalize_name(r.name) for r in asked if r.marker is None or r.marker.evaluate(PYTHON)})


def graph() -> dict[str, list[str]]:
    """Each package that comes along, with those that it needs."""
    found: dict[str, list[str]] = {}
    ahead = needed_by(PROJECT["dependencies"])
    while ahead:
        name = ahead.pop()
        if name not in found:
            found[name] = needed_by(metadata(name).get_all("Requires-Dist") or [])
            ahead += found[name]
    return dict(sorted(found.items()))


def _component(name: str, version: str, kind: str = "library") -> dict[str, str]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": kind, "bom-ref": purl, "name": name, "version": version, "purl": purl}


def document() -> str:
    """The SBOM, as CycloneDX 1.6 JSON."""
    versions, needs = pins(), graph()
    own = _component(PROJECT["name"], PROJECT["version"])
    refs = {name: _component(name, versions[name])["bom-ref"] for name in needs}
    bom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {**own, "licenses": [{"license": {"id": PROJECT["license"]}}]},
            "lifecycles": [{"phase": "build"}],
        },
        "components": [{**_component(name, versions[name]), "scope": "required"} for name in needs],
        "dependencies": [
            {"ref": own["bom-ref"], "dependsOn": [refs[name] for name in needed_by(PROJECT["dependencies"])]},
            *({"ref": refs[name], "dependsOn": [refs[other] for other in others]} for name, others in needs.items()),
        ],
    }
    return json.dumps(bom, indent=2) + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        FILE.write_text(document(), "utf-8")
    else:
        print(document(), end="")
