"""scim2-tester: its whole list of checks against the directory at BASE_URL."""

import os
import random
import re
from collections import Counter

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import Status, check_server

from report import report

# Its values are random; what fails once should fail again.
random.seed(20)

OUTCOMES = {
    Status.SUCCESS: "passed",
    Status.COMPLIANT: "passed",
    Status.ACCEPTABLE: "passed",
    Status.SKIPPED: "skipped",
}


def subject(reason: str) -> str:
    """The attribute or address a result speaks of, so that results of one check can be told apart."""
    quoted = re.search(r"'([^']+)'", reason)
    if quoted is None or re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", quoted.group(1)):
        return ""
    return f" {quoted.group(1)}"


def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    with Client(base_url=os.environ["BASE_URL"], headers=headers, timeout=30) as http:
        results = check_server(SyncSCIMClient(http))
    names: Counter[str] = Counter()
    for result in results:
        reason = result.reason or ""
        name = " ".join(filter(None, [result.resource_type, result.title])) + subject(reason)
        names[name] += 1
        if names[name] > 1:
            name += f" ({names[name]})"
        outcome = OUTCOMES.get(result.status, "failed")
        report(name, outcome, reason if outcome == "passed" else f"{result.status.name}: {reason} {result.data or ''}")


main()
