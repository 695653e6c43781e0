"""Where the daemon's files are."""

from __future__ import annotations

from pathlib import Path

from tamis.models.ledger import LEDGER
from tamis.settings import Settings


class Paths:
    """The files of one installation, below its state and run directories."""

    def __init__(self, settings: Settings) -> None:
        self.notes: Path = settings.state_directory / "detours"
        """Detour notes: must outlive a reboot, as queued mail does."""
        self.hits: Path = settings.run_directory / "hits"
        """Hit counts of list entries on their way to the store."""
        self.senders: Path = settings.run_directory / "senders"
        """What workers learnt of senders, on its way to the store."""
        self.marks: Path = settings.state_directory / "marks"
        """What was marked by hand, on its way to the store."""
        self.feeds: Path = settings.state_directory / "feeds"
        """The last good lists of complaints."""
        self.proof: Path = settings.run_directory / "route.json"
        """The latest proof of the route to the desk."""
        self.processes: Path = settings.run_directory / "processes.json"
        """Who is running: {"supervisor": pid, "workers": [pid], "desk": [pid], "background": [pid]}."""
        self.journal: Path = settings.state_directory / "journal"
        """Stories of messages on their way to the store."""
        self.parts: Path = settings.run_directory / "parts"
        """How each process stands with the external parts it asks: <pid>.json."""
        self.metrics: Path = settings.run_directory / "metrics"
        """Counts of the workers on their way to the exporter."""
        self.ledger: Path = settings.model_directory / LEDGER
        """Who taught the statistical filter how much, and which sources contradict it."""
