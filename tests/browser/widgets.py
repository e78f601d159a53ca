# %% [markdown]
# # Every widget
#
# A notebook of the browser tests. Headings stand between the cells, because arrow keys that
# reach JupyterLab jump from one to the next.

# %%
import numpy as np
import torch
from IPython.display import display

from llie_helpers import plotting
from llie_helpers.images import to_float
from llie_helpers.inference.photos import Photo
from llie_helpers.lessons import widgets
from llie_helpers.tables import Table


def ramp(gain: float = 0.5, steps: int = 8, direction: str = "right") -> torch.Tensor:
    """Grey steps that become lighter"""
    values = (torch.linspace(0, 1, 300) * steps).floor() / steps
    values = values.flip(0) if direction == "left" else values
    return (gain * values).expand(3, 200, 300)


# %% [markdown]
# ## Before and after

# %%
widgets.before_after(ramp(0.2), ramp(0.9), ("dark", "light"), alt="grey steps")

# %% [markdown]
# ## Frames

# %%
widgets.frames_slider([ramp(x) for x in (0.2, 0.5, 0.9)], [0.2, 0.5, 0.9], "gain", alt="grey steps")

# %% [markdown]
# ## Parameters

# %%
widgets.parameter_slider(
    ramp, gain=(0.0, 1.0, 0.1), steps=(2, 16), direction=["right", "left"], frames=3
)

# %% [markdown]
# ## A prediction

# %%
question = widgets.predict("What is `2 + 2`?", ["`4`", "five"])
display(question)

# %%
question.reveal("`4`", "So says `python`.")

# %% [markdown]
# ## A photograph of one's own


# %%
def enhance(pixels: np.ndarray, exposure: float, strength: float) -> torch.Tensor:
    """Brighten by a power."""
    return to_float(pixels) ** (1 - 0.5 * strength) * 2**exposure / 4


dark = np.broadcast_to(np.linspace(0, 60, 300)[:, None], (200, 300, 3)).astype(np.uint8)
widgets.workshop(enhance, Photo(dark), "saved")

# %% [markdown]
# ## A wide table

# %%
Table([f"column {i}" for i in range(16)], [[f"`value_{i}`" for i in range(16)]], note="Wide.")

# %% [markdown]
# ## Figures

# %%
plotting.show_images([ramp(0.3), ramp(0.8)], ["dark", "light"])

# %%
figure = plotting.CourseFigure(plotting.WIDTH, 3, alt="A straight line from 0 to 1")
figure.subplots().plot([0, 1])
display(figure)
