"""scim-sanity: its probe of a live server, in strict mode, against the directory at BASE_URL."""

import os
import re
from collections import Counter

from scim_sanity.probe.runner import run_probe_api

from report import report

OUTCOMES = {"pass": "passed", "skip": "skipped"}


def main() -> None:
    found = run_probe_api(os.environ["BASE_URL"], token=os.environ["TOKEN"], strict=True)
    names: Counter[str] = Counter()
    for result in found["results"]:
        phase = re.sub(r"^Phase \w+ — ", "", result["phase"])
        name = f"{phase}: {re.sub(r'[0-9a-f-]{36}', '{id}', result['name'])}"
        names[name] += 1
        if names[name] > 1:
            name += f" ({names[name]})"
        report(name, OUTCOMES.get(result["status"], "failed"), result.get("message", ""))


main()
