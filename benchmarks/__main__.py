"""`python -m benchmarks`: growth of the search step, with plots; benchmarks/README.md names the others."""

from benchmarks.growth import main

main()
