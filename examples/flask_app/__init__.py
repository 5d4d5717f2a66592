"""The Flask example."""
