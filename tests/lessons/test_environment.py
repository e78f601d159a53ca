"""The table that tells students whether everything is there that the course needs."""

from importlib import metadata

import pytest

from llie_helpers.lessons import environment


def row(what):
    return {row.what: row for row in environment.report().rows}[what]


def test_all_is_well_where_the_course_is_installed(monkeypatch, tmp_path):
    (tmp_path / "mse_cnn_lol_v1.safetensors").touch()
    monkeypatch.setattr(environment, "SHIPPED", tmp_path)
    for found in environment.report().rows:
        assert found.remark.startswith("for" if found.what.startswith("optional") else "ok")


def test_names_what_is_missing_and_what_is_too_old(monkeypatch):
    def version(name, real=metadata.version):
        if name == "kaggle":
            raise metadata.PackageNotFoundError(name)
        return "0.1" if name == "tqdm" else real(name)

    monkeypatch.setattr(environment.metadata, "version", version)
    assert row("packages").remark == "see below"
    assert row("kaggle").found == "absent"
    assert row("tqdm").found == "0.1"
    assert 'pip install "tqdm>=' in row("tqdm").remark


def test_says_so_where_the_package_is_not_installed(monkeypatch):
    def requires(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(environment.metadata, "requires", requires)
    assert "pip install -e ." in row("llie_helpers").remark


def test_misses_the_weights(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "SHIPPED", tmp_path)
    assert row("shipped weights").found == "none"


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("LLIE_RUNS", str(tmp_path / "not" / "there"))
    assert row("folder for results").remark == "ok"
    monkeypatch.setattr(environment.os, "access", lambda path, mode: False)
    assert "LLIE_RUNS" in row("folder for results").remark
    assert row("folder for results").found == "there cannot be written"


@pytest.mark.parametrize("installed", [True, False])
def test_optional_packages_are_never_demanded(monkeypatch, installed):
    monkeypatch.setattr(environment, "find_spec", lambda name: object() if installed else None)
    found = row("optional: rawpy")
    assert found.found == ("installed" if installed else "absent")
    assert ("pip install" in found.remark) is not installed
