import pickle
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from llie_helpers import data
from llie_helpers.data import report
from llie_helpers.data.matching import by_name, by_number, match, natural_sort
from llie_helpers.data.pairs import Pairs, mix
from llie_helpers.data.splits import split_indices
from llie_helpers.errors import CourseError

pytestmark = pytest.mark.usefixtures("root")


def photo(seed: int, height=32, width=48) -> np.ndarray:
    """A smooth random image; images of different seeds hardly correlate."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def write_pairs(folder, count, low="low", normal="normal", first=1):
    """``count`` pairs called 1.png, 2.png, ... in two folders, for data.load_pairs."""
    for number in range(first, first + count):
        for side, scale in ((low, 0.1), (normal, 1.0)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            pixels = (photo(number) * scale).astype(np.uint8)
            cv2.imwrite(str(folder / side / f"{number}.png"), pixels)
    return f"folders:{folder / low}:{folder / normal}"


@pytest.fixture
def pairs():
    arrays = [(photo(i) // 8, photo(i)) for i in range(5)]
    return Pairs("set", ("a", "b", "c", "d", "e"), (0, 0, 1, 2, 2), arrays)


def test_pairs_are_a_sequence_of_float_images(pairs):
    pair = pairs[2]
    assert len(pairs) == len(list(pairs)) == 5
    assert (pair.name, pair.scene) == ("c", 1)
    assert pair.low.shape == pair.normal.shape == (3, 32, 48)
    assert pair.low.dtype == torch.float32
    assert torch.equal(pair.normal, torch.tensor(photo(2)).permute(2, 0, 1) / 255)
    assert pairs[-1].name == "e"
    with pytest.raises(IndexError):
        pairs[5]


def test_raw_does_not_copy(pairs):
    assert pairs.raw(1)[0] is pairs.arrays[1][0]
    assert pairs.subset([3, 1]).raw(1)[0] is pairs.arrays[1][0]


def test_subsets_keep_order_names_and_scenes(pairs):
    some = pairs.subset([4, 0], "some")
    assert (some.title, some.names, some.scenes) == ("some", ("e", "a"), (2, 0))
    assert some.subset([1])[0].name == "a"
    assert pairs[1:3].names == ("b", "c")
    assert repr(some) == "Pairs('some', 2 pairs, 2 scenes)"


def test_concatenated_pairs_keep_their_order_and_decode_nothing(pairs):
    both = data.concatenate(pairs[3:], pairs.subset([0], "first"))
    assert (both.title, both.names, both.scenes) == ("set and first", ("d", "e", "a"), (2, 2, 0))
    assert both.raw(2)[0] is pairs.raw(0)[0]


def test_resized_pairs_are_squares_of_the_same_colour():
    blue = np.zeros((20, 30, 3), np.uint8)
    blue[..., 2] = 255
    small = Pairs("blue", ("a",), (4,), [(blue // 5, blue)]).resized(16)
    assert (small.title, small.names, small.scenes) == ("blue at 16x16", ("a",), (4,))
    low, normal = small.raw(0)
    assert np.array_equal(normal, blue[:16, :16])
    assert np.array_equal(low, blue[:16, :16] // 5)


def test_pairs_can_be_sent_to_workers(pairs):
    copy = pickle.loads(pickle.dumps(pairs.subset([2])))
    assert torch.equal(copy[0].low, pairs[2].low)


def test_an_accent_of_its_own_makes_no_other_name():
    (pair,), left_out = match([Path("low", "caf\u00e9.png")], [Path("normal", "cafe\u0301.png")])
    assert (pair.name, left_out) == ("caf\u00e9", [])


def test_match_by_name_not_by_order(tmp_path):
    low = [tmp_path / "low" / n for n in ("10.png", "9.png", "low00001.png", "7_low.png", "x.png")]
    normal = ["normal00001.jpg", "y.png", "7_high.png", "9.png", "10.png"]
    found, problems = match(low, [tmp_path / "normal" / n for n in normal])
    by_name = {pair.name: (pair.low.name, pair.normal.name) for pair in found}
    assert by_name == {
        "7": ("7_low.png", "7_high.png"),
        "9": ("9.png", "9.png"),
        "10": ("10.png", "10.png"),
        "00001": ("low00001.png", "normal00001.jpg"),
    }
    assert len(problems) == 2
    assert "x.png has no normal-light partner" in problems[0]
    assert "y.png has no low-light partner" in problems[1]


def test_match_by_number_whatever_stands_around_it():
    found, left_out = match([Path("low", "img0007.png")], [Path("7_long.jpg")], name=by_number)
    assert [pair.name for pair in found] == ["7"]
    assert left_out == []


def test_a_name_that_is_taken_twice(tmp_path):
    low = [tmp_path / "1.png", tmp_path / "1.jpg"]
    found, problems = match(low, [tmp_path / "n" / "1.png"])
    assert found == []
    assert len(problems) == 2
    assert "1.jpg and" in problems[0]
    assert "have the same name" in problems[0]


@given(st.lists(st.integers(0, 2000), unique=True))
def test_numbers_sort_as_numbers(numbers):
    assert natural_sort(f"a{n}b" for n in numbers) == [f"a{n}b" for n in sorted(numbers)]


def test_load_any_two_folders(tmp_path):
    name = write_pairs(tmp_path, 20)
    splits = {split: data.load_pairs(name, split) for split in ("train", "val", "test")}
    names = [n for pairs in splits.values() for n in pairs.names]
    assert sorted(names, key=int) == [str(n) for n in range(1, 21)]
    assert {split: len(pairs) for split, pairs in splits.items()} == {
        "train": 16,
        "val": 2,
        "test": 2,
    }
    pair = splits["train"][0]
    assert np.array_equal(splits["train"].raw(0)[1][..., ::-1], photo(int(pair.name)))
    assert splits["val"].title == f"{name}/val"
    assert splits["val"].names == data.load_pairs(name, "val").names
    assert str(data.check(name)) == f"{name}: pairs: all 20; ok"
    assert data.choose(name) == name
    with pytest.raises(CourseError, match="needs no download"):
        data.get(name)


def break_set(tmp_path, how):
    name = write_pairs(tmp_path, 8)
    low, normal = tmp_path / "low", tmp_path / "normal"
    if how == "missing":
        (normal / "2.png").unlink()
        (low / "3.png").unlink()
    elif how == "sizes":
        cv2.imwrite(str(low / "2.png"), photo(2, height=30))
    elif how == "small":
        for path in (low / "2.png", normal / "2.png"):
            cv2.imwrite(str(path), photo(2)[:15, :40])
    elif how == "truncated":
        for path in (low / "2.png", normal / "4.png"):
            path.write_bytes(path.read_bytes()[:200])
    elif how == "twice":
        cv2.imwrite(str(low / "2.jpg"), photo(2))
    return name


BROKEN = {
    "missing": [
        r"low/2\.png has no normal-light partner",
        r"normal/3\.png has no low-light partner",
    ],
    "sizes": [r"low/2\.png is 48x30 but .*normal/2\.png is 48x32"],
    "small": [r"low/2\.png is 40x15; the smallest is 16x16 pixels"],
    "truncated": [r"low/2\.png cannot be read", r"normal/4\.png cannot be read"],
    "twice": [
        r"low/2\.jpg and .*low/2\.png have the same name",
        r"normal/2\.png has 2 low-light partners",
    ],
}


@pytest.mark.parametrize("how", BROKEN)
def test_bad_pairs_are_left_out_with_one_warning(tmp_path, how, caplog):
    name = break_set(tmp_path, how)
    loaded = [data.load_pairs(name, split) for split in ("train", "val", "test")]
    bad = {"missing": {"2", "3"}, "truncated": {"2", "4"}}.get(how, {"2"})
    assert {n for pairs in loaded for n in pairs.names} == set("12345678") - bad
    (said,) = caplog.messages
    listed = ".*; .*".join(BROKEN[how])
    assert re.search(rf"{len(BROKEN[how])} left out, pairs: all {8 - len(bad)}; .*{listed}", said)
    report = data.check(name)
    assert not report.ok
    assert len(report.problems) == len(BROKEN[how])
    assert str(report).count("\n  problem: ") == len(BROKEN[how])


def test_a_later_session_is_warned_too_though_it_decodes_nothing(tmp_path, caplog):
    name = break_set(tmp_path, "truncated")
    data.load_pairs(name, "train")
    report._warn_once.cache_clear()  # as a new session has it
    data.load_pairs(name, "train")
    assert len(caplog.messages) == 2
    assert caplog.messages[0] == caplog.messages[1]


def test_a_pair_that_is_got_again_is_used_again(tmp_path):
    name = break_set(tmp_path, "missing")
    (tmp_path / "low" / "3.png").write_bytes((tmp_path / "low" / "4.png").read_bytes())
    splits = [data.load_pairs(name, split) for split in ("train", "val", "test")]
    assert "3" in {n for pairs in splits for n in pairs.names}


def test_a_set_of_bad_pairs_alone_is_refused_and_a_handful_named(tmp_path):
    name = write_pairs(tmp_path, 9)
    for path in (tmp_path / "low").iterdir():
        path.write_bytes(b"")
    with pytest.raises(CourseError, match=r"No pair can be read: .*; and 4 more"):
        data.load_pairs(name, "train")
    assert not list((tmp_path / "cache").rglob("*.u8")), "no cache is left behind"
    assert len(data.check(name).problems) == 9
    for path in (tmp_path / "low").iterdir():
        path.unlink()
    with pytest.raises(CourseError, match="it holds no pairs"):
        data.load_pairs(name, "train")


NAMES = st.lists(st.sampled_from(["1.png", "1.jpg", "2.png", "low_2.png", "10_high.png", "a.png"]))


@given(NAMES, NAMES, st.sampled_from([by_name, by_number]))
def test_every_file_is_in_one_pair_or_named(low, normal, name):
    files = [Path("low", n) for n in set(low)], [Path("normal", n) for n in set(normal)]
    found, left_out = match(*files, "all", name)
    used = [path for pair in found for path in (pair.low, pair.normal)]
    assert len(used) == len(set(used))
    for path in [*files[0], *files[1]]:
        named = any(path in map(Path, sentence.split()) for sentence in left_out)
        assert (path in used) is not named


def test_two_projects_with_folders_of_the_same_name_keep_their_caches(tmp_path, monkeypatch):
    """One would delete the other's as outdated, which its workers may yet have to open."""
    for project in ("one", "two"):
        write_pairs(tmp_path / project, count=12)
        monkeypatch.chdir(tmp_path / project)
        data.load_pairs("folders:low:normal", "train")
    assert len(list(tmp_path.glob("cache/*/images.u8"))) == 2


