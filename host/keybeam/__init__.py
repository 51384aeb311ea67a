"""Keybeam: the host side of an open quantum-key-distribution terminal."""

from keybeam._version import __version__, build_revision

__all__ = ["__version__", "build_revision"]
