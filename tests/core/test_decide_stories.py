"""What is decided, word for word: every line of the history, announcement, command, date and reply of many conversations.

The conversations are in stories.py. What became of them stands in stories.txt: `python -m tests.core.stories --write` writes it,
and its difference is to be read as one reads a change of the rules.
"""

import pytest
from tests.core.beginnings import STORIES
from tests.core.stories import tell, told


@pytest.mark.parametrize("title", STORIES)
def test_what_becomes_of_each_conversation_is_what_is_written_down(title) -> None:
    assert tell(title).split("\n") == told()[title].split("\n")


def test_nothing_is_written_down_that_nobody_tells() -> None:
    assert list(told()) == list(STORIES)
