"""`python -m checkers FILE… --model NAME`: the judges alone, without anything else of the project."""

import sys

from checkers.cli import main

if __name__ == "__main__":
    sys.exit(main())
