"""The commands behind ``python -m llie_helpers``; their arguments are described in `cli`."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import torch

from llie_helpers import data as datasets
from llie_helpers.data.splits import NAMES
from llie_helpers.errors import CourseError
from llie_helpers.files import atomic_path
from llie_helpers.methods import create_method
from llie_helpers.models import create_model
from llie_helpers.models.cost import count_parameters, gmacs
from llie_helpers.models.weights import mapper_path
from llie_helpers.paths import runs_dir

# Of a weights file in the repository, in bytes; larger ones are kept in half precision.
LARGEST = 2_000_000


def data_list() -> None:
    print(f"{'name':18}{'title':38}where")
    for name, folder in datasets.available().items():
        print(f"{name:18}{datasets.CATALOG[name].title:38}{folder or 'not here'}")
    print(f"{'embedded':18}{datasets.CATALOG['embedded'].title:38}always here")


def data_get(name: str) -> None:
    print(f"{name} is in {datasets.get(name)}")


def data_check(name: str) -> int:
    report = datasets.check(name)
    print(report)
    return 0 if report.ok else 1


def data_cache(name: str) -> None:
    for split in NAMES:
        print(datasets.load_pairs(name, split))


def train(
    model: str,
    data: str,
    recipe: str | None,
    weights: str | None,
    quick: bool,
    epochs: int | None,
    changes: list,
    model_options: list,
    mapped: bool,
    seed: int,
    out: str | None,
    resume: bool,
    accelerator: str,
    devices: int,
) -> None:
    from llie_helpers.training.fitting import fit
    from llie_helpers.training.recipe import load_recipe

    how = load_recipe(recipe or model, "quick" if quick else "full").changed(**dict(changes))
    if epochs is not None:
        how = how.changed(epochs=epochs)
    torch.manual_seed(seed)
    network = create_model(model, weights, **dict(model_options))
    pairs = {split: datasets.load_pairs(data, split) for split in ("train", "val")}
    name = f"{model}_mapped" if mapped else model
    folder = run_folder(f"{name}_{Path(data).stem}_{seed}", out, resume)
    if mapped:
        from llie_helpers.methods.histogram import map_splits

        pairs["train"], pairs["val"], fitted = map_splits(pairs["train"], pairs["val"], seed)
        fitted.save(mapper_path(folder / "best.safetensors"))
    say(f"{model}, {count_parameters(network):,} parameters, on {pairs['train']} in {folder}")
    run = fit(
        network,
        pairs["train"],
        pairs["val"],
        how,
        run_dir=folder,
        seed=seed,
        accelerator=accelerator,
        devices=devices,
    )
    say(
        f"{run}\nScore it: python -m llie_helpers evaluate --model {model} --data {data} "
        f"--weights {run.best_path}"
    )


def evaluate(
    model: str,
    weights: str | None,
    model_options: list,
    data: str,
    split: str,
    each: bool,
) -> None:
    from llie_helpers.metrics import evaluate

    method = create_method(model, weights, device(), **dict(model_options))
    pairs = datasets.load_pairs(data, split)
    scores = evaluate(method, pairs, progress=True)
    if each:
        for row in scores.per_image:
            print(f"{row['name']:>24}  PSNR {row['psnr']:6.2f} dB  SSIM {row['ssim']:.3f}  "
                  f"GT-mean {row['psnr_gt_mean']:6.2f} dB")  # fmt: skip
    height, width = pairs[0].low.shape[-2:]
    network = getattr(method, "network", None)
    table = {
        "method": model,
        "data": f"{pairs.title}, {len(pairs)} pairs",
        "PSNR": f"{scores.psnr:.2f} dB",
        "SSIM": f"{scores.ssim:.3f}",
        "LPIPS": "not available" if scores.lpips is None else f"{scores.lpips:.3f}",
        "GT-mean PSNR": f"{scores.psnr_gt_mean:.2f} dB (diagnostic: uses the target's mean)",
        "parameters": f"{method.parameter_count:,}",
        "GMACs": f"{gmacs(network, height, width) if network else 0:.2f} at {width}x{height}",
        "ms per megapixel": f"{scores.ms_per_megapixel:.0f} on {device()}",
    }
    for name, value in table.items():
        print(f"{name:20} {value}")


def enhance(
    inputs: list[str],
    out: str,
    model: str,
    weights: str | None,
    model_options: list,
    exposure: float,
    strength: float,
    fast: bool,
    force: bool,
) -> int:
    from llie_helpers.inference.batch import enhance_files
    from llie_helpers.inference.image import adjustment, enhance
    from llie_helpers.inference.video import enhance_video

    postprocess = adjustment(exposure, strength)
    method = create_method(model, weights, device(), **dict(model_options))
    photo = partial(enhance, method=method, exposure=exposure, strength=strength)
    video = partial(enhance_video, method=method, postprocess=postprocess, fast=fast)
    summary = enhance_files(inputs, out, photo, video, force)
    print(summary)
    return 1 if summary.failures else 0


def export(model: str, weights: str | None, format: str, out: str, force: bool) -> None:
    from llie_helpers.inference.export import export_onnx

    if Path(out).exists() and not force:
        raise CourseError(f"{out} exists already; add --force to overwrite it.")
    difference = export_onnx(create_method(model, weights), out)
    size = Path(out).stat().st_size / 1e6
    print(f"{out}: {size:.1f} MB; its output differs from PyTorch by {difference:.1g} at most.")


def gallery(methods: list[str], data: str, split: str, out: str) -> None:
    from llie_helpers.plotting.gallery import write_gallery

    chosen = {name: create_method(name) for name in methods}
    print(write_gallery(chosen, datasets.load_pairs(data, split), out))


def ship(model: str, data: str, weights: list[str], title: str) -> None:
    """Put weights into the package, score them and write the head of their card."""
    from llie_helpers.metrics import evaluate
    from llie_helpers.models import cards
    from llie_helpers.models import weights as files

    networks = [create_model(model, path) for path in weights]
    stem = files.SHIPPED / f"{model}_{data}"
    records = [Path(path).with_name("run.json") for path in weights]
    seeds = [
        json.loads(record.read_text())["seed"] if record.is_file() else place
        for place, record in enumerate(records)
    ]
    shipped = stem.with_suffix(".safetensors")
    half = 4 * count_parameters(networks[0]) > LARGEST
    precision = torch.float16 if half else torch.float32
    files.save(networks[0], shipped, model, networks[0].options, precision)
    if (mapper := mapper_path(Path(weights[0]))).is_file():
        with atomic_path(mapper_path(shipped)) as temporary:
            shutil.copyfile(mapper, temporary)
    # What is shipped is scored as it is shipped.
    methods = [create_method(model, path) for path in [shipped, *weights[1:]]]
    runs = {}
    for split in ("test", "val"):
        pairs = datasets.load_pairs(data, split)
        runs[split] = [cards.scores(evaluate(method, pairs, progress=True)) for method in methods]
    first = {split: scores[0] for split, scores in runs.items()}
    several = runs if len(networks) > 1 else {}
    card = cards.Card(model, data, title, count_parameters(networks[0]), seeds, first, several)
    text = cards.read(card.path)[1] if card.path.exists() else cards.TEMPLATE
    cards.write(card, text)
    print(f"{shipped.name} and {card.path.name} written; say in the card how it was trained, "
          "then run `python -m llie_helpers results`.")  # fmt: skip


def results(check: bool) -> int:
    """Write the README's table of networks from the cards, or check it."""
    from llie_helpers.models import cards

    readme = Path(cards.SHIPPED).parent.parent / "README.md"
    if not readme.is_file():
        raise CourseError("There is no README.md beside the package; run this in the course.")
    text = readme.read_text(encoding="utf-8")
    expected = cards.with_table(text)
    if check:
        same = text == expected
        print(f"README.md's results {'are' if same else 'are not'} those of the cards.")
        return 0 if same else 1
    with atomic_path(readme) as temporary:
        temporary.write_text(expected, encoding="utf-8")
    return 0


