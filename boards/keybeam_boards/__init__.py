"""Boards: platforms, pins, builds and what the tools' reports say."""
