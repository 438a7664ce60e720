"""``python -m sdsafe_cli``: the same as the ``sdsafe`` script."""

from sdsafe_cli.main import run

if __name__ == "__main__":
    run()
