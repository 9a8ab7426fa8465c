"""Changes between two supergraphs: what breaks clients, what may surprise them, what is safe."""

from gateway.federation.composition.changes.check import check
from gateway.federation.composition.changes.model import Change, ChangeLevel

__all__ = ["Change", "ChangeLevel", "check"]
