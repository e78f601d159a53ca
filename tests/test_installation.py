"""The course can be installed on every system, and on Colab and Kaggle beside what is there.

uv resolves for systems other than this one: pip evaluates markers such as ``platform_system`` for
the computer that it runs on. Nothing is downloaded but metadata.
"""

import os
import re
import subprocess
import sys
import tomllib

import pytest
from builder.source import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = SETTINGS["optional-dependencies"]
FLOORS = {need.name: need.specifier for need in map(Requirement, SETTINGS["dependencies"])}
SYSTEMS = {
    "Linux": "x86_64-manylinux_2_28",
    "Linux on ARM": "aarch64-manylinux_2_28",
    "macOS 14": "aarch64-apple-darwin",
    "Windows": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.12", "3.13")
HOSTS = ("colab", "kaggle")
# How a teacher gathers files for computers without a network: pip's command, and its option.
GATHERED = set(
    re.findall(
        r"^    pip (wheel|download) .*?(-\w) wheels\b",
        (ROOT / "docs" / "teachers.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
)


def listed(host):
    """The packages that ``host`` comes with, and its Python."""
    text = (ROOT / ".ci" / f"{host}.txt").read_text(encoding="utf-8")
    packages = dict(re.findall(r"^([\w-]+)==(\S+)$", text, re.MULTILINE))
    return packages, re.search(r"^# Python ([\d.]+)$", text, re.MULTILINE)[1]


def resolve(*arguments, python, system):
    """The versions that would be installed, by package; wheels only."""
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, "--no-header"]
    command += ["--no-annotate", "--python-version", python, "--python-platform", SYSTEMS[system]]
    # pyvips alone has no wheel: it is pure Python, and pyvips-binary brings its library.
    command += ["--only-binary", ":all:", "--no-binary", "pyvips"]
    environment = {"UV_PYTHON_DOWNLOADS": "never", "MACOSX_DEPLOYMENT_TARGET": "14.0"}
    found = online(command, ROOT, environment)
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", found, re.MULTILINE))


def online(command, folder, environment=None):
    """What a command prints that succeeds in ``folder``, with the network that tests lack."""
    proxies = {name: "" for name in os.environ if name.lower() in ("http_proxy", "https_proxy")}
    variables = os.environ | proxies | (environment or {})
    ran = subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True)
    # As uv says it, and pip.
    if re.search(r"client error \(Connect\)|after connection broken", ran.stderr):
        pytest.skip("PyPI cannot be reached")
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def extras(*names):
    return [argument for name in names for argument in ("--extra", name)]


@pytest.mark.slow
@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", SYSTEMS)
def test_every_pin_and_every_extra_has_wheels_for_every_system(system, python):
    found = resolve(
        "requirements.txt", "pyproject.toml", *extras(*EXTRAS), python=python, system=system
    )
    assert "torch" in found
    assert ("xgboost-cpu" in found) is (system != "macOS 14")


@pytest.mark.slow
@pytest.mark.parametrize(("verb", "folder"), sorted(GATHERED))
def test_what_a_teacher_gathers_can_be_installed_without_a_network(verb, folder, tmp_path):
    # pyvips comes as source. To build it, pip wants tools that it then cannot get.
    pip = [sys.executable, "-m", "pip"]
    online([*pip, verb, "--no-deps", folder, "wheels", "pyvips"], tmp_path)
    install = [*pip, "install", "--no-deps", "--no-index", "--find-links", "wheels"]
    online([*install, "--target", "here", "pyvips"], tmp_path)
    assert (tmp_path / "here" / "pyvips").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_installing_on_top_replaces_nothing(host):
    # A constraint holds a package at its version; where that cannot be, there is no solution.
    packages, python = listed(host)
    kept = ["--constraint", f".ci/{host}.txt"]
    found = resolve(
        "pyproject.toml", *extras("video", "onnx"), *kept, python=python, system="Linux"
    )
    assert found.keys() & packages.keys() >= {"torch", "numpy", "ipywidgets"}
    assert all(packages[name] == found[name] for name in found.keys() & packages.keys())


@pytest.mark.parametrize("host", HOSTS)
def test_what_the_host_has_satisfies_the_floors(host):
    packages, python = listed(host)
    assert SpecifierSet(SETTINGS["requires-python"]).contains(python)
    assert {"torch", "numpy", "ipywidgets"} <= packages.keys() & FLOORS.keys()
    for name in packages.keys() & FLOORS.keys():
        assert FLOORS[name].contains(packages[name]), name


@pytest.mark.parametrize("package", FLOORS)
def test_a_dependency_has_a_floor_and_no_ceiling(package):
    assert [clause.operator for clause in FLOORS[package]] == [">="]


def test_what_runs_the_notebooks_is_left_to_the_host():
    assert not {"ipython", "ipykernel", "traitlets", "opencv-contrib-python"} & FLOORS.keys()
