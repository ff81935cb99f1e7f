"""Contrastive losses: tensors in, scalars out; nothing here knows what the vectors stand for."""

from burnish.contrast.bank import BankTerms, bank_contrast

__all__ = ["BankTerms", "bank_contrast"]
