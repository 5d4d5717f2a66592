"""All stories, and what stands written of them in stories.txt. `python -m tests.core.stories --write` writes it anew."""

import sys
from pathlib import Path

import tests.core.stories_after
import tests.core.stories_cards
import tests.core.stories_paying  # noqa: F401 - to know the stories
from tests.core.beginnings import STORIES

TOLD = Path(__file__).with_name("stories.txt")


def tell(title: str) -> str:
    return "".join(f"{line}\n" for line in STORIES[title]().whole)


def told() -> dict[str, str]:
    """What stands in the file: the story of each title."""
    parts = ("\n" + TOLD.read_text()).split("\n# ")[1:]
    return {title: text for title, _, text in (part.partition("\n") for part in parts)}


if __name__ == "__main__":
    text = "".join(f"# {title}\n{tell(title)}\n" for title in STORIES)[:-1]
    if "--write" in sys.argv:
        TOLD.write_text(text)
    else:
        sys.stdout.write(text)
