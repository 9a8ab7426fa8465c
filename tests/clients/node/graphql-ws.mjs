// Every kind of operation through graphql-ws, as its documentation shows it.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2].replace('http', 'ws');
const client = createClient({ url, webSocketImpl: WebSocket, connectionParams: { authorization: 'Bearer good' } });

async function all(request) {
  const results = [];
  for await (const result of client.iterate(request)) results.push(result);
  return results;
}

const query = await all({ query: 'query Q($id: ID!) { book(id: $id) { title rating } }', variables: { id: '2' } });
const mutation = await all({ query: 'mutation { addBook(title: "Roadside Picnic") { title } }' });
const subscription = await all({ query: 'subscription { ticks(count: 3) { number book { title rating } } }' });
const resumed = await all({
  query: 'subscription { ticks(count: 1) { number } }',
  extensions: { concord: { cursor: subscription.at(-1).extensions.concord.cursor } },
});
const refused = await all({ query: '{ nope }' }).catch((errors) => errors.map((error) => error.extensions.code));

const stopped = [];
for await (const result of client.iterate({ query: 'subscription { ticks(count: 1000, everyMs: 5) { number } }' })) {
  stopped.push(result.data.ticks.number);
  if (stopped.length === 2) break;
}
await client.dispose();

const closed = await new Promise((resolve) => {
  const denied = createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { authorization: 'Bearer bad' },
  });
  denied.subscribe({ query: '{ open }' }, { next() {}, complete() {}, error: ({ code, reason }) => resolve({ code, reason }) });
});
console.log(JSON.stringify({ query, mutation, subscription, resumed, refused, stopped, closed }));
