"""What the repository says in several places says the same everywhere, and names no machine."""

import re
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from tools import stamp
from tools.chapters import ROOT, discover

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGES = PROJECT["dependencies"] + [name for extra in EXTRAS.values() for name in extra]


def tracked():
    """Every text file under version control: path -> content."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = {}
    for name in filter(None, listing.stdout.split("\0")):
        try:
            files[name] = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or a file deleted and not yet committed
    return files


def load(name):
    return yaml.safe_load((ROOT / name).read_text())


def test_environment_yml_holds_the_packages_of_pyproject():
    *conda, pip = load("environment.yml")["dependencies"]
    assert conda == ["python=3.12", "pip"]
    assert sorted(pip["pip"]) == sorted([*PACKAGES, "-e ."])


def test_lock_covers_pyproject():
    locked = stamp.locked_versions(ROOT)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for requirement in map(Requirement, PACKAGES + build):
        version = locked.get(stamp.requirement_name(requirement.name))
        assert version, f"requirements/lock.txt lacks {requirement}; run: make lock"
        assert version in requirement.specifier, f"not {requirement}: {version}; run: make lock"


def test_every_locked_package_has_hashes():
    lines = (ROOT / "requirements" / "lock.txt").read_text().replace("\\\n", " ").splitlines()
    for line in filter(None, lines):
        assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), line


def test_colab_floor_is_allowed():
    pins = dict(
        line.split("==")
        for line in (ROOT / "requirements" / "colab-floor.txt").read_text().splitlines()
        if not line.startswith("#")
    )
    for requirement in map(Requirement, PROJECT["dependencies"] + EXTRAS["chapters"]):
        assert pins[requirement.name] in requirement.specifier


def test_no_file_names_a_registry_or_a_machine():
    # Written in pieces, so that this file does not hold what it looks for.
    hosts = ["pypi" + ".org", "python" + "hosted.org", "registry." + "npmjs", "anaconda" + ".org"]
    options = ["--index" + "-url", "--extra-index" + "-url", "--find" + "-links"]
    folders = rf"(?<![\w.*/<-])/(?:{'root|home|Users|work'})/\w"
    forbidden = re.compile("|".join([*map(re.escape, hosts + options), folders]))
    found = [
        f"{name}: {match.group()!r}"
        for name, text in tracked().items()
        for match in forbidden.finditer(text)
    ]
    assert not found, "\n".join(found)


def test_pythons():
    names = PROJECT["classifiers"]
    pythons = re.findall(r"Python :: (3\.\d+)", "\n".join(names))
    assert pythons == ["3.11", "3.12", "3.13"]
    assert PROJECT["requires-python"] == f">={pythons[0]}"
    matrix = load(".github/workflows/tests.yml")["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["python"] == pythons


def test_one_version():
    version = PROJECT["version"]
    assert load("CITATION.cff")["version"] == version
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(r"^## (\S+)", changelog, re.MULTILINE).group(1) == version
    package = (ROOT / "src" / "tutorlib" / "__init__.py").read_text()
    assert f'__version__ = "{version}"' in package


def test_one_url():
    url = load("_config.yml")["repository"]["url"]
    assert PROJECT["urls"]["Repository"] == url
    assert load("CITATION.cff")["repository-code"] == url
    for name in ["README.md", *(f"notebooks/{c.notebook.name}" for c in discover())]:
        text = (ROOT / name).read_text()
        assert url in text, f"{name} does not name {url}"
        links = re.findall(r"https://github\.com/[\w-]+/papers-in-motion\b", text)
        assert set(links) <= {url}, f"{name} names {set(links)}"


def test_readme_opens_with_the_two_commands():
    first_screen = (ROOT / "README.md").read_text().splitlines()[:40]
    assert {"make book", "make test"} <= {line.split("  ")[0] for line in first_screen}


def test_ruff_is_clean():
    ruff = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--quiet", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ruff.returncode == 0, ruff.stdout


def environment_sh(root, python, path="/usr/bin:/bin"):
    """Run tools/environment.sh in a folder of its own, without an environment yet."""
    for name in ("tools/environment.sh", "requirements/lock.txt", "pyproject.toml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    return subprocess.run(
        ["/bin/sh", "tools/environment.sh", str(python)],
        cwd=root,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("exit 1", "is not Python 3.11 or newer (it says: Python 3.9.1)"),
        ('case "$2" in *ensurepip*) exit 1;; *) echo True;; esac', "python3-venv"),
    ],
)
def test_an_unsuitable_python_gives_one_sentence(tmp_path, answers, message):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n[ $1 = --version ] && echo Python 3.9.1\n{answers}\n")
    python.chmod(0o755)
    answer = environment_sh(tmp_path, python)
    assert answer.returncode == 1
    assert message in answer.stderr and answer.stderr.count("\n") == 1 and not answer.stdout


def test_a_missing_python_or_git_gives_one_sentence(tmp_path):
    answer = environment_sh(tmp_path, "no-such-python")
    assert answer.returncode == 1
    assert "install Python 3.11" in answer.stderr and answer.stderr.count("\n") == 1
    answer = environment_sh(tmp_path, sys.executable, path=tmp_path / "empty")
    assert "install git" in answer.stderr and answer.stderr.count("\n") == 1


# Stands for python3 and for .venv/bin/python; `broken` and `offline` are files in the folder.
PYTHON = """#!/bin/sh
case "$*" in
*"-m venv"*) mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo made "$*" >>log;;
*"-m pip"*)
    [ ! -e offline ] || { echo "ERROR: No matching distribution found for absl-py" >&2; exit 1; };;
"-I -c"*) [ ! -e broken ];;
*ensurepip*) ;;
*) echo True;;
esac
"""


@pytest.fixture
def fake_python(tmp_path):
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    return python


def test_an_environment_that_stopped_working_is_built_anew(tmp_path, fake_python):
    assert "Installing" in environment_sh(tmp_path, fake_python).stdout
    again = environment_sh(tmp_path, "no-such-python")  # not asked for when nothing is to be done
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
    (tmp_path / "broken").touch()
    anew = environment_sh(tmp_path, fake_python)
    assert anew.returncode == 0, anew.stderr
    assert [line.split()[0] for line in anew.stdout.splitlines()] == ["The", "Installing"]
    assert "does not work any more" in anew.stdout
    log = (tmp_path / "log").read_text().splitlines()
    assert len(log) == 2 and "--clear" in log[1]
    # A link leads to the environment of another folder, which is not ours to clear.
    (tmp_path / ".venv").rename(tmp_path / "other")
    (tmp_path / ".venv").symlink_to("other")
    linked = environment_sh(tmp_path, fake_python)
    assert linked.returncode == 1 and "delete the link" in linked.stderr
    assert (tmp_path / "other" / "ready").exists()


def test_an_index_out_of_reach_is_named(tmp_path, fake_python):
    (tmp_path / "offline").touch()
    answer = environment_sh(tmp_path, fake_python)
    assert answer.returncode == 1
    said, explained = answer.stderr.splitlines()
    assert "No matching distribution found for absl-py" in said
    assert "the package index could not be reached" in explained
    assert not (tmp_path / ".venv" / "lock.txt").exists()
