"""`python -m simdyn`: the command line."""

from simdyn.cli import main

main(prog_name="simdyn")
