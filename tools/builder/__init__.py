"""Build notebooks from the sources of the lessons.

``source`` reads the percent format, ``solutions`` its exercises, ``claims`` what its text claims
and ``minutes`` the time it takes; ``execution`` runs the notebook, ``inspection`` finds its
problems, and ``publishing`` changes the course's address.
"""
