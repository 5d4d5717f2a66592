"""The rules: pure, without I/O, clock, randomness or logging. `now` and new ids come in with the facts."""
