"""Turn the repository's notebooks and pages into the sources of a book for Sphinx."""
