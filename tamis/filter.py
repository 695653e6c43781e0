"""What filters of other packages import: these names stay when the modules behind them move."""

from tamis.contract.filter import (
    Effect,
    Filter,
    FilterOptions,
    Message,
    NoChallenge,
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
    "NoChallenge",
    "Opinion",
    "Scopes",
    "Stage",
    "State",
    "Status",
]
