"""How a lesson's source becomes the notebook that students open.

``source`` reads the percent format, ``execution`` runs it, ``inspection`` says what is
wrong with a built notebook, and ``publishing`` moves the course to another address.
"""
