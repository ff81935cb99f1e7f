import pytest
import torch

from burnish.errors import ConfigError
from burnish.methods.cap.weights import Magnitude


def test_the_score_is_the_absolute_weight(state_of):
    weight = torch.tensor([[-2.0, 0.5], [0.0, 1.0]])
    assert Magnitude().score(state_of(weight)).tolist() == [[2.0, 0.5], [0.0, 1.0]]


def test_another_ranking_is_refused():
    with pytest.raises(ConfigError, match="ranking is matrix or global, got 'row'"):
        Magnitude(ranking="row")
