"""What data sets the course knows: where they come from and what to expect of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class DataSet:
    """One set of low-light and normal-light pairs.

    Args:
        name: what the course calls it, such as ``"lol_v1"``.
        title: what papers call it.
        source: the paper that introduced it.
        licence: what is known of its licence.
        by_hand: where its owners publish it.
        kaggle: ``owner/slug`` of a public copy on Kaggle, or None if no copy is known
            to be complete.
        counts: pairs per official split, as published; a set without official
            splits is split by scene.
        mismatched: names of pairs whose two images do not belong together; they are left
            out of training and validation.
        validation: names of pairs whose scenes make up the validation split; empty
            means that scenes are drawn at random with a fixed seed.
        cached: whether its decoded images are small enough to be kept on the disk.
    """

    name: str
    title: str
    source: str
    licence: str
    by_hand: str
    kaggle: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    mismatched: tuple[str, ...] = ()
    validation: tuple[str, ...] = ()
    cached: bool = True


LOL_V2 = {
    "source": "Yang et al., Sparse Gradient Regularized Deep Retinex Network for Robust "
    "Low-Light Image Enhancement, IEEE TIP 2021",
    "licence": "none stated; research use only, do not republish the images",
    "by_hand": "https://github.com/flyywh/CVPR-2020-Semi-Low-Light",
    # One download holds both parts.
    "kaggle": "tanhyml/lol-v2-dataset",
}
SID = {
    "source": "Chen et al., Learning to See in the Dark, CVPR 2018",
    "licence": "the authors' code is MIT; the page states no licence for the photographs",
    "cached": False,
}

# 23 scenes with 45 pairs. They are named, and not drawn, so that validation is the same on
# every computer and does not depend on how many of the 485 pairs are there.
# fmt: off
LOL_V1_VALIDATION = (
    "5", "25", "241", "251", "263", "468", "480", "483", "487", "492", "498", "517",
    "528", "566", "568", "604", "612", "645", "660", "662", "666", "678", "686",
)
# fmt: on

CATALOG = {
    data_set.name: data_set
    for data_set in (
        DataSet(
            name="lol_v1",
            title="LOL v1",
            source="Wei et al., Deep Retinex Decomposition for Low-Light Enhancement, BMVC 2018",
            licence="none stated; research use only, do not republish the images",
            by_hand="https://daooshee.github.io/BMVC2018website/",
            kaggle="soumikrakshit/lol-dataset",
            counts={"train": 485, "test": 15},
            # The ranks of the two images' pixels correlate below 0.8: the "low" image of
            # 591 is bright, things moved in 648.
            mismatched=("142", "585", "586", "587", "588", "590", "591", "648"),
            validation=LOL_V1_VALIDATION,
        ),
        DataSet(
            name="lol_v2_real",
            title="LOL v2 real",
            counts={"train": 689, "test": 100},
            **LOL_V2,
        ),
        DataSet(
            name="lol_v2_synthetic",
            title="LOL v2 synthetic",
            counts={"train": 900, "test": 100},
            **LOL_V2,
        ),
        DataSet(
            name="train3",
            title="train3",
            source="a Kaggle upload by aditidatta26, with no paper",
            licence="none stated; research use only, do not republish the images",
            by_hand="https://www.kaggle.com/datasets/aditidatta26/train3",
            kaggle="aditidatta26/train3",
        ),
        DataSet(
            name="sice",
            title="SICE",
            source="Cai et al., Learning a Deep Single Image Contrast Enhancer from "
            "Multi-Exposure Images, IEEE TIP 2018: 360 + 229 sequences of exposures",
            licence="none stated; research use only, do not republish the images",
            by_hand="https://github.com/csjcai/SICE",
            cached=False,
        ),
        DataSet(
            name="sid_sony",
            title="SID Sony",
            by_hand="https://storage.googleapis.com/isl-datasets/SID/Sony.zip (25 GB)",
            counts={"train": 1865, "val": 234, "test": 598},
            **SID,
        ),
        DataSet(
            name="sid_fuji",
            title="SID Fuji",
            by_hand="https://storage.googleapis.com/isl-datasets/SID/Fuji.zip (52 GB)",
            **SID,
        ),
        DataSet(
            name="embedded",
            title="embedded samples",
            source="photographs of scikit-image, scikit-learn and matplotlib, darkened by the "
            "course's own model of a camera",
            licence="each photograph's own, which lets those libraries ship it",
            by_hand="nothing to fetch: built from installed packages",
        ),
    )
}
