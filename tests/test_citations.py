"""Every citation is an entry that BibTeX reads, with what is known of its source and nothing invented."""

from __future__ import annotations

import re

import pytest

from edgewise.citations import CITATIONS, Citation, read_citations

KNOWN = {
    "darts": ("Liu", 2019, "1806.09055"),
    "pc-darts": ("Xu", 2020, "1907.05737"),
    "p-darts": ("Chen", 2019, "1904.12760"),
    "gdas": ("Dong", 2019, "1910.04465"),
    "robust-darts": ("Zela", 2020, "1909.09656"),
    "smooth-darts": ("Chen", 2020, "2002.05283"),
    "noisy-darts": ("Chu", 2021, "2005.03566"),
    "gradient-surgery": ("Yu", 2020, "2001.06782"),
    "nasnet": ("Zoph", 2018, "1707.07012"),
    "amoebanet": ("Real", 2019, "1802.01548"),
    "fractalnet": ("Larsson", 2017, "1605.07648"),
    "cutout": ("DeVries", 2017, "1708.04552"),
    "sgdr": ("Loshchilov", 2017, "1608.03983"),
    "googlenet": ("Szegedy", 2015, "1409.4842"),
    "resnet": ("He", 2016, "1512.03385"),
    "mobilenetv2": ("Sandler", 2018, "1801.04381"),
    "mlperf-tiny": ("Banbury", 2021, "2106.07597"),
    "nas-bench-201": ("Dong", 2020, "2001.00326"),
    "neat": ("Stanley", 2002, None),
    "cifar": ("Krizhevsky", 2009, None),
    "thesis": ("King", None, None),
}


def fields(citation: Citation) -> dict[str, str]:
    """The fields of an entry; fails where braces or commas are wrong."""
    head = re.match(r"@[a-z]+\{[a-z0-9_]+,\n", citation.bibtex)
    assert head, citation.bibtex
    body, found = citation.bibtex[head.end() :], {}
    while match := re.match(r"  (\w+) = \{", body):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(body[end], 0)
            end += 1
        assert match[1] not in found
        found[match[1]] = body[match.end() : end - 1]
        body = body[end:].removeprefix(",").removeprefix("\n")
    assert body == "}"
    return found


def test_all_that_is_known_is_there() -> None:
    assert set(KNOWN) <= set(CITATIONS)


def test_what_is_no_entry_with_a_name_of_its_own_is_refused() -> None:
    entry = "@misc{a,\n  title = {A}\n}"
    assert read_citations(f"% about this file\n\n% a: what.\n{entry}\n") == {"a": Citation("a", entry, "what.")}
    for text in (entry, f"% a\n{entry}", f"% a: one.\n{entry}\n\n% a: two.\n{entry}"):
        with pytest.raises(ValueError, match="an entry needs"):
            read_citations(text)


def test_no_two_entries_have_one_bibtex_key() -> None:
    keys = [citation.bibtex.partition("{")[2].partition(",")[0] for citation in CITATIONS.values()]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("key", KNOWN)
def test_an_entry_names_first_author_year_and_arxiv_number(key: str) -> None:
    found, (author, year, arxiv) = fields(CITATIONS[key]), KNOWN[key]
    assert found["author"].startswith(f"{author}, ")
    assert found.get("year") == (None if year is None else str(year))
    assert found.get("eprint") == arxiv
    assert (found.get("archivePrefix") == "arXiv") == (arxiv is not None)
    assert found["title"]
    assert CITATIONS[key].note.endswith(".")


def test_authors_are_all_written_last_name_first() -> None:
    for citation in CITATIONS.values():
        for author in re.split(r"\s+and\s+", fields(citation)["author"]):
            assert re.fullmatch(r"(?:Di )?[\w-]+, [\w. -]+", author), author
