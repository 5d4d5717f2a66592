"""The world of payments under one seed: the real gateways, with everything around them simulated.

`python -m tests.simulation --seed N` replays one run; docs/explanation/simulation.md says what is simulated and checked.
"""
