"""Laws of the decoder without torch."""

import numpy as np
import pytest
import torch

from rareflow.generators.networks import Decoder, activate, membership
from rareflow.generators.portable import tensors
from tests.generators.tables import mixed, untrained

X, Y = mixed()


def generator_of(**settings):
    return untrained(X, Y, **settings)[0]


@pytest.mark.parametrize("count", [1, 7, 8, 15, 16, 17, 41])
def test_the_decoder_without_torch_says_block_by_block_what_torch_s_says(monkeypatch, count):
    monkeypatch.setattr("rareflow.generators.portable.decoder._BLOCK_ROWS", 8)
    generator = generator_of()
    decoder = Decoder(3, 4, 8, generator.layout.width)
    weights = {
        key: torch.from_numpy(value)
        for key, value in tensors.tensors_of(generator.tensors, "decoder.").items()
    }
    decoder.load_state_dict(weights)
    z = torch.randn(count, 3, generator=torch.Generator().manual_seed(0))
    for index in range(4):
        c = torch.nn.functional.one_hot(torch.full((count,), index), 4).float()
        with torch.no_grad():
            raw = decoder(z, c)
            expected = activate(raw, membership(generator.layout, like=raw))
        np.testing.assert_allclose(
            generator.sampling.decoder.decode(z.T.numpy(), index).T, expected, atol=1e-6
        )
