"""Mutation testing: change one thing in a rule, and see a test fail. See docs/explanation/mutation-testing.md."""
