"""The ledger, added up again."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty import auditing


class Command(BaseCommand):
    help = "Recompute all points from the entries. Ends with 1 where anything differs."

    def handle(self, *args: Any, **options: Any) -> None:
        audit = auditing.audit()
        for finding in audit.findings:
            self.stdout.write(f"{finding.check}: {finding.detail}")
        self.stdout.write(
            f"{audit.accounts:,} accounts, {audit.entries:,} entries,"
            f" {len(audit.findings):,} differences"
        )
        if audit.findings:
            raise SystemExit(1)
