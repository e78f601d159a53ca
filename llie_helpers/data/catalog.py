"""The data sets that the course knows."""

from functools import partial

from llie_helpers.data.embedded import EmbeddedSamples
from llie_helpers.data.folders import Folders
from llie_helpers.data.layouts import Listing, bursts, numbered, sice, split_folders
from llie_helpers.data.matching import by_number, match
from llie_helpers.data.sources import CatalogSet, Source

LOL_V1_TEST = frozenset((1, 22, 23, 55, 79, 111, 146, 179, 493, 547, 665, 669, 748, 778, 780))
NO_LICENCE = "none stated; research use only, do not republish the images"

# One pair of each of 23 scenes, which have 45 pairs. They are listed, not drawn, so that the
# split does not depend on how many of the 485 pairs are present.
# fmt: off
LOL_V1_VALIDATION = (
    "5", "25", "241", "251", "263", "468", "480", "483", "487", "492", "498", "517",
    "528", "566", "568", "604", "612", "645", "660", "662", "666", "678", "686",
)
# fmt: on


def _lol_v1(folders: Folders) -> Listing | None:
    """List LOL v1 under its own names, or as other repositories rename its folders."""
    splits = {"train": ("our485/low", "our485/high"), "test": ("eval15/low", "eval15/high")}
    by_names = split_folders(folders, splits, partial(match, name=by_number))
    return by_names or numbered(folders, LOL_V1_TEST)


def _lol_v2(kind: str, folder: str, train: int) -> CatalogSet:
    splits = {s.lower(): (f"{folder}/{s}/Low", f"{folder}/{s}/Normal") for s in ("Train", "Test")}
    return CatalogSet(
        name=f"lol_v2_{kind}",
        title=f"LOL v2 {kind}",
        paper="Yang et al., Sparse Gradient Regularized Deep Retinex Network for Robust "
        "Low-Light Image Enhancement, IEEE TIP 2021",
        licence=NO_LICENCE,
        origin="https://github.com/flyywh/CVPR-2020-Semi-Low-Light",
        kaggle="tanhyml/lol-v2-dataset",  # one download holds both kinds
        folders=f"{folder}/{{Train,Test}}/{{Low,Normal}}",
        layout=partial(split_folders, splits=splits),
        counts={"train": train, "test": 100},
    )


def _sid(camera: str, gigabytes: int, **counts: int) -> CatalogSet:
    splits = {"all": (f"{camera}/short", f"{camera}/long")}
    return CatalogSet(
        name=f"sid_{camera.lower()}",
        title=f"SID {camera}",
        paper="Chen et al., Learning to See in the Dark, CVPR 2018",
        licence="the authors' code is MIT; the page states no licence for the photographs",
        origin=f"https://storage.googleapis.com/isl-datasets/SID/{camera}.zip ({gigabytes} GB)",
        folders=f"{camera}/{{short,long}}",
        layout=partial(split_folders, splits=splits, pairing=bursts),
        counts=counts,
        cached=False,
    )


EMBEDDED = EmbeddedSamples(name="embedded", title="embedded samples")
SOURCES: tuple[Source, ...] = (
    CatalogSet(
        name="lol_v1",
        title="LOL v1",
        paper="Wei et al., Deep Retinex Decomposition for Low-Light Enhancement, BMVC 2018",
        licence=NO_LICENCE,
        origin="https://daooshee.github.io/BMVC2018website/",
        kaggle="soumikrakshit/lol-dataset",
        folders="our485/{low,high} and eval15/{low,high}, or the same numbers in other folders",
        layout=_lol_v1,
        counts={"train": 485, "test": 15},
        # Rank correlation of the two images is below 0.8: the "low" image of 591 is bright,
        # objects moved in 648.
        mismatched=("142", "585", "586", "587", "588", "590", "591", "648"),
        validation=LOL_V1_VALIDATION,
    ),
    _lol_v2("real", "Real_captured", train=689),
    _lol_v2("synthetic", "Synthetic", train=900),
    CatalogSet(
        name="train3",
        title="train3",
        paper="a Kaggle upload by aditidatta26, with no paper",
        licence=NO_LICENCE,
        origin="https://www.kaggle.com/datasets/aditidatta26/train3",
        kaggle="aditidatta26/train3",
        folders="low_light and normal_light",
        layout=partial(split_folders, splits={"all": ("low_light", "normal_light")}),
    ),
    CatalogSet(
        name="sice",
        title="SICE",
        paper="Cai et al., Learning a Deep Single Image Contrast Enhancer from "
        "Multi-Exposure Images, IEEE TIP 2018: 360 + 229 sequences of exposures",
        licence=NO_LICENCE,
        origin="https://github.com/csjcai/SICE",
        folders="Dataset_Part{1,2}/{1,2,...,Label}",
        layout=sice,
        cached=False,
    ),
    _sid("Sony", 25, train=1865, val=234, test=598),
    _sid("Fuji", 52),
    EMBEDDED,
)
CATALOG = {source.name: source for source in SOURCES}
