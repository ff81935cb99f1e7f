"""Distillation losses."""

from burnish.distill.soft_targets import soft_target_kl

__all__ = ["soft_target_kl"]
