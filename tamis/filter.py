"""What filters of other packages import; these names stay where the rooms behind them may move."""

from tamis.contract.filter import (
    Effect,
    Filter,
    FilterOptions,
    Message,
    Opinion,
    Scopes,
    Stage,
    State,
)
from tamis.contract.finding import Finding, Status

__all__ = [
    "Effect",
    "Filter",
    "FilterOptions",
    "Finding",
    "Message",
    "Opinion",
    "Scopes",
    "Stage",
    "State",
    "Status",
]
