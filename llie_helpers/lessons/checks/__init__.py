"""Exercises, one module per lesson; ``exercise`` and ``compare`` are shared."""
