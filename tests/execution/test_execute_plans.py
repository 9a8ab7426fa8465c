"""Hand-made plans over real subgraphs: what is asked, and what the whole answer is."""

import asyncio
import json
from dataclasses import replace

from planned_gateway import entity, key, path, root
from scripted_subgraph import reply

from gateway.federation.plan import (
    Condition,
    EntityFetch,
    EntityInput,
    FieldRewrite,
    OperationKind,
    Parallel,
    PathKey,
    RepresentationField,
    RepresentationFragment,
    Sequence,
)

SDL = """
type Query { users: [User] me: User search: [Result] count: Int grid: [[User]] node: Named }
type Mutation { rename(name: String): User  drop: Int }
type User implements Named { id: ID! name: String age: Int friend: User pets: [Pet!] size: Size fee: Int }
type Pet implements Named { id: ID! name: String owner: User }
type Size { width: Int height: Int }
interface Named { name: String }
union Result = User | Pet
"""
USERS = root("a", "{users{__typename id}}", "users")
NAMES = entity("b", "name", "users.@", type_name="User", fields=("name",))


def says(data):
    return lambda request: {"data": data}


def finds(*found):
    return lambda request: {"data": {"_entities": list(found)}}


def user(identity, **more):
    return {"__typename": "User", "id": identity, **more}


def sent(subgraph):
    return [request["variables"]["representations"] for request in subgraph.requests]


async def test_equal_representations_are_sent_once_and_their_result_is_shared(gateway, subgraphs):
    gate = gateway(SDL, Sequence((USERS, NAMES)))
    subgraphs["a"].say = says({"users": [user("1"), user("2"), None, user("1")]})
    subgraphs["b"].say = finds({"name": "Ada"}, {"name": "Bob"})
    assert await gate.ask("{ users { t: __typename name id } }") == {
        "data": {
            "users": [
                {"t": "User", "name": "Ada", "id": "1"},
                {"t": "User", "name": "Bob", "id": "2"},
                None,
                {"t": "User", "name": "Ada", "id": "1"},
            ]
        }
    }
    assert sent(subgraphs["b"]) == [[user("1"), user("2")]]


async def test_nothing_is_asked_where_no_object_needs_it(gateway, subgraphs):
    gate = gateway(SDL, Sequence((USERS, NAMES)))
    for none in (None, [], [None, None]):
        subgraphs["a"].say = says({"users": none})
        assert await gate.ask("{ users { name } }") == {"data": {"users": none}}
    assert subgraphs["b"].requests == []


async def test_paths_lead_through_nested_lists_and_abstract_types(gateway, subgraphs):
    plan = Sequence(
        (
            Parallel((root("a", "{grid{__typename id}}", "grid"), root("b", "{search{__typename}}", "search"))),
            Parallel(
                (
                    entity("c", "age", "grid.@.@", "search.@[Pet].owner", type_name="User", fields=("age",)),
                    entity("a", "name", "search.@[Pet]", type_name="Pet", fields=("name",)),
                )
            ),
        )
    )
    gate = gateway(SDL, plan)

    def first(request):
        if "_entities" in request["query"]:
            return {"data": {"_entities": [{"name": "Rex"}]}}
        return {"data": {"grid": [[user("1"), None], None, [user("2")]]}}

    subgraphs["a"].say = first
    subgraphs["b"].say = says({"search": [user("9"), {"__typename": "Pet", "id": "p", "owner": user("1")}]})
    subgraphs["c"].say = finds({"age": 41}, {"age": 42})
    query = "{ grid { age } search { __typename ... on Pet { name owner { age } } ... on User { id } } }"
    assert await gate.ask(query) == {
        "data": {
            "grid": [[{"age": 41}, None], None, [{"age": 42}]],
            "search": [
                {"__typename": "User", "id": "9"},
                {"__typename": "Pet", "name": "Rex", "owner": {"age": 41}},
            ],
        }
    }
    assert sent(subgraphs["c"]) == [[user("1"), user("2")]]


async def test_a_path_longer_than_python_nests_loops_is_followed(gateway, subgraphs):
    depth = 30
    deep = "[" * depth + "User" + "]" * depth
    plan = Sequence(
        (
            root("a", "{deep{id}}", "deep"),
            entity("b", "name", "deep" + ".@" * depth, type_name="User", fields=("name",)),
        )
    )
    gate = gateway(f"type Query {{ deep: {deep} }} type User {{ id: ID name: String }}", plan)
    value, expected = user("1"), {"name": "Ada"}
    for _ in range(depth):
        value, expected = [value], [expected]
    subgraphs["a"].say = says({"deep": value})
    subgraphs["b"].say = finds({"name": "Ada"})
    assert await gate.ask("{ deep { name } }") == {"data": {"deep": expected}}


