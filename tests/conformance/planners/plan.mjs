// Plans operations with other gateways' planners: [{supergraph, operations}] on standard input; on standard output, for
// each operation, {apollo, hive}: a plan of the nodes fetch, sequence, parallel and condition, or {error}. With a second
// argument "apollo", Hive's is left out: on some graphs it ends the process.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";

const [, , modules, only] = process.argv;
const require = createRequire(pathToFileURL(`${modules}/package.json`));
const { Supergraph, operationFromDocument } = require("@apollo/federation-internals");
const { QueryPlanner: Apollo } = require("@apollo/query-planner");
const { parse } = require("graphql");
const { QueryPlanner: Hive } = require("@graphql-hive/router-query-planner");

function simplified(node) {
  switch (node?.kind) {
    case undefined:
      return null;
    case "QueryPlan":
    case "Flatten":
      return simplified(node.node);
    case "Fetch":
    case "BatchFetch":
      return { kind: "fetch", subgraph: node.serviceName, document: node.operation };
    case "Sequence":
    case "Parallel":
      return { kind: node.kind.toLowerCase(), nodes: node.nodes.map(simplified) };
    case "Condition":
      return {
        kind: "condition",
        variable: node.condition,
        ifTrue: simplified(node.ifClause),
        ifFalse: simplified(node.elseClause),
      };
    case "Subscription":
      return { kind: "sequence", nodes: [{ kind: "fetch" }, simplified(node.rest)].filter(Boolean) };
    default:
      throw new Error(`unknown node ${node.kind}`);
  }
}

function attempt(make) {
  try {
    return make();
  } catch (error) {
    return { error: String(error.message ?? error).slice(0, 300) };
  }
}

function planners(sdl) {
  const apollo = attempt(() => {
    const supergraph = Supergraph.buildForTests(sdl, false);
    const planner = new Apollo(supergraph);
    const schema = supergraph.apiSchema();
    return (text) => planner.buildQueryPlan(operationFromDocument(schema, parse(text)));
  });
  const hive = attempt(() => {
    if (only === "apollo") throw new Error("not asked");
    const planner = new Hive(sdl);
    return (text) => planner.plan(text, undefined, new Set(), 0);
  });
  return { apollo, hive };
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const found = cases.map(({ supergraph, operations }) => {
  const by = planners(supergraph);
  return operations.map((text) =>
    Object.fromEntries(
      Object.entries(by).map(([name, plan]) => [name, plan.error ? plan : attempt(() => simplified(plan(text)))]),
    ),
  );
});
process.stdout.write(JSON.stringify(found));
