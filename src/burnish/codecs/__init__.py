"""Compressors of updates, and the wire they travel on.

A codec takes a vector of float32 numbers and knows nothing of the model it came from. Everything
public is importable from here and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.codecs.autoencoder import ResNetCodec
    from burnish.codecs.blockwise import Int4, Int8, Nf4
    from burnish.codecs.casting import Half, Identity
    from burnish.codecs.certificate import Certificate, certify
    from burnish.codecs.count_sketch import CountSketch
    from burnish.codecs.dgc import Dgc
    from burnish.codecs.errors import (
        CorruptPayload,
        IncompatibleCodec,
        LayoutMismatch,
        NotFinite,
        UnviableCodec,
    )
    from burnish.codecs.frequency import BestFrequencies, LowPass
    from burnish.codecs.guarded import Guarded, guarded_as_may_be
    from burnish.codecs.hostile import hostile
    from burnish.codecs.image import Image
    from burnish.codecs.kseed import KSeed
    from burnish.codecs.masked_sign import MaskedSign
    from burnish.codecs.named import NAMES, codec_named
    from burnish.codecs.pca import Pca
    from burnish.codecs.powersgd import PowerSgd
    from burnish.codecs.protocol import Codec, Context, Header, Joining, Part, Payload, Setting
    from burnish.codecs.qsgd import Qsgd
    from burnish.codecs.resnet import ResNetAutoEncoder
    from burnish.codecs.saving import load_codec, save_codec
    from burnish.codecs.shifted import Shifted
    from burnish.codecs.sign import MajoritySign, SignMean
    from burnish.codecs.snapshots import Snapshots
    from burnish.codecs.srht import Srht
    from burnish.codecs.topk import TopK
    from burnish.codecs.wire import fingerprint, from_bytes, members, sealed, to_bytes

_HOME = {
    "autoencoder": ("ResNetCodec",),
    "blockwise": ("Int4", "Int8", "Nf4"),
    "casting": ("Half", "Identity"),
    "certificate": ("Certificate", "certify"),
    "count_sketch": ("CountSketch",),
    "dgc": ("Dgc",),
    "errors": (
        "CorruptPayload",
        "IncompatibleCodec",
        "LayoutMismatch",
        "NotFinite",
        "UnviableCodec",
    ),
    "frequency": ("BestFrequencies", "LowPass"),
    "guarded": ("Guarded", "guarded_as_may_be"),
    "hostile": ("hostile",),
    "image": ("Image",),
    "kseed": ("KSeed",),
    "masked_sign": ("MaskedSign",),
    "named": ("NAMES", "codec_named"),
    "pca": ("Pca",),
    "powersgd": ("PowerSgd",),
    "protocol": ("Codec", "Context", "Header", "Joining", "Part", "Payload", "Setting"),
    "qsgd": ("Qsgd",),
    "resnet": ("ResNetAutoEncoder",),
    "saving": ("load_codec", "save_codec"),
    "shifted": ("Shifted",),
    "sign": ("MajoritySign", "SignMean"),
    "snapshots": ("Snapshots",),
    "srht": ("Srht",),
    "topk": ("TopK",),
    "wire": ("fingerprint", "from_bytes", "members", "sealed", "to_bytes"),
}

__all__ = [
    "NAMES",
    "BestFrequencies",
    "Certificate",
    "Codec",
    "Context",
    "CorruptPayload",
    "CountSketch",
    "Dgc",
    "Guarded",
    "Half",
    "Header",
    "Identity",
    "Image",
    "IncompatibleCodec",
    "Int4",
    "Int8",
    "Joining",
    "KSeed",
    "LayoutMismatch",
    "LowPass",
    "MajoritySign",
    "MaskedSign",
    "Nf4",
    "NotFinite",
    "Part",
    "Payload",
    "Pca",
    "PowerSgd",
    "Qsgd",
    "ResNetAutoEncoder",
    "ResNetCodec",
    "Setting",
    "Shifted",
    "SignMean",
    "Snapshots",
    "Srht",
    "TopK",
    "UnviableCodec",
    "certify",
    "codec_named",
    "fingerprint",
    "from_bytes",
    "guarded_as_may_be",
    "hostile",
    "load_codec",
    "members",
    "save_codec",
    "sealed",
    "to_bytes",
]


__getattr__ = lazily(__name__, _HOME)
