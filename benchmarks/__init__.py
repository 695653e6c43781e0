"""Measurements: each is one command in this folder, and prints what it measured."""

from tests import checkout

checkout.use()
