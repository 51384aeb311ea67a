"""Run the command line as ``python -m keybeam``."""

from keybeam.cli import main

main()