async def test_a_null_or_missing_key_skips_that_object_without_an_error(gateway, subgraphs):
    gate = gateway(SDL, Sequence((USERS, NAMES)))
    subgraphs["a"].say = says({"users": [user(None), user("2"), {"__typename": "User"}]})
    subgraphs["b"].say = finds({"name": "Bob"})
    assert await gate.ask("{ users { name } }") == {
        "data": {"users": [{"name": None}, {"name": "Bob"}, {"name": None}]}
    }
    assert sent(subgraphs["b"]) == [[user("2")]]


async def test_a_nullable_required_field_is_sent_as_null(gateway, subgraphs):
    keys = (*key("id"), RepresentationField("age", "age_1", is_nullable=True))
    gate = gateway(SDL, Sequence((USERS, entity("b", "fee", "users.@", type_name="User", keys=keys, fields=("fee",)))))
    subgraphs["a"].say = says({"users": [user("1", age_1=None), user("2", age_1=7), user("3")]})
    subgraphs["b"].say = finds({"fee": 1}, {"fee": 2})
    assert await gate.ask("{ users { fee } }") == {"data": {"users": [{"fee": 1}, {"fee": 2}, {"fee": None}]}}
    assert sent(subgraphs["b"]) == [[user("1", age=None), user("2", age=7)]]


async def test_compound_keys_and_fragments_make_representations(gateway, subgraphs):
    width = RepresentationField("width", "width")
    keys = (
        RepresentationField("__typename", "__typename"),
        RepresentationFragment("User", frozenset({"User"}), (RepresentationField("size", "size", (width,)),)),
        RepresentationFragment("Pet", frozenset({"Pet"}), (RepresentationField("id", "id"),)),
    )
    fetch = entity("b", "name", "search.@", type_name="Named", keys=keys, fields=("name",))
    gate = gateway(SDL, Sequence((root("a", "{search{__typename}}", "search"), fetch)))
    sizes = [{"width": 1}, {"width": 1}, None, [{"width": 3}, None]]
    found = [{"__typename": "User", "size": size, "id": "x"} for size in sizes]
    subgraphs["a"].say = says(
        {"search": [*found, {"__typename": "Pet", "id": "p"}, {"__typename": "Other", "id": "o"}]}
    )
    subgraphs["b"].say = finds(*({"name": name} for name in "ABCD"))
    assert (await gate.ask("{ search { ... on Named { name } } }"))["data"] == {
        "search": [*({"name": name} for name in "AABCD"), None]
    }
    assert sent(subgraphs["b"]) == [
        [*({"__typename": "User", "size": size} for size in (sizes[0], *sizes[2:])), {"__typename": "Pet", "id": "p"}]
    ]


async def test_parts_of_a_value_from_two_subgraphs_become_one(gateway, subgraphs):
    gate = gateway(
        SDL,
        Sequence(
            (
                Parallel((root("a", "{me{__typename id size{width}}}", "me"), root("b", "{me{size{height}}}", "me"))),
                entity("c", "pets{id name} size{height}", "me", type_name="User", fields=("pets", "size")),
            )
        ),
    )
    subgraphs["a"].say = says({"me": user("1", size={"width": 1})})
    subgraphs["b"].say = says({"me": {"size": {"height": 2}}})
    subgraphs["c"].say = finds({"pets": [{"id": "p", "name": "Rex"}], "size": {"height": 3}})
    assert await gate.ask("{ me { size { height width } pets { name } } }") == {
        "data": {"me": {"size": {"height": 3, "width": 1}, "pets": [{"name": "Rex"}]}}
    }


async def test_objects_shared_by_two_paths_can_differ_further_down(gateway, subgraphs):
    """Both paths get the same friend; only one path goes on to the friend's name."""
    plan = Sequence(
        (
            root("a", "{me{__typename id} users{__typename id}}", "me", "users"),
            entity("b", "friend{__typename id}", "me", "users.@", type_name="User", fields=("friend",)),
            entity("c", "name", "users.@.friend", type_name="User", fields=("name",)),
            entity("b", "name", "me.friend", type_name="User", fields=("name",)),
        )
    )
    gate = gateway(SDL, plan)
    subgraphs["a"].say = says({"me": user("1"), "users": [user("1")]})
    subgraphs["b"].say = lambda request: {
        "data": {"_entities": [{"friend": user("2")} if "friend" in request["query"] else {"name": "for me"}]}
    }
    subgraphs["c"].say = finds({"name": "for users"})
    assert await gate.ask("{ me { friend { name } } users { friend { name } } }") == {
        "data": {"me": {"friend": {"name": "for me"}}, "users": [{"friend": {"name": "for users"}}]}
    }


