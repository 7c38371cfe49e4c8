"""Reads the settings for Google Cloud from `vertex.yaml` and the flags, which win. Sends no request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from textgen.config.flags import Parser, build
from textgen.config.vertex import FLAGS_ONLY, VertexConfig, VertexFile
from textgen.config.yaml_text import from_yaml
from textgen.errors import FormatError, MissingError
from textgen.storage import read_text

_FILE = Path("vertex.yaml")

OF_A_PROJECT = ("project", "region", *FLAGS_ONLY)
"""The settings that say where existing jobs are."""


def add_vertex_settings(parser: Parser, names: Collection[str] | None = None) -> None:
    """Adds the flags that `read_vertex_config` understands.

    Args:
        parser: the parser of a command.
        names: the settings that the command uses; None for all. Others are accepted in `vertex.yaml`, which is for all commands.
    """
    parser.add_settings(VertexConfig, names)
    parser.add_settings(VertexFile)


def make_vertex_parser(
    name: str, usage: str, description: str, *commands: type[Any], names: Collection[str] = OF_A_PROJECT
) -> Parser:
    """Returns the parser of a command of `textgen vertex` that trains nothing.

    Args:
        name: the name of the command.
        usage: its arguments, for the line after "usage:".
        description: what the command does, in a sentence or two.
        commands: the command's own settings.
        names: the settings for Google Cloud that it uses.
    """
    program = f"textgen vertex {name}"
    parser = Parser(program, f"{program} {usage}", description)
    for command in commands:
        parser.add_settings(command)
    add_vertex_settings(parser, names)
    parser.add_help_and_version()
    return parser


def read_vertex_config(values: Mapping[str, Any]) -> VertexConfig:
    """Returns the settings from the flags and the file.

    Args:
        values: the values of the flags.

    Raises:
        TextgenError: if the file cannot be used, or a value is invalid.
    """
    named = build(VertexFile, values).vertex_config
    file = _FILE if named is None else Path(named)
    if named is not None and not file.exists():
        raise MissingError(f"there is no --vertex_config {named}; check the path")
    from_file = from_yaml(read_text(file), str(file), VertexConfig) if file.exists() else {}
    for name in FLAGS_ONLY:
        if name in from_file:
            raise FormatError(
                f"{file} must not contain {name}, which decides where your credentials go; remove it, and give "
                f"--{name} as a flag if you want it"
            )
    return build(VertexConfig, {**from_file, **values})
