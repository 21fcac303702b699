"""Facts survive the metadata exactly, and contradict neither themselves nor the network."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.errors import ExportError, RunError
from edgewise.export import NetworkFacts
from edgewise.export.facts import from_metadata, to_metadata
from edgewise.nn import NetworkSpec
from edgewise.spaces import published

CELLS = published("PC_DARTS_cifar")
NAMES = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=8)
FLOATS = st.floats(0.0, 1.0, exclude_min=True)
FACTS = NetworkFacts(CELLS, NetworkSpec(8, 5, 2), ("a", "b"), (0.1, 0.2, 0.3), (0.4, 0.5, 0.6), 32)


@settings(max_examples=50)
@given(st.data())
def test_facts_come_back_from_the_metadata_as_they_were(data) -> None:
    channels, classes = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 5))
    spec = NetworkSpec(8, 5, classes, channels, data.draw(st.sampled_from(["cifar", "half", "imagenet"])))
    facts = NetworkFacts(
        CELLS,
        spec,
        tuple(data.draw(NAMES) for _ in range(classes)),
        tuple(data.draw(FLOATS) for _ in range(channels)),
        tuple(data.draw(FLOATS) for _ in range(channels)),
        data.draw(st.integers(1, 500)),
    )
    assert from_metadata(to_metadata(facts), where="x") == facts


@pytest.mark.parametrize("name", ["none", "true", "3", "0.5", "", '"quoted"', "käfer", "a\nb"])
def test_no_class_name_is_read_as_something_else(name: str) -> None:
    facts = replace(FACTS, class_names=(name, "other"))
    assert from_metadata(to_metadata(facts), where="x").class_names == (name, "other")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"class_names": ("a",)}, "1 class names for 2 classes"),
        ({"mean": (0.5,)}, "mean has 1 values for 3 channels"),
        ({"std": (0.5,)}, "std has 1 values for 3 channels"),
        ({"std": (0.5, 0.0, 0.5)}, "std must be above 0"),
        ({"mean": (0.5, float("nan"), 0.5)}, "mean is not finite"),
        ({"std": (0.5, float("nan"), 0.5)}, "std is not finite"),
        ({"image_size": 0}, "image_size is 0"),
    ],
)
def test_facts_that_contradict_each_other_are_refused(changes: dict, told: str) -> None:
    with pytest.raises(ExportError, match=told):
        replace(FACTS, **changes)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": "edgewise.network/2"}, r"'edgewise.network/2', this version reads 'edgewise.network/1'"),
        ({"format": "pt"}, "no network of edgewise"),
        ({"format": None}, "no network of edgewise"),
        ({"mean": None}, "lack mean"),
        ({"mean": "[0.1, 0.2]"}, "mean has 2 values for 3 channels"),
        ({"mean": "[0.1, 0.2"}, "metadata can't be read"),
        ({"spec": "[]"}, "spec: must be a table"),
        ({"spec": '{"channels": 8, "layers": 5, "classes": 2, "stem": "giant"}'}, "spec.stem"),
        ({"spec": '{"channels": 8, "layers": 2, "classes": 2}'}, "at least 3 cells"),
        ({"genotype": "{}"}, "genotype: expected an object"),
        ({"image_size": '"big"'}, "image_size"),
    ],
)
def test_metadata_that_are_foreign_or_damaged_are_told_with_the_file(changes: dict, told: str) -> None:
    texts = {**to_metadata(FACTS), **changes}
    metadata = {key: text for key, text in texts.items() if text is not None}
    with pytest.raises(RunError, match=told) as caught:
        from_metadata(metadata, where="net.safetensors")
    assert "net.safetensors" in str(caught.value)
