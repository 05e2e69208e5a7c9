"""The ledger, added up again."""

from typing import Any

from django.core.management.base import BaseCommand

from loyalty import auditing


class Command(BaseCommand):
    help = "Recompute all points from the entries. Ends with 1 where anything differs."

    def handle(self, *args: Any, **options: Any) -> None:
        audit = auditing.audit(tell=self._tell)
        for finding in audit.findings:
            self.stdout.write(f"{finding.check}: {finding.detail}")
        self.stdout.write(
            f"{audit.accounts:,} accounts, {audit.entries:,} entries,"
            f" {len(audit.findings):,} differences"
        )
        if audit.findings:
            raise SystemExit(1)

    def _tell(self, step: str) -> None:
        """What runs next, beside the findings rather than among them."""
        self.stderr.write(f"… {step}", style_func=str)
