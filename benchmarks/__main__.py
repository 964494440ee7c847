"""`python -m benchmarks`: every task beside its peer."""

from benchmarks.run import main

main()