async def test_merged_inputs_travel_in_one_request(gateway, subgraphs):
    def entity_input(variable, response_name, where, name):
        return EntityInput(
            paths=(path(where),),
            type_condition="User",
            representation=key("id"),
            variable=variable,
            response_name=response_name,
            fields=(name,),
        )

    document = (
        "query($r0:[_Any!]!,$r1:[_Any!]!){_e0:_entities(representations:$r0){...on User{name}}"
        "_e1:_entities(representations:$r1){...on User{age}}}"
    )
    fetch = EntityFetch(
        subgraph="b",
        document=document,
        inputs=(entity_input("r0", "_e0", "me", "name"), entity_input("r1", "_e1", "users.@", "age")),
    )
    gate = gateway(SDL, Sequence((root("a", "{me{__typename id} users{__typename id}}", "me", "users"), fetch)))
    subgraphs["a"].say = says({"me": user("1"), "users": [user("2")]})
    subgraphs["b"].say = lambda request: {
        "data": {"_e0": [{"name": "Ada"}], "_e1": [None]},
        "errors": [{"message": "secret", "path": ["_e1", 0, "age"], "extensions": {"code": "NOT_FOUND"}}],
    }
    assert await gate.ask("{ me { name } users { age } }") == {
        "data": {"me": {"name": "Ada"}, "users": [{"age": None}]},
        "errors": [{"path": ["users", 0, "age"], "code": "NOT_FOUND", "system": "b", "retryable": False}],
    }
    assert [request["variables"] for request in subgraphs["b"].requests] == [{"r0": [user("1")], "r1": [user("2")]}]


async def test_rewrites_rename_fields_and_type_names(gateway, subgraphs):
    """An @interfaceObject subgraph knows the interface's name only, and two aliases keep conflicting fields apart."""
    fetch = entity("b", "__typename name__1:name", "node", type_name="Named", fields=("name",))
    entity_input = replace(
        fetch.inputs[0],
        input_rewrites=(FieldRewrite((PathKey("__typename"),), set_value="Named"),),
        output_rewrites=(FieldRewrite((PathKey("name__1"),), rename_to="name"),),
    )
    plan = Sequence((root("a", "{node{__typename id}}", "node"), replace(fetch, inputs=(entity_input,))))
    gate = gateway(SDL, plan)
    subgraphs["a"].say = says({"node": {"__typename": "Pet", "id": "p"}})
    subgraphs["b"].say = finds({"__typename": "Named", "name__1": "Rex"})
    assert await gate.ask("{ node { __typename name } }") == {"data": {"node": {"__typename": "Pet", "name": "Rex"}}}
    assert sent(subgraphs["b"]) == [[{"__typename": "Named", "id": "p"}]]

    subgraphs["b"].say = lambda request: {
        "data": {"_entities": [{"name__1": None}]},
        "errors": [{"message": "secret", "path": ["_entities", 0, "name__1"]}],
    }
    assert await gate.ask("{ node { name } }") == {
        "data": {"node": {"name": None}},
        "errors": [{"path": ["node", "name"], "code": "SYSTEM_ERROR", "system": "b", "retryable": True}],
    }


async def test_conditions_choose_branches_and_selections(gateway, subgraphs):
    plan = Sequence((USERS, Condition("with", NAMES, entity("c", "age", "users.@", type_name="User", fields=("age",)))))
    gate = gateway(SDL, plan)
    subgraphs["a"].say = says({"users": [user("1", i="1")]})
    subgraphs["b"].say, subgraphs["c"].say = finds({"name": "Ada"}), finds({"age": 41})
    query = (
        "query($with: Boolean!) { users { name @include(if: $with) age @skip(if: $with) "
        "... @include(if: $with) { id name } ...F @skip(if: $with) } } fragment F on User { i: id }"
    )
    assert await gate.ask(query, {"with": True}) == {"data": {"users": [{"name": "Ada", "id": "1"}]}}
    assert len(subgraphs["c"].requests) == 0
    assert await gate.ask(query, {"with": False}) == {"data": {"users": [{"age": 41, "i": "1"}]}}
    assert len(subgraphs["b"].requests) == 1


async def test_variables_pass_unchanged_and_absent_ones_stay_absent(gateway, subgraphs):
    fetch = root("a", "query Q($name:String,$b:Int){me{id}}", "me", variables=("name", "b"), operation_name="Q")
    gate = gateway("type Query { me(name: String, b: Int): Int }", fetch)
    subgraphs["a"].say = says({"me": 1})
    query = 'query Q($name: String = "x", $b: Int) { me(name: $name, b: $b) }'
    assert await gate.ask(query) == {"data": {"me": 1}}
    assert await gate.ask(query, {"name": None, "b": 2}) == {"data": {"me": 1}}
    assert subgraphs["a"].requests == [
        {"query": fetch.document, "operationName": "Q", "variables": {"name": "x"}},
        {"query": fetch.document, "operationName": "Q", "variables": {"name": None, "b": 2}},
    ]


