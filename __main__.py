"""`python -m polyreel`."""

from .cli.main import main

main()
