"""The record by which burnish knows StrucText-Eval."""

from __future__ import annotations

from burnish.methods.structext.config import StructextConfig
from burnish.registry import Method

METHOD = Method(
    name="structext",
    title="StrucText-Eval",
    paper="Gu et al., StrucText-Eval, ACL 2025 long paper 11, https://arxiv.org/abs/2406.10621",
    summary="Can this LLM read JSON, YAML, XML, CSV, trees, Markdown, LaTeX and Org?",
    config=StructextConfig,
    run="burnish.methods.structext.run:run",
    claims="burnish.methods.structext.claims:CLAIMS",
    package="burnish.methods.structext",
    extra="structext",
    cli="burnish.methods.structext.cli:structext",
    assets=("smollm2-135m-instruct",),
)
