"""Asks the package index about known vulnerabilities; one that is found fails the check.

No answer is no failure, so that the check works off-line, but it is said plainly.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        audit = [sys.executable, "-m", "pip_audit", "--local", "--progress-spinner=off"]
        ended = subprocess.run(
            [*audit, "--format=json", f"--output={report}"],
            capture_output=True,
            text=True,
            check=False,
        )
        if not report.exists():
            why = (ended.stderr.strip().splitlines() or ["no reason given"])[-1][:160]
            print(f"Dependency audit: NOT DONE, no answer from the advisory service: {why}")
            return 0
        packages = json.loads(report.read_text())["dependencies"]
    audited = [package for package in packages if "vulns" in package]
    vulnerable = 0
    for package in audited:
        for found in package["vulns"]:
            vulnerable += 1
            fixed = ", ".join(found["fix_versions"]) or "no release yet"
            print(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}")
    print(
        f"Dependency audit: {len(audited)} of {len(packages)} packages audited, "
        f"{vulnerable} vulnerabilities found."
    )
    if not audited:
        print("Dependency audit: NOT DONE, the index knows no advisories for any package.")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
