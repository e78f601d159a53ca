"""Build notebooks from the sources of the lessons.

``source`` reads the percent format and ``solutions`` its exercises, ``execution`` runs the
notebook, ``inspection`` finds its problems, and ``publishing`` changes the course's address.
"""
