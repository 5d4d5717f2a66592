"""Fixtures of the contract's tests: each runs on both example apps."""

import pytest

from .harness import KINDS, open_shop


@pytest.fixture(params=KINDS)
def kind(request):
    """Which example app."""
    return request.param


@pytest.fixture
def shop(kind, tmp_path):
    """An example app of this test's own."""
    with open_shop(kind, tmp_path) as opened:
        yield opened


@pytest.fixture(scope="module", params=KINDS)
def shared(request, tmp_path_factory):
    """An example app for tests that change nothing: one for all of a file."""
    with open_shop(request.param, tmp_path_factory.mktemp("shop")) as opened:
        yield opened
