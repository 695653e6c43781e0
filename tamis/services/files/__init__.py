"""Hostile files read outside the worker: helper processes, archives, images, documents."""
