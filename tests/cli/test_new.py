"""`edgewise new` writes packages whose own tests pass; the page on methods of one's own shows what it writes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgewise.cli.new import new
from edgewise.errors import ConfigError

THINGS = {thing.value: thing for thing in new.__globals__["Thing"]}
PAGE = Path(__file__).parents[2] / "docs" / "plugins.md"


@pytest.mark.parametrize("thing", THINGS)
def test_the_tests_of_a_new_package_pass(thing: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "mine"
    new(THINGS[thing], f"own-{thing}-2", folder)
    assert f"--plugin {folder}/edgewise_own_{thing}_2.py" in capsys.readouterr().out
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTEST")},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^[23] passed", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Mine", "small letters and digits"),
        ("../mine", "small letters and digits"),
        ("projection", "there is a part 'projection' already"),
        ("skip-connect", "there is a primitive 'skip-connect' already"),
    ],
)
def test_a_name_that_does_not_do_is_refused_and_nothing_is_written(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        new(THINGS["part"], name, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is there already"):
        new(THINGS["part"], "mine", tmp_path)


def test_the_part_on_the_page_is_the_one_that_is_written(tmp_path: Path) -> None:
    new(THINGS["part"], "alpha-decay", tmp_path / "mine")
    shown = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    written = (tmp_path / "mine" / "edgewise_alpha_decay.py").read_text()
    (own,) = re.findall(r"@register_part\n.*?\.sum\(\)\n", written, re.DOTALL)
    assert own in shown
    file = tmp_path / "page.py"
    file.write_text(shown)
    done = subprocess.run(
        [sys.executable, "-m", "edgewise", "recipes", "show", "alpha-decay", "--plugin", str(file)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "[parts.alpha_decay]\nweight = 0.01" in done.stdout, done.stderr
