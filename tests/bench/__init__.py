"""The figures of the docs: `make bench` prints them, each as a ratio in one run against something named."""