def test_folders_that_do_not_exist(tmp_path):
    source = data.source(f"folders:{tmp_path / 'a'}:{tmp_path / 'b'}")
    for call in (source.where, source.check, lambda: source.pairs("test")):
        with pytest.raises(CourseError, match="There is no folder"):
            call()
    with pytest.raises(CourseError, match="folders:LOW_DIR:NORMAL_DIR"):
        data.source("folders:only_one")


def test_unknown_names():
    with pytest.raises(CourseError, match="did you mean lol_v2_real"):
        data.load_pairs("lol_v2_reel", "test")
    with pytest.raises(CourseError, match="did you mean val"):
        data.load_pairs("embedded", "valid")


def all_splits(official, scenes, names, **named):
    """The sets of indices that train, validate and test."""
    pairs = Pairs("set", tuple(names), tuple(scenes), [])
    return [
        set(split_indices(split, pairs, official, **named)) for split in ("train", "val", "test")
    ]


# Scenes 0 to 3 are sure to be there and to train, so that every split can be made.
@given(st.lists(st.tuples(st.sampled_from(["train", "test"]), st.integers(4, 30)), max_size=60))
def test_validation_shares_no_scene(pairs):
    official, scenes = zip(*[("train", scene) for scene in range(4)], *pairs, strict=True)
    names = [str(i) for i in range(len(official))]
    train, val, test = all_splits(official, scenes, names, mismatched={"0"})
    seen = [{scenes[i] for i in split} for split in (train, val, test)]
    assert not seen[1] & seen[0]
    assert not seen[1] & seen[2]
    assert train
    assert val
    assert test
    if "test" in official:
        assert test == {i for i, split in enumerate(official) if split == "test"}
    else:
        assert not seen[2] & seen[0]
    assert train | val | test == set(range(1, len(official)))


