"""The FastAPI example."""
