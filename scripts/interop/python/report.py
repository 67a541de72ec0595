"""What a check found, one JSON object a line on standard output: the runner reads it."""

import json
import sys


def report(check: str, outcome: str, detail: str = "") -> None:
    """``outcome`` is passed, failed or skipped; ``check`` is a name that stays the same from run to run."""
    sys.stdout.write(json.dumps({"check": check, "outcome": outcome, "detail": detail[:2000]}) + "\n")
    sys.stdout.flush()
