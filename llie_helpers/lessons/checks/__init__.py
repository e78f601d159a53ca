"""Checks of the exercises: ``core`` and ``compare`` serve one module per lesson."""
