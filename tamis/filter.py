"""What filters of other packages import: these names stay when the modules behind them move."""

from tamis.base.errors import ServiceError
from tamis.contract.ask import answered, ask, ask_all, ask_each, compute
from tamis.contract.filter import (
    Effect,
    Examined,
    Filter,
    FilterOptions,
    Message,
    NoChallenge,
    Opinion,
    Scopes,
    Stage,
    State,
)
from tamis.contract.finding import Finding, Revealed, Status
from tamis.contract.questions import (
    Asks,
    Count,
    DistinctWithin,
    Drop,
    Get,
    Lookup,
    Put,
    PutNew,
    Question,
    Take,
)
from tamis.contract.service_protocols import Answer, Services

__all__ = [
    "Answer",
    "Asks",
    "Count",
    "DistinctWithin",
    "Drop",
    "Effect",
    "Examined",
    "Filter",
    "FilterOptions",
    "Finding",
    "Get",
    "Lookup",
    "Message",
    "NoChallenge",
    "Opinion",
    "Put",
    "PutNew",
    "Question",
    "Revealed",
    "Scopes",
    "ServiceError",
    "Services",
    "Stage",
    "State",
    "Status",
    "Take",
    "answered",
    "ask",
    "ask_all",
    "ask_each",
    "compute",
]
