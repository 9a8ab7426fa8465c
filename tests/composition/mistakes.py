"""Makes mistakes in subgraphs, as people make them: one small change to a schema at a time."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, TypeVar

from graphql import GraphQLSyntaxError, Node, parse, print_ast
from graphql.language import ast

Sources = dict[str, str]
"""Subgraph → its SDL."""
T = TypeVar("T")

_VERSIONS = ["1.0", *(f"2.{minor}" for minor in range(12)), "2.99", "3.0"]
_DIRECTIVES = [
    "@shareable", "@external", "@inaccessible", '@tag(name: "t")', '@override(from: "{other}")', '@override(from: "{own}")',
    '@requires(fields: "{field}")', '@provides(fields: "{field}")', '@key(fields: "{field}")', "@interfaceObject",
    '@key(fields: "{field}", resolvable: false)', "@deprecated", "@authenticated", '@requiresScopes(scopes: [["s"]])',
    "@cost(weight: 3)", "@listSize(assumedSize: 3)", '@override(from: "{other}", label: "percent(5)")',
    '@policy(policies: [["p"]])', "@extends",
]  # fmt: skip
_SCALARS = ["Int", "String", "ID", "Boolean", "Float", "Missing"]


class Mistakes:
    """Makes mistakes in a set of subgraphs."""

    def __init__(self, random: Random, sources: Sources) -> None:
        self._random = random
        self._sources = dict(sources)

    def make(self, count: int) -> tuple[Sources, list[str]]:
        """Return the subgraphs with so many mistakes in them, and what they are."""
        made: list[str] = []
        for _ in range(count * 4):
            if len(made) == count:
                break
            name = self._pick(list(self._sources))
            kind = self._pick(_KINDS)
            try:
                document = parse(self._sources[name], no_location=True)
            except GraphQLSyntaxError:
                continue
            changed = copy.deepcopy(document)
            self.own, self.other = name, self._pick([each for each in self._sources if each != name] or [name])
            if not kind(self, changed):
                continue
            text = print_ast(changed)
            if text != print_ast(document):
                self._sources[name] = text
                made.append(f"{kind.__name__.strip('_')} in {name}")
        return self._sources, made

    def _pick(self, items: Sequence[T]) -> T:
        return items[self._random.randrange(len(items))]

    def _any(self, document: Node, *kinds: type[Node]) -> Any:
        found = [node for node in _walk(document) if isinstance(node, kinds)]
        return self._pick(found) if found else None

    def drop_directive(self, document: Node) -> bool:
        holders = [node for node in _walk(document) if getattr(node, "directives", None)]
        if not holders:
            return False
        holder = self._pick(holders)
        gone = self._pick(holder.directives)
        _set(holder, "directives", tuple(each for each in holder.directives if each is not gone))
        return True

    def add_directive(self, document: Node) -> bool:
        holder = self._any(
            document,
            ast.FieldDefinitionNode, ast.FieldDefinitionNode, ast.TypeDefinitionNode, ast.TypeExtensionNode,
            ast.InputValueDefinitionNode, ast.EnumValueDefinitionNode,
        )  # fmt: skip
        if holder is None:
            return False
        field = self._any(document, ast.FieldDefinitionNode)
        text = self._pick(_DIRECTIVES).format(own=self.own, other=self.other, field=field.name.value if field else "id")
        _set(holder, "directives", (*(holder.directives or ()), _directive(text)))
        return True

    def change_type(self, document: Node) -> bool:
        holder = self._any(document, ast.FieldDefinitionNode, ast.FieldDefinitionNode, ast.InputValueDefinitionNode)
        if holder is None:
            return False
        match self._random.randrange(4):
            case 0:
                is_strict = isinstance(holder.type, ast.NonNullTypeNode)
                _set(holder, "type", holder.type.type if is_strict else ast.NonNullTypeNode(type=holder.type))
            case 1:
                inner = holder.type.type if isinstance(holder.type, ast.NonNullTypeNode) else holder.type
                is_list = isinstance(inner, ast.ListTypeNode)
                _set(holder, "type", inner.type if is_list else ast.ListTypeNode(type=holder.type))
            case _:
                names = [node.name.value for node in document.definitions if isinstance(node, ast.TypeDefinitionNode)]
                named: Any = holder.type
                while not isinstance(named, ast.NamedTypeNode):
                    named = named.type
                _set(named, "name", ast.NameNode(value=self._pick([*_SCALARS, *names])))
        return True

    def rename(self, document: Node) -> bool:
        node = self._any(
            document,
            ast.FieldDefinitionNode, ast.TypeDefinitionNode, ast.InputValueDefinitionNode, ast.EnumValueDefinitionNode,
        )  # fmt: skip
        if node is None:
            return False
        others = [each.name.value for each in _walk(document) if type(each) is type(node)]
        _set(node, "name", ast.NameNode(value=self._pick([*others, "renamed", "__odd"])))
        return True

    def drop_member(self, document: Node) -> bool:
        holders = [
            (node, name)
            for node in _walk(document)
            for name in ("fields", "arguments", "values", "types", "interfaces", "definitions")
            if isinstance(getattr(node, name, None), tuple)
            and getattr(node, name)
            and not isinstance(node, ast.DirectiveNode | ast.ObjectValueNode | ast.ListValueNode)
        ]
        if not holders:
            return False
        node, name = self._pick(holders)
        gone = self._pick(getattr(node, name))
        _set(node, name, tuple(each for each in getattr(node, name) if each is not gone))
        return True

    def break_field_set(self, document: Node) -> bool:
        sets = [
            argument
            for node in _walk(document)
            if isinstance(node, ast.DirectiveNode)
            for argument in node.arguments or ()
            if argument.name.value in ("fields", "field") and isinstance(argument.value, ast.StringValueNode)
        ]
        if not sets:
            return False
        argument = self._pick(sets)
        text = argument.value.value
        words = re.findall(r"\w+|\S", text)
        match self._random.randrange(7):
            case 0 if words:
                words.pop(self._random.randrange(len(words)))
            case 1:
                words.insert(
                    self._random.randrange(len(words) + 1), self._pick(["missing", "{", "}", "...", "a: id", "id"])
                )
            case 2 if words:
                at = self._random.randrange(len(words))
                words[at] = self._pick(
                    [f"{words[at]} {{ id }}", f"{words[at]}(x: 1)", f"{words[at]} @include(if: true)"]
                )
            case 3:
                words = ["... on", self._pick(self._types(document)), "{", *words, "}"]
            case 4:
                words = ["__typename", *words]
            case 5:
                _set(argument, "value", ast.ListValueNode(values=(argument.value,)))
                return True
            case _:
                field = self._any(document, ast.FieldDefinitionNode)
                words.append(field.name.value if field else "id")
        _set(argument, "value", ast.StringValueNode(value=" ".join(words), block=False))
        return True

    def change_link(self, document: Node) -> bool:
        links = [
            (holder, node)
            for holder in document.definitions
            if isinstance(holder, ast.SchemaDefinitionNode | ast.SchemaExtensionNode)
            for node in holder.directives or ()
            if node.name.value in ("link", "core")
        ]
        if not links:
            url = f"https://specs.apollo.dev/federation/v{self._pick(_VERSIONS)}"
            imports = '["@key", "@external", "@requires", "@shareable", "@provides"]'
            added = parse(f'extend schema @link(url: "{url}", import: {imports})', no_location=True).definitions
            _set(document, "definitions", (*added, *document.definitions))
            return True
        holder, link = self._pick(links)
        arguments = {argument.name.value: argument for argument in link.arguments}
        choice = self._random.randrange(5)
        imports = arguments["import"].value if "import" in arguments else None
        if choice == 0 and isinstance(imports, ast.ListValueNode) and imports.values:
            gone = self._pick(imports.values)
            _set(imports, "values", tuple(each for each in imports.values if each is not gone))
        elif choice == 1 and isinstance(imports, ast.ListValueNode) and imports.values:
            at = self._random.randrange(len(imports.values))
            each = imports.values[at]
            if isinstance(each, ast.StringValueNode):
                alias = self._pick(["@renamed", "@key", "renamed"])
                renamed = parse(f'{{ a(x: {{ name: "{each.value}", as: "{alias}" }}) }}', no_location=True)
                value = renamed.definitions[0].selection_set.selections[0].arguments[0].value
                _set(imports, "values", (*imports.values[:at], value, *imports.values[at + 1 :]))
        elif choice == 2 and isinstance(imports, ast.ListValueNode):
            name = self._pick(["@tag", "@inaccessible", "@override", "@missing", "key", "@interfaceObject", "@cost"])
            _set(imports, "values", (*imports.values, ast.StringValueNode(value=name, block=False)))
        elif choice == 3 and "url" in arguments and isinstance(arguments["url"].value, ast.StringValueNode):
            url = re.sub(r"v[\d.]+$", f"v{self._pick(_VERSIONS)}", arguments["url"].value.value)
            _set(arguments["url"], "value", ast.StringValueNode(value=url, block=False))
        else:
            _set(holder, "directives", tuple(each for each in holder.directives if each is not link))
            if not holder.directives and not holder.operation_types:
                _set(document, "definitions", tuple(each for each in document.definitions if each is not holder))
        return True

    def change_kind(self, document: Node) -> bool:
        node = self._any(
            document, ast.ObjectTypeDefinitionNode, ast.InterfaceTypeDefinitionNode, ast.EnumTypeDefinitionNode
        )
        if node is None:
            return False
        kind = self._pick(["type", "interface", "input", "union", "scalar", "enum"])
        name = node.name.value
        text = {
            "union": f"union {name} = {self._pick(self._types(document))}",
            "scalar": f"scalar {name}",
            "enum": f"enum {name} {{ A }}",
        }.get(kind)
        if text is None:
            text = re.sub(r"(^|\n)(type|interface|enum) ", rf"\1{kind} ", print_ast(node), count=1)
        try:
            made = parse(text, no_location=True).definitions
        except GraphQLSyntaxError:
            return False
        _set(document, "definitions", tuple(each for each in document.definitions if each is not node) + made)
        return True

    def change_default(self, document: Node) -> bool:
        node = self._any(document, ast.InputValueDefinitionNode)
        if node is None:
            return False
        text = self._pick(["1", '"x"', "null", "[]", "{}", "RED", "true"])
        value = (
            parse(f"{{ a(x: {text}) }}", no_location=True).definitions[0].selection_set.selections[0].arguments[0].value
        )
        _set(node, "default_value", None if node.default_value is not None and self._random.random() < 0.4 else value)
        return True

    def borrow(self, document: Node) -> bool:
        """Copy a type, or a field, from another subgraph."""
        try:
            theirs = parse(self._sources[self.other], no_location=True)
        except GraphQLSyntaxError:
            return False
        types = [node for node in theirs.definitions if isinstance(node, ast.TypeDefinitionNode)]
        if not types:
            return False
        node = self._pick(types)
        own = [
            each
            for each in document.definitions
            if getattr(getattr(each, "name", None), "value", "") == node.name.value
        ]
        if not own:
            _set(document, "definitions", (*document.definitions, node))
        elif type(own[0]) is type(node) and getattr(node, "fields", None):
            _set(own[0], "fields", (*(own[0].fields or ()), self._pick(node.fields)))
        else:
            return False
        return True

    def add_argument(self, document: Node) -> bool:
        node = self._any(document, ast.FieldDefinitionNode)
        if node is None:
            return False
        text = self._pick(["x: Int", "x: Int!", "x: Int = 3", "y: [String!]", "x: String"])
        made = parse(f"type A {{ a({text}): Int }}", no_location=True).definitions[0].fields[0].arguments
        _set(node, "arguments", (*(node.arguments or ()), *made))
        return True

    def extend(self, document: Node) -> bool:
        """Turn a definition into an extension, or the other way round."""
        node = self._any(document, ast.ObjectTypeDefinitionNode, ast.ObjectTypeExtensionNode)
        if node is None:
            return False
        text = print_ast(node)
        text = (
            text.removeprefix("extend ")
            if text.startswith("extend ")
            else re.sub(r"(^|\n)type ", r"\1extend type ", text, count=1)
        )
        try:
            made = parse(text, no_location=True).definitions
        except GraphQLSyntaxError:
            return False
        _set(document, "definitions", tuple(each for each in document.definitions if each is not node) + made)
        return True

    @staticmethod
    def _types(document: Node) -> list[str]:
        return [node.name.value for node in document.definitions if isinstance(node, ast.TypeDefinitionNode)] or [
            "Missing"
        ]


_KINDS: list[Callable[[Mistakes, Any], bool]] = [
    Mistakes.drop_directive,
    Mistakes.drop_directive,
    Mistakes.add_directive,
    Mistakes.add_directive,
    Mistakes.change_type,
    Mistakes.rename,
    Mistakes.drop_member,
    Mistakes.break_field_set,
    Mistakes.break_field_set,
    Mistakes.change_link,
    Mistakes.change_kind,
    Mistakes.change_default,
    Mistakes.borrow,
    Mistakes.add_argument,
    Mistakes.extend,
]


def _set(node: Node, name: str, value: Any) -> None:
    """Change a node of our own copy, frozen as it is."""
    object.__setattr__(node, name, value)


def _directive(text: str) -> ast.DirectiveNode:
    node: Any = parse(f"scalar A {text}", no_location=True).definitions[0]
    found: ast.DirectiveNode = node.directives[0]
    return found


def _walk(node: Any) -> Iterator[Any]:
    """Yield the parts of a type system document that a person would change."""
    yield node
    for name in ("definitions", "fields", "arguments", "values"):
        below = getattr(node, name, None)
        if isinstance(below, tuple) and not isinstance(
            node, ast.DirectiveNode | ast.ObjectValueNode | ast.ListValueNode
        ):
            for each in below:
                yield from _walk(each)
    for each in getattr(node, "directives", None) or ():
        yield each
