"""Shared code of Out of the Dark, a hands-on course on low-light image enhancement.

Images are float tensors ``(N, 3, H, W)``, RGB, in [0, 1], everywhere inside the
package; files, video frames and OpenCV's BGR arrays are converted at the edges.
Importing this package loads nothing heavy: torch, lightning, OpenCV and xgboost
are imported by the modules that use them.
"""

__version__ = "0.1.0"
