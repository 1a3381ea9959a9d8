"""How fast simdyn is, beside what else a user could take: `make bench`, or `python -m benchmarks --help`."""