def test_drawn_splits_are_those_that_the_shipped_weights_were_trained_on():
    """Or other images would validate, among them those that they have seen."""
    official, scenes = ["train"] * 58 + ["test"] * 2, [i // 2 for i in range(60)]
    _, val, _ = all_splits(official, scenes, map(str, range(60)))
    assert val == {8, 9, 22, 23, 40, 41}


def test_named_scenes_validate():
    # The scene of "e" is in the test split, so it cannot validate.
    assert all_splits(
        ["train"] * 5 + ["test"],
        scenes=[0, 0, 1, 2, 3, 3],
        names=["a", "b", "c", "d", "e", "t"],
        validation={"b", "e"},
    ) == [{2, 3, 4}, {0, 1}, {5}]


def test_an_official_validation_split_is_kept():
    official = ["train", "val", "test", "train"]
    assert all_splits(official, [0, 1, 2, 3], "abcd") == [{0, 3}, {1}, {2}]


def test_sets_are_mixed_with_their_scenes_apart(pairs):
    other = pairs.subset([0, 3], "other")
    mixed = mix([pairs, other])
    assert mixed.title == "set and other"
    assert mixed.names == (*"abcde", "a", "d")
    assert mixed.scenes == (0, 0, 1, 2, 2, 3, 5)
    assert np.array_equal(mixed.raw(6)[0], pairs.raw(3)[0])


def test_balanced_sets_are_equally_large(pairs):
    mixed = mix([pairs.subset([0, 3], "other"), pairs], balance=True)
    assert mixed.names == (*"adada", *"abcde")
    assert mixed.scenes == (0, 2, 0, 2, 0, 3, 3, 4, 5, 5)


def test_no_set_trains_on_what_another_validates_or_tests_with(tmp_path, caplog):
    names = [write_pairs(tmp_path / "old", 30), write_pairs(tmp_path / "new", 30, first=11)]
    for both in ("+".join(names), "+".join(reversed(names))):
        train, val, test = (
            {pairs.raw(i)[1].tobytes() for i in range(len(pairs))}
            for pairs in (data.load_pairs(both, split) for split in ("train", "val", "test"))
        )
        assert train.isdisjoint(val | test)
        assert val.isdisjoint(test)
        assert len(train | val | test) == 40
    assert " shows the scene of " in caplog.text


def test_two_sets_are_loaded_by_their_names_and_a_plus_sign(tmp_path):
    names = [write_pairs(tmp_path / "one+two", 20), write_pairs(tmp_path / "three", 12, first=50)]
    splits = {name: data.load_pairs(name, "train") for name in (*names, "+".join(names))}
    one, three, both = map(len, splits.values())
    assert both == 2 * max(one, three)
    val = data.load_pairs("+".join(names), "val")
    assert len(val) == sum(len(data.load_pairs(name, "val")) for name in names)
    with_embedded = data.load_pairs(f"embedded+{names[1]}", "val")
    assert with_embedded.title == f"embedded/val and {names[1]}/val"
