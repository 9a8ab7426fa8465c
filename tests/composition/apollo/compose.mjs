// Composes with Apollo's composition: on standard input, one JSON object a line, {subgraph name: SDL}; on standard output,
// for each, one line {sdl} or {errors: [{code, message}]}, and {hints: [code]} beside either.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [, , modules] = process.argv;
const require = createRequire(pathToFileURL(`${modules}/package.json`));
const { composeServices } = require("@apollo/composition");
const { parse } = require("graphql");

function composed(sources) {
  const services = [];
  const errors = [];
  for (const [name, sdl] of Object.entries(sources)) {
    try {
      services.push({ name, url: `http://${name}`, typeDefs: parse(sdl) });
    } catch (error) {
      errors.push({ code: "INVALID_GRAPHQL", message: `[${name}] ${error.message}` });
    }
  }
  if (errors.length) return { errors };
  const result = composeServices(services);
  const hints = (result.hints ?? []).map((hint) => hint.definition.code);
  if (result.errors?.length) {
    return {
      hints,
      errors: result.errors.map((error) => ({ code: error.extensions?.code ?? null, message: error.message })),
    };
  }
  return { hints, sdl: result.supergraphSdl };
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = composed(JSON.parse(line));
  } catch (error) {
    answer = { crash: String(error.stack ?? error).slice(0, 600) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
