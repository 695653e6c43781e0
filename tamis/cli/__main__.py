"""`python -m tamis.cli` is the command `tamis`."""

from tamis.cli import main

main()
