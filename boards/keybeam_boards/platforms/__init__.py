"""The boards: one module each, with one `Board` in it, whose name is that of the module."""

import importlib
import pkgutil
from collections.abc import Mapping

from keybeam_boards.board import Board

__all__ = ["BOARDS"]


def _board(module_name: str) -> type[Board]:
    module = importlib.import_module(f"{__name__}.{module_name}")
    (platform,) = (getattr(module, name) for name in module.__all__)
    return platform


BOARDS: Mapping[str, type[Board]] = {
    module.name: _board(module.name) for module in pkgutil.iter_modules(__path__)
}
"""Platforms by the name of the board."""
