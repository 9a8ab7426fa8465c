"""Operations and graphs that are made to be hard for a planner, each growing in one way only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench.composition import draw_graph


@dataclass(frozen=True, slots=True)
class Family:
    """Operations, or graphs, of growing size."""

    name: str
    grows: str
    sizes: tuple[int, ...]
    graph: Callable[[int], dict[str, str]]
    """Size → subgraph SDLs by name."""
    operation: Callable[[int], str]
    is_fixed: bool = True
    """Whether the graph is the same for all sizes: only the operation grows."""


def _shop(_: int) -> dict[str, str]:
    return {
        "products": """
            type Query { products: [Product] media: [Media] }
            union Media = Book | Film
            type Book @key(fields: "id") { id: ID! title: String }
            type Film @key(fields: "id") { id: ID! title: String }
            type Product @key(fields: "id") { id: ID! name: String price(currency: String): Int weight: Int }
        """,
        "reviews": """
            type Product @key(fields: "id") { id: ID! reviews(first: Int): [Review] }
            type User @key(fields: "id") { id: ID! reviews: [Review] }
            type Review @key(fields: "id") { id: ID! body(length: Int): String product: Product author: User }
            type Book @key(fields: "id") { id: ID! reviews: [Review] }
            type Film @key(fields: "id") { id: ID! reviews: [Review] }
        """,
        "users": 'type User @key(fields: "id") { id: ID! name(short: Boolean): String friends: [User] }',
        "stock": """
            type Product @key(fields: "id") {
              id: ID! inStock: Int price(currency: String): Int @external weight: Int @external
              shipping(to: String): Int @requires(fields: "price(currency: \\"EUR\\") weight")
            }
        """,
    }


def _wide(size: int) -> str:
    fields = ("price", "shipping", "name", "inStock", "weight")
    named = (f"f{n}: {fields[n % 5]}" + _argument(fields[n % 5], n) for n in range(size))
    return f"{{ products {{ {' '.join(named)} }} }}"


def _argument(field: str, number: int) -> str:
    match field:
        case "price":
            return f'(currency: "C{number}")'
        case "shipping":
            return f'(to: "T{number}")'
        case _:
            return ""


def _deep(size: int) -> str:
    text = "name"
    for _ in range(size):
        text = f"id name reviews {{ id author {{ name reviews {{ product {{ {text} }} }} }} }}"
    return f"{{ products {{ {text} }} }}"


def _fragment_chain(size: int) -> str:
    links = "".join(f'fragment F{n} on Product {{ f{n}: price(currency: "{n}") ...F{n + 1} }}\n' for n in range(size))
    return f"{{ products {{ ...F0 }} }}\n{links}fragment F{size} on Product {{ inStock }}"


def _fragments_reused(size: int) -> str:
    links = "".join(
        f"fragment F{n} on User {{ name friends {{ ...F{n + 1} a: name ...F{n + 1} }} ...G{n} ...G{n} }}\n"
        f"fragment G{n} on User {{ name friends {{ ...F{n + 1} }} }}\n"
        for n in range(size)
    )
    return (
        f"{{ products {{ reviews {{ author {{ ...F0 }} }} }} }}\n{links}fragment F{size} on User {{ reviews {{ id }} }}"
    )


def _branches(size: int) -> str:
    parts = " ".join(f"p{n}: products {{ name inStock reviews {{ author {{ name }} }} }}" for n in range(size))
    return f"{{ {parts} }}"


def _doubling(size: int) -> str:
    """Each fragment has the next one twice, under names of its own: 2 ** size different objects to fetch for."""
    links = "".join(
        f"fragment F{n} on Product {{ a: reviews {{ product {{ ...F{n + 1} }} }} b: reviews {{ product {{ ...F{n + 1} }} }} }}\n"
        for n in range(size)
    )
    return f"{{ products {{ ...F0 }} }}\n{links}fragment F{size} on Product {{ shipping }}"


def _conditions(size: int) -> str:
    variables = " ".join(f"$v{n}: Boolean!" for n in range(size))
    parts = " ".join(f"n{n}: inStock @include(if: $v{n}) s{n}: shipping @skip(if: $v{n})" for n in range(size))
    return f"query({variables}) {{ products {{ {parts} }} }}"


def _union(size: int) -> dict[str, str]:
    members = [f"M{n}" for n in range(size)]
    here = "".join(f'type {name} implements Item @key(fields: "id") {{ id: ID! own: String }}\n' for name in members)
    there = "".join(f'type {name} @key(fields: "id") {{ id: ID! more: Int }}\n' for name in members)
    union = f"union Any = {' | '.join(members)}\ninterface Item {{ id: ID! own: String }}\n"
    return {"a": f"type Query {{ any: [Any] items: [Item] }}\n{union}{here}", "b": there}


def _union_members(size: int) -> str:
    parts = " ".join(f"... on M{n} {{ own more }}" for n in range(size))
    return f"{{ any {{ {parts} }} items {{ own {parts} }} }}"


def _keys(size: int) -> dict[str, str]:
    """Each subgraph knows the entity by a key of its own and the next one's: a chain, with a cross-key for each."""
    found = {"s0": 'type Query { thing: Thing }\ntype Thing @key(fields: "k0") { k0: ID! k1: ID! @shareable }'}
    for n in range(1, size + 1):
        own = f'type Thing @key(fields: "k{n}") @key(fields: "k{n} k{n + 1}") @key(fields: "k{n - 1} k{n}")'
        found[f"s{n}"] = f"{own} {{ k{n - 1}: ID! @shareable k{n}: ID! @shareable k{n + 1}: ID! @shareable v{n}: Int }}"
    return found


