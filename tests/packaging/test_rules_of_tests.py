"""What `tests/conftest.py` promises: no skip in CI, no connection beyond this machine, servers that are stopped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
pytestmark = pytest.mark.e2e

SKIPS = {
    "call": "import pytest\ndef test_x(): pytest.skip('no such thing')\n",
    "mark": "import pytest\n@pytest.mark.skipif(True, reason='no such thing')\ndef test_x(): pass\n",
    "module": "import pytest\npytest.skip('no such thing', allow_module_level=True)\n",
    "import": "import pytest\npytest.importorskip('no_such_thing', reason='no such thing')\n",
    "fixture": "import pytest\n@pytest.fixture\ndef f(): pytest.skip('no such thing')\ndef test_x(f): pass\n",
}
REACHES_OUT = {
    "address": "import httpx\ndef test_x(): httpx.get('http://192.0.2.1/')\n",
    "name": "import httpx\ndef test_x(): httpx.get('https://api.stripe.com/')\n",
    "caught": "import socket\ndef test_x():\n  with socket.socket() as s:\n    try: s.connect(('192.0.2.1', 1))\n    except Exception: pass\n",
    "connect_ex": "import socket\ndef test_x():\n  with socket.socket() as s: s.connect_ex(('192.0.2.1', 1))\n",
    "async": "import asyncio\ndef test_x(): asyncio.run(asyncio.open_connection('192.0.2.1', 1))\n",
}
STAYS = (
    "import socket\ndef test_x():\n  for family, host in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET, 'localhost')):\n"
    "    with socket.create_server((host, 0), family=family) as s, socket.create_connection(s.getsockname()[:2]) as c: assert c\n"
)
SERVES = (
    "import sys\nfrom pathlib import Path\ndef test_x(processes, free_port):\n"
    "  p = processes.start(sys.executable, '-m', 'http.server', str(free_port), ready=f'http://127.0.0.1:{free_port}/')\n"
    "  Path('pid').write_text(str(p.pid))\n  assert False\n"
)


def _run(folder: Path, text: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(text)
    variables = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    variables |= {"CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir=.", "."]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("how", SKIPS)
def test_a_skip_fails_in_ci_with_its_reason(how, tmp_path):
    done = _run(tmp_path, SKIPS[how], ci="true")
    assert done.returncode != 0
    assert "nothing may be skipped in CI" in done.stdout
    assert "no such thing" in done.stdout


def test_a_skip_is_a_skip_elsewhere(tmp_path):
    done = _run(tmp_path, SKIPS["call"])
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout


@pytest.mark.parametrize("how", REACHES_OUT)
def test_reaching_out_fails_even_where_the_error_is_caught(how, tmp_path):
    done = _run(tmp_path, REACHES_OUT[how])
    assert "1 failed" in done.stdout
    assert "tests talk to this machine only" in done.stdout


def test_this_machine_can_be_reached(tmp_path):
    done = _run(tmp_path, STAYS)
    assert "1 passed" in done.stdout, done.stdout


def test_a_server_is_stopped_and_its_log_shown(tmp_path):
    done = _run(tmp_path, SERVES)
    assert "1 failed" in done.stdout
    assert '"GET / HTTP/1.1" 200' in done.stdout
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
