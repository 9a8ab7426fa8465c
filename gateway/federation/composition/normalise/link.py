"""Reads the `@link`s of a schema.

Spec: https://specs.apollo.dev/link/v1.0/
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import (
    DirectiveDefinitionNode,
    DirectiveNode,
    DocumentNode,
    ListValueNode,
    ObjectValueNode,
    SchemaDefinitionNode,
    SchemaExtensionNode,
    StringValueNode,
    ValueNode,
    print_ast,
)

from gateway.federation.composition.model.link import (
    FEDERATION,
    LINK,
    Feature,
    Import,
    Links,
    SpecificationUrl,
    Version,
    parse_specification_url,
)
from gateway.federation.composition.model.result import CompositionError
from gateway.federation.composition.normalise.diagnose import locate
from gateway.federation.composition.normalise.import_names import name_faults
from gateway.federation.composition.normalise.specification import (
    FEDERATION_VERSIONS,
    directives_of,
    is_known,
    types_of,
)


@dataclass(slots=True)
class _Reading:
    subgraph: str
    errors: list[CompositionError] = field(default_factory=list)

    def refuse(self, code: str, message: str, node: DirectiveNode, mend: str | None = None) -> None:
        self.errors.append(
            CompositionError(
                code=code,
                message=f"[{self.subgraph}] {message}",
                subgraphs=(self.subgraph,),
                locations=locate(self.subgraph, node),
                mend=mend,
            )
        )


def read_links(subgraph: str, document: DocumentNode) -> tuple[Links, tuple[CompositionError, ...]]:
    """The features a document links; empty for a federation 1 document."""
    reading = _Reading(subgraph)
    applied = tuple(_schema_directives(document))
    link_name = _link_name(applied)
    if link_name is None:
        for node in applied:
            if node.name.value == "link" and not _defines(document, "link"):
                _read(reading, node)  # reports what is wrong with a link that leads nowhere
        return Links(), tuple(error for error in reading.errors if error.code == "INVALID_LINK_IDENTIFIER")
    features: list[Feature] = []
    for node in applied:
        if node.name.value != link_name:
            continue
        feature = _read(reading, node)
        if feature is None:
            continue
        if any(known.url.identity == feature.url.identity for known in features):
            reading.refuse(
                "INVALID_LINK_DIRECTIVE_USAGE",
                f"`{feature.url.identity}` is linked more than once",
                node,
                "Link each specification once and put all imports into that @link.",
            )
            continue
        clash = next((known for known in features if known.alias == feature.alias), None)
        if clash is not None:
            reading.refuse(
                "INVALID_LINK_DIRECTIVE_USAGE",
                f"`{feature.url}` and `{clash.url}` both use the name `{feature.alias}` in this schema",
                node,
                "Give one of them another name with `as:`.",
            )
            continue
        for message, mend in name_faults(feature, features):
            reading.refuse("INVALID_LINK_DIRECTIVE_USAGE", message, node, mend)
        features.append(feature)
    if not any(feature.url.identity == LINK for feature in features):
        features.insert(0, Feature(SpecificationUrl(LINK, "link", Version(1, 0)), link_name))
    _check_versions(reading, features)
    return Links(tuple(features)), tuple(reading.errors)


def _schema_directives(document: DocumentNode) -> Iterator[DirectiveNode]:
    for definition in document.definitions:
        if isinstance(definition, SchemaDefinitionNode | SchemaExtensionNode):
            yield from definition.directives or ()


def _defines(document: DocumentNode, directive: str) -> bool:
    return any(
        isinstance(definition, DirectiveDefinitionNode) and definition.name.value == directive
        for definition in document.definitions
    )


def _link_name(applied: tuple[DirectiveNode, ...]) -> str | None:
    """The name of the link directive: the one that links the link specification, or `link` if it links federation."""
    for node in applied:
        url, alias = _text(node, "url"), _text(node, "as")
        if url is not None and url.startswith(f"{LINK}/") and node.name.value == (alias or "link"):
            return node.name.value
    for node in applied:
        url = _text(node, "url")
        if node.name.value == "link" and url is not None and url.startswith(FEDERATION):
            return "link"
    return None


def _argument(node: DirectiveNode, name: str) -> ValueNode | None:
    return next((argument.value for argument in node.arguments or () if argument.name.value == name), None)


def _text(node: DirectiveNode, name: str) -> str | None:
    value = _argument(node, name)
    return value.value if isinstance(value, StringValueNode) else None


def _read(reading: _Reading, node: DirectiveNode) -> Feature | None:
    try:
        url = parse_specification_url(_text(node, "url"))
    except ValueError as error:
        reading.refuse("INVALID_LINK_IDENTIFIER", str(error), node)
        return None
    imports = tuple(_imports(reading, node, url))
    alias = _text(node, "as") or url.name
    return Feature(url, alias, imports, node)


def _imports(reading: _Reading, node: DirectiveNode, url: SpecificationUrl) -> Iterator[Import]:
    value = _argument(node, "import")
    if value is None or value.kind == "null_value":
        return
    entries = value.values if isinstance(value, ListValueNode) else (value,)
    known = _element_names(url)
    for entry in entries:
        imported = _import(reading, node, entry)
        if imported is None:
            continue
        if known is not None and imported.name not in known:
            near = f"@{imported.name}" if f"@{imported.name}" in known else None
            reading.refuse(
                "INVALID_LINK_DIRECTIVE_USAGE",
                f"`{url}` has no element `{imported.name}` to import",
                node,
                f"Write `{near}`." if near else f"Check the spelling and whether {url.version} already has it.",
            )
            continue
        yield imported


def _import(reading: _Reading, node: DirectiveNode, entry: ValueNode) -> Import | None:
    code = "INVALID_LINK_DIRECTIVE_USAGE"
    match entry:
        case StringValueNode():
            return Import(entry.value, entry.value)
        case ObjectValueNode():
            parts = {part.name.value: part.value for part in entry.fields}
            name, alias = parts.get("name"), parts.get("as")
            wrong = set(parts) - {"name", "as"}
            if wrong or not isinstance(name, StringValueNode) or not isinstance(alias, StringValueNode | None):
                reading.refuse(
                    code, f'`{print_ast(entry)}` is not of the form {{name: "@element", as: "@alias"}}', node
                )
                return None
            renamed = alias.value if alias is not None else name.value
            if not all(text.removeprefix("@").isidentifier() for text in (name.value, renamed)):
                reading.refuse(code, f"`{print_ast(entry)}` in `import` does not use GraphQL names", node)
                return None
            if name.value.startswith("@") != renamed.startswith("@"):
                reading.refuse(
                    code,
                    f"`{name.value}` cannot be imported as `{renamed}`: directives keep their `@`, types have none",
                    node,
                )
                return None
            return Import(name.value, renamed)
        case _:
            reading.refuse(
                code, f"`{print_ast(entry)}` in `import` is neither a string nor an object with `name`", node
            )
            return None


def _element_names(url: SpecificationUrl) -> frozenset[str] | None:
    """What a specification offers for import; None when it isn't known here."""
    if url.identity == LINK:
        return frozenset({"@link", "Import", "Purpose"})
    if not is_known(url.identity):
        return None
    directives = (f"@{known.name}" for known in directives_of(url.identity, url.version))
    return frozenset({*directives, *types_of(url.identity, url.version)})


def _check_versions(reading: _Reading, features: list[Feature]) -> None:
    for feature in features:
        node = feature.node
        if not isinstance(node, DirectiveNode):
            continue
        if feature.url.identity == LINK and feature.url.version != Version(1, 0):
            reading.errors.clear()
            reading.refuse(
                "UNKNOWN_LINK_VERSION",
                f"{feature.url.version} of the link specification is not known",
                node,
                f"Link {LINK}/v1.0.",
            )
        elif feature.url.identity == FEDERATION and feature.url.version not in FEDERATION_VERSIONS:
            reading.errors.clear()
            reading.refuse(
                "UNKNOWN_FEDERATION_LINK_VERSION",
                f"{feature.url.version} of the federation specification is not known",
                node,
                f"Link a version from {FEDERATION_VERSIONS[0]} to {FEDERATION_VERSIONS[-1]}.",
            )
