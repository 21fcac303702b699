"""docs/studies.md: the file that it shows is a study."""

from __future__ import annotations

from pathlib import Path

from edgewise.config.toml import from_toml
from edgewise.study import make_cells
from edgewise.study.spec import spec_from_table

PAGE = Path(__file__).parents[2] / "docs" / "studies.md"


def test_the_study_on_the_page_can_be_planned(tmp_path: Path) -> None:
    lines = PAGE.read_text().split("## The file")[1].split("| name |")[0].splitlines()
    text = "\n".join(line[4:] for line in lines if line.startswith("    ") or not line)
    (tmp_path / "mine.toml").write_text('base = "darts"\nname = "mine"\n')
    cells = make_cells(spec_from_table(from_toml(text), tmp_path))
    assert len(cells) == 4 * 2 * 2
    assert {cell.title for cell in cells} >= {"pc-darts", "mine", "PC-DARTS, edges out of a node"}