def _key_values(size: int) -> str:
    return f"{{ thing {{ {' '.join(f'v{n}' for n in range(1, size + 1))} }} }}"


def _subgraphs(size: int) -> dict[str, str]:
    found = {"s0": 'type Query { thing: Thing }\ntype Thing @key(fields: "id") { id: ID! same: Int @shareable }'}
    for n in range(1, size):
        found[f"s{n}"] = (
            f'type Thing @key(fields: "id") {{ id: ID! v{n}: Int same: Int @shareable next: Thing @shareable }}'
        )
    return found


def _nested_shared(size: int) -> str:
    text = "same"
    for _ in range(10):
        text = f"next {{ same {text} }}"
    values = " ".join(f"v{n}" for n in range(1, min(size, 20)))
    return f"{{ thing {{ {values} {text} }} }}"


def _drawn(size: int) -> dict[str, str]:
    return {source.name: source.sdl for source in draw_graph(min(200, max(1, size // 25)), size)}


def _drawn_operation(size: int) -> str:
    text = "name weight"
    for _ in range(8):
        text = f"name weight cost {{ amount }} beside {{ size }} beyond {{ {text} }}"
    return f'{{ t0(id: "1") {{ {text} }} t{size // 2}(id: "2") {{ {text} }} }}'


def _roots(size: int) -> dict[str, str]:
    return {f"s{n}": f"type Query {{ x{n}: Int to{n}: Way{n} }} type Way{n} {{ back: Query }}" for n in range(size)}


def _round(size: int) -> str:
    """Ask, through the root, every subgraph for another one's way back to the root."""
    ways = (f"to{n} {{ back {{ x{(n * 7 + 3) % size} to{(n + 1) % size} {{ back {{ x{n} }} }} }} }}" for n in range(25))
    return f"{{ {' '.join(ways)} }}"


def _implementations(size: int) -> dict[str, str]:
    sdls: dict[str, str] = {}
    for part in range(8):
        types = " ".join(
            f'type T{n} implements Node @key(fields: "id") {{ id: ID! f{part}: Int }}' for n in range(size)
        )
        root = "type Query { nodes: [Node] }" if part == 0 else ""
        sdls[f"s{part}"] = f"{root} interface Node {{ id: ID! f{part}: Int }} {types}"
    return sdls


def _shared_fields(_: int) -> str:
    return f"{{ nodes {{ id {' '.join(f'f{part}' for part in range(8))} }} }}"


FAMILIES: tuple[Family, ...] = (
    Family("fields", "fields of one entity, three subgraphs", (100, 200, 400, 800, 1_500), _shop, _wide),
    Family("branches", "root fields, each with the same joins", (10, 20, 40, 80, 160), _shop, _branches),
    Family("depth", "entities within entities, four systems in turn", (5, 10, 20, 40), _shop, _deep),
    Family("fragment chain", "fragments, each within the one before", (6, 12, 24, 49), _shop, _fragment_chain),
    Family(
        "reused fragments",
        "fragments used five times each by the one before",
        (5, 10, 20, 40),
        _shop,
        _fragments_reused,
    ),
    Family("doubling", "fragments used twice each, under other names", (4, 8, 16, 24), _shop, _doubling),
    Family("conditions", "@skip/@include variables", (10, 20, 40, 80), _shop, _conditions),
    Family("union", "members, half of each elsewhere", (10, 20, 40, 80, 160), _union, _union_members, is_fixed=False),
    Family(
        "keys", "keys of one entity, each known to two subgraphs", (5, 10, 20, 40), _keys, _key_values, is_fixed=False
    ),
    Family(
        "subgraphs",
        "subgraphs that share a field and a way on",
        (25, 50, 100, 200),
        _subgraphs,
        _nested_shared,
        is_fixed=False,
    ),
    Family("roots", "subgraphs, each leading back to the root", (25, 50, 100, 200), _roots, _round, is_fixed=False),
    Family(
        "implementations",
        "types of one interface, in eight subgraphs",
        (10, 20, 40, 80),
        _implementations,
        _shared_fields,
        is_fixed=False,
    ),
    Family(
        "types", "types over up to 200 subgraphs", (500, 1_000, 2_500, 5_000), _drawn, _drawn_operation, is_fixed=False
    ),
)
