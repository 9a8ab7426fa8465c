// The four real GraphQL subgraphs behind fastsub, which asks them only for what it has not seen yet.
import { readFileSync } from "node:fs";
import http from "node:http";
import { buildSubgraphSchema } from "@apollo/subgraph";
import { graphql, parse } from "graphql";
import { products, reviews, users } from "./data.js";

const byKey = (rows, key) => new Map(rows.map((row) => [row[key], row]));
const userById = byKey(users, "id");
const productByUpc = byKey(products, "upc");
const reviewById = byKey(reviews, "id");
const userStub = (id) => ({ __typename: "User", id, username: userById.get(id).username });

const resolvers = {
  accounts: {
    Query: { me: () => users[0], user: (_, { id }) => userById.get(id), users: () => users },
    User: { __resolveReference: ({ id }) => userById.get(id) },
  },
  inventory: {
    Product: {
      __resolveReference: (given) => ({ ...given, inStock: productByUpc.get(given.upc).inStock }),
      shippingEstimate: ({ price, weight }) =>
        price == null ? null : price > 1000 ? 0 : weight == null ? null : Math.floor(weight / 2),
    },
  },
  products: {
    Query: { topProducts: (_, { first }) => products.slice(0, first) },
    Product: { __resolveReference: ({ upc }) => productByUpc.get(upc) },
  },
  reviews: {
    Review: {
      __resolveReference: ({ id }) => reviewById.get(id),
      product: ({ upc }) => ({ upc }),
      author: () => userStub("1"),
    },
    User: { __resolveReference: ({ id }) => userStub(id), reviews: () => reviews.slice(0, 2) },
    Product: {
      __resolveReference: ({ upc }) => ({ upc }),
      reviews: ({ upc }) => reviews.filter((each) => each.upc === upc),
    },
  },
};
const read = (name) => parse(readFileSync(new URL(`./${name}.graphql`, import.meta.url), "utf8"));
const schemas = Object.fromEntries(
  Object.keys(resolvers).map((name) => [
    name,
    buildSubgraphSchema({ typeDefs: read(name), resolvers: resolvers[name] }),
  ]),
);

async function answer(path, text) {
  const schema = schemas[path.slice(1)];
  if (!schema) return { errors: [{ message: "no such subgraph" }] };
  const { query, variables, operationName } = JSON.parse(text);
  return graphql({ schema, source: query, variableValues: variables, operationName });
}

http
  .createServer((request, response) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", async () => {
      const text = Buffer.concat(parts).toString();
      const value = await answer(request.url.split("?")[0], text).catch((error) => ({
        errors: [{ message: String(error) }],
      }));
      if (value.errors) console.error(request.url, JSON.stringify(value.errors), text.slice(0, 300));
      const body = JSON.stringify(value);
      response.writeHead(200, {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        connection: "close",
      });
      response.end(body);
    });
  })
  .listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