def bench_data(data: str, seconds: float) -> None:
    from bench_data import bench_data

    print(bench_data(data, seconds))


def bench_inference(size: list[tuple[int, int]], repeats: int) -> None:
    from bench_inference import bench_inference

    for width, height in size:
        print(f"one image of {width}x{height}, {torch.get_num_threads()} threads, float32")
        print(f"{'':47}{'PyTorch':>18}{'onnxruntime':>18}")
        print(f"{'method':26}{'parameters':>12}{'GMACs':>9}" + f"{'ms':>9}{'MB':>9}" * 2)
        for cost in bench_inference(width, height, repeats):
            print(cost)


def bench_enhance(model: str, weights: str | None, megapixels: list[float], frames: int) -> None:
    from bench_enhance import bench_photos, bench_video

    print(f"{model}, {torch.get_num_threads()} threads, float32")
    for cost in bench_photos(model, weights, megapixels):
        print(cost)
    for cost in bench_video(model, weights, frames):
        print(cost)


def published(
    model: str,
    data: str,
    model_options: list,
    epochs: int | None,
    out: str | None,
    resume: bool,
    keep: bool,
) -> None:
    from reruns import rerun

    folder = run_folder(f"published_{model}", out, resume)
    result = rerun(model, data, run_dir=folder, epochs=epochs, **dict(model_options))
    print(result)
    if keep:
        print(f"kept in {result.keep()}")


def run_folder(name: str, out: str | None, resume: bool) -> Path:
    """The folder of a run: ``out``, else one in runs/; an earlier run there is not lost."""
    folder = Path(out) if out else runs_dir() / name
    if (folder / "last.ckpt").exists() and not resume and first_process():
        raise CourseError(
            f"{folder} holds a run already; add --resume to go on with it, or choose --out."
        )
    return folder


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def say(text: str) -> None:
    if first_process():
        print(text, flush=True)


def first_process() -> bool:
    """Whether this is the only process, or the first of those that train together."""
    return os.environ.get("LOCAL_RANK", "0") == "0"
