"""`python -m retint` is the command `retint`."""

from retint.cli import main

if __name__ == "__main__":  # processes that a run starts import this module too
    main(prog_name="retint")
