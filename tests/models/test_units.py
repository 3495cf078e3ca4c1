"""Units of a generator: their values, silencing them, their effect: against the layers called by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from models.engine.engine import Engine
from models.latent import silenced_units
from models.requests import Request
from models.types import Failure, Refusal, Result
from tests.models.generators import gan, vae


def asked(engine: Engine, inspection: str, model: str, **params: object) -> Result:
    answer = engine.run(Request.make(inspection, model, None, params))  # type: ignore[arg-type]
    assert isinstance(answer, Result), answer
    return answer


def test_units_are_the_values_of_the_layer_for_the_code(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), vae(tmp_path)
    told = asked(engine, "units", model, code="seed:4", layer="decoder.convT1")
    decoder, z = engine.model(model).net.decoder, torch.from_numpy(engine.model(model).space.draw(4))
    with torch.no_grad():
        h = functional.relu(decoder.lin3(functional.relu(decoder.lin2(functional.relu(decoder.lin1(z))))))
        expected = decoder.convT1(h.view(1, -1, 4, 4))[0].numpy()
    assert np.allclose(told.arrays["maps"], expected, atol=1e-5)
    assert np.allclose(told.arrays["mean"], expected.mean((1, 2)), atol=1e-5)
    assert told.meta["layer"] == "decoder.convT1" and told.meta["extent"] == (0, 0, 32, 32)
    assert [call["id"] for call in told.meta["calls"]][:3] == ["decoder.lin1", "decoder.lin2", "decoder.lin3"]
    by_itself = asked(engine, "units", model)
    assert by_itself.meta["layer"] == "decoder.convT2", "the last one before the picture"
    assert asked(engine, "units", gan(tmp_path)).meta["layer"] == "generator.1"


@pytest.mark.parametrize("layer", ["decoder.convT2", "decoder.lin1"])
def test_a_silenced_unit_is_as_if_its_weights_were_zero(tmp_path: Path, layer: str) -> None:
    engine, model = Engine(threads=1), vae(tmp_path)
    quiet = asked(engine, "decode", model, code="seed:4", silent=f"{layer}#1,3").arrays["picture"]
    plain = asked(engine, "decode", model, code="seed:4").arrays["picture"]
    opened = engine.model(model)
    module = opened.net.get_submodule(layer)
    kept = {name: value.clone() for name, value in module.state_dict().items()}
    rows = module.weight.transpose(0, 1) if "convT" in layer else module.weight
    with torch.no_grad():
        rows[[1, 3]] = 0
        module.bias[[1, 3]] = 0
    expected = opened.pictures(opened.space.draw(4))[0]
    module.load_state_dict(kept)
    assert np.array_equal(quiet, expected) and not np.array_equal(quiet, plain)
    assert np.array_equal(asked(engine, "decode", model, code="seed:4").arrays["picture"], plain), "nothing stays"


def test_the_effect_of_a_unit_is_how_much_the_picture_changes_without_it(tmp_path: Path) -> None:
    engine = Engine(threads=1)
    for model, layer in ((vae(tmp_path), "decoder.convT2"), (gan(tmp_path), "generator.0")):
        told = asked(engine, "units", model, code="seed:2", layer=layer, sort="relevance")
        plain = asked(engine, "decode", model, code="seed:2").arrays["picture"].astype(float)
        for unit in range(4):
            without = asked(engine, "decode", model, code="seed:2", silent=f"{layer}#{unit}").arrays["picture"]
            change = abs(without.astype(float) - plain)[..., 0].mean() / 255
            assert abs(change - told.arrays["relevance"][unit]) < 0.6 / 255
        assert np.array_equal(told.arrays["order"], np.argsort(-told.arrays["relevance"], kind="stable"))


def test_units_that_are_not_there_are_refused(tmp_path: Path) -> None:
    engine, model = Engine(threads=1), vae(tmp_path)
    for text, reason in {
        "decoder.convT2": "names no units",
        "decoder.convT2#a": "names no units",
        "#3": "names no units",
        "decoder.convT2#-1": "names no units",
        "decoder.convT2#99": "no unit 99",
        "nowhere#1": "no layer 'nowhere'",
    }.items():
        answer = engine.run(Request.make("decode", model, None, {"silent": text}))
        assert isinstance(answer, Failure) and reason in answer.message, (text, answer)
    with pytest.raises(Refusal):
        silenced_units.parse("a#1;b")
    assert silenced_units.parse(silenced_units.write({"a.b": (2, 7), "c": ()})) == {"a.b": (2, 7)}
