"""An operator's named rules: patterns over parts of a message, and logic over rules and other filters."""

from tamis.rules.book import EMPTY, Rule, RuleBook, RuleSource
from tamis.rules.expression import Expression, holds

__all__ = ["EMPTY", "Expression", "Rule", "RuleBook", "RuleSource", "holds"]
