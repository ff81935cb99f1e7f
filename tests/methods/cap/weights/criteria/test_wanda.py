import pytest
import torch

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights import Wanda


def test_matches_a_loop_over_single_weights(state_of):
    weight, norms = torch.tensor([[1.0, -2.0, 0.0], [0.5, 3.0, -4.0]]), torch.tensor([3.0, 0, 0.5])
    found = Wanda().score(state_of(weight, input_norm=norms))
    for row in range(2):
        for column in range(3):
            wanted = abs(float(weight[row, column])) * float(norms[column])
            assert found[row, column].item() == wanted


def test_without_calibration_it_raises(state_of):
    with pytest.raises(BurnishError, match="call `calibrate` first"):
        Wanda().score(state_of(torch.ones(2, 2)))


def test_no_sequences_are_refused():
    with pytest.raises(ConfigError, match="sequences must be at least 1, got 0"):
        Wanda(sequences=0)
