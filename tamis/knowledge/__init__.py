"""What Tamis knows of unwanted mail before it has learned anything: rules, tables and points, as data."""

from tamis.knowledge.base import NO_BASE, SHIPPED, BaseFiles, KnowledgeBase, compile_base, read_base

__all__ = ["NO_BASE", "SHIPPED", "BaseFiles", "KnowledgeBase", "compile_base", "read_base"]
