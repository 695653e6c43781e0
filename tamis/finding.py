"""For filters of other packages written before 0.2; `tamis.filter` has these names too."""

from tamis.contract.finding import Finding, Status

__all__ = ["Finding", "Status"]
