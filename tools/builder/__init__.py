"""How a lesson's source becomes the notebook that students open.

``source`` reads the percent format and ``solutions`` its exercises, ``execution`` runs
the result, ``inspection`` says what is wrong with a built notebook, and ``publishing``
moves the course to another address.
"""
