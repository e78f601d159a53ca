"""One module of exercises per lesson; ``exercise`` and ``compare`` serve them all."""
