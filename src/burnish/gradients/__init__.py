"""What gradients say of a model's inputs. Knows no task, text or method.

Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.gradients.attention import short_attention
    from burnish.gradients.integrated import Integrated, integrated_gradients
    from burnish.gradients.products import onednn_products
    from burnish.gradients.quadrature import Quadrature, clenshaw_curtis, gauss_legendre

_HOME = {
    "attention": ("short_attention",),
    "integrated": ("Integrated", "integrated_gradients"),
    "products": ("onednn_products",),
    "quadrature": ("Quadrature", "clenshaw_curtis", "gauss_legendre"),
}

__all__ = [
    "Integrated",
    "Quadrature",
    "clenshaw_curtis",
    "gauss_legendre",
    "integrated_gradients",
    "onednn_products",
    "short_attention",
]


__getattr__ = lazily(__name__, _HOME)
