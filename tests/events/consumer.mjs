// A consumer that is not ours and not in Python: it reads the feed as lines and as server-sent events, resuming each in
// the middle, and takes a webhook's deliveries, whose signatures it checks by hand and of which it refuses one once.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const [base, key, secret, port, count] = process.argv.slice(2);

async function* lines(path, headers = {}) {
  const reply = await fetch(base + path, { headers: { authorization: `Bearer ${key}`, ...headers } });
  if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
  let rest = "";
  for await (const chunk of reply.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop();
    yield* parts;
  }
}

async function take(count, path, headers) {
  const found = [];
  let id = null;
  for await (const line of lines(path, headers)) {
    if (line.startsWith("id: ")) id = line.slice(4);
    const text = line.startsWith("data: ") ? line.slice(6) : line;
    if (!text.startsWith("{")) continue;
    const event = JSON.parse(text);
    if (id !== null && id !== event.cursor) throw new Error(`${id} is not ${event.cursor}`);
    found.push(event);
    if (found.length === count) break;
  }
  return found;
}

function isSigned(headers, body) {
  const [stamp, id] = [headers["webhook-timestamp"], headers["webhook-id"]];
  if (Math.abs(Date.now() / 1000 - Number(stamp)) > 300) return false;
  const digest = createHmac("sha256", Buffer.from(secret.replace("whsec_", ""), "base64"));
  const expected = digest.update(`${id}.${stamp}.${body}`).digest();
  return headers["webhook-signature"].split(" ").some((each) => {
    const given = Buffer.from(each.replace("v1,", ""), "base64");
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

const attempts = [];
const taken = await new Promise((resolve) => {
  const hooks = [];
  createServer((request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      const body = Buffer.concat(pieces).toString();
      const id = JSON.parse(body).id;
      const first = !attempts.includes(id);
      attempts.push(id);
      response.statusCode = !isSigned(request.headers, body) ? 401 : first && hooks.length === 1 ? 503 : 204;
      response.end();
      if (response.statusCode === 204) hooks.push(id);
      if (hooks.length === Number(count)) resolve(hooks);
    });
  }).listen(Number(port), "127.0.0.1");
});
const half = await take(2, "/events/feed?after=beginning");
const rest = await take(Number(count) - 2, `/events/feed?after=${half[1].cursor}`);
const sse = await take(1, "/events/feed?after=beginning", { accept: "text/event-stream" });
const after = { accept: "text/event-stream", "last-event-id": sse[0].cursor };
const sseRest = await take(Number(count) - 1, "/events/feed", after);
const ids = (events) => events.map((event) => event.id);
process.stdout.write(JSON.stringify({
  lines: ids([...half, ...rest]), events: ids([...sse, ...sseRest]), taken, attempts: attempts.length,
}));
process.exit(0);