async def test_independent_branches_do_not_wait_for_each_other(gateway, subgraphs):
    """The second step of one branch is asked while the other branch's first step is still held back."""
    slow = asyncio.Event()

    async def hold(writer, request):
        await asyncio.wait_for(slow.wait(), 5)
        writer.write(reply(b'{"data":{"count":3}}'))
        await writer.drain()

    def names(request):
        slow.set()
        return {"data": {"_entities": [{"name": "Ada"}]}}

    gate = gateway(SDL, Parallel((Sequence((USERS, NAMES)), root("c", "{count}", "count"))))
    subgraphs["a"].say = says({"users": [user("1")]})
    subgraphs["b"].say = names
    subgraphs["c"].behave = hold
    assert await gate.ask("{ count users { name } }") == {"data": {"count": 3, "users": [{"name": "Ada"}]}}


async def test_mutations_run_one_after_another_and_read_afterwards(gateway, subgraphs):
    order = []
    plan = Sequence(
        (
            root("a", "mutation{rename{__typename id}}", "rename", kind=OperationKind.MUTATION),
            entity("b", "name", "rename", type_name="User", fields=("name",)),
            root("c", "mutation{drop}", "drop", kind=OperationKind.MUTATION),
        )
    )
    gate = gateway(SDL, plan)
    for name, data in (("a", {"rename": user("1")}), ("b", {"_entities": [{"name": "Ada"}]}), ("c", {"drop": 1})):
        subgraphs[name].say = lambda request, name=name, data=data: (order.append(name), {"data": data})[1]
    assert await gate.ask("mutation { rename { name } drop }") == {"data": {"rename": {"name": "Ada"}, "drop": 1}}
    assert order == ["a", "b", "c"]


async def test_an_operation_without_subgraphs_is_answered_by_the_gateway(gateway, subgraphs):
    gate = gateway(SDL, None)
    query = 'query($d: Boolean! = true) { __type(name: "Size") { fields(includeDeprecated: $d) { name } } }'
    for variables in ({}, {"d": False}, {"d": True}):
        assert await gate.ask(query, variables) == {
            "data": {"__type": {"fields": [{"name": "width"}, {"name": "height"}]}}
        }
    query = '{ t: __typename ...F } fragment F on Query { __schema { queryType { n: name } } pet: __type(name: "Pet") { kind } }'
    assert await gate.ask(query) == {
        "data": {"t": "Query", "__schema": {"queryType": {"n": "Query"}}, "pet": {"kind": "OBJECT"}}
    }


async def test_a_slow_fetch_is_not_waited_for_by_what_does_not_need_it(gateway, subgraphs):
    """`b` is asked once for what `a` and `c` brought, and where `c` is slow, twice: first for what is there."""
    users = root("a", "{users{__typename id}}", "users", id=0)
    me = root("c", "{me{__typename id}}", "me", id=1)
    first = EntityInput(
        paths=(path("users.@"),),
        type_condition="User",
        representation=key("id"),
        variable="r0",
        response_name="_e0",
        fields=("name",),
        needs=((0,),),
    )
    second = replace(first, paths=(path("me"),), variable="r1", response_name="_e1", needs=((1,),))
    document = (
        "query($r0:[_Any!]!,$r1:[_Any!]!){"
        "_e0:_entities(representations:$r0){...on User{name}}_e1:_entities(representations:$r1){...on User{name}}}"
    )
    names = EntityFetch(subgraph="b", document=document, inputs=(first, second), id=2)
    gate = gateway(SDL, Sequence((Parallel((users, me)), names)))
    subgraphs["a"].say = says({"users": [user("1")]})
    subgraphs["c"].say = says({"me": user("2")})

    def answer(request):
        return {
            "data": {n: [{"name": r["id"]} for r in request["variables"][v]] for n, v in (("_e0", "r0"), ("_e1", "r1"))}
        }

    subgraphs["b"].say = answer
    whole = {"data": {"users": [{"name": "1"}], "me": {"name": "2"}}}
    assert await gate.ask("{ users { name } me { name } }") == whole
    assert len(subgraphs["b"].requests) == 1

    async def late(writer, request):
        await subgraphs["b"].got(2)
        writer.write(reply(json.dumps({"data": {"me": user("2")}}).encode()))
        await writer.drain()

    subgraphs["c"].behave = late
    assert await gate.ask("{ users { name } me { name } }", X_Request_Timeout_Ms="2000") == whole
    assert [
        (len(request["variables"]["r0"]), len(request["variables"]["r1"])) for request in subgraphs["b"].requests
    ] == [(1, 1), (1, 0), (0, 1)]
