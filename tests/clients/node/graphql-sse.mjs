// Every kind of operation through graphql-sse: a connection for each operation, then one for all.
import { createClient } from 'graphql-sse';

const [url, streamUrl] = process.argv.slice(2);

async function exercise(client) {
  async function all(request) {
    const results = [];
    for await (const result of client.iterate(request)) results.push(result);
    return results;
  }
  const query = await all({ query: 'query Q($id: ID!) { book(id: $id) { title rating } }', variables: { id: '2' } });
  const mutation = await all({ query: 'mutation { addBook(title: "Dhalgren") { title } }' });
  const subscription = await all({ query: 'subscription { ticks(count: 3) { number book { title rating } } }' });
  const together = await Promise.all([1, 2, 3].map((count) => all({ query: `subscription { ticks(count: ${count}) { number } }` })));
  const refused = await all({ query: '{ nope }' }).then(
    ([result]) => result.errors.map((error) => error.extensions.code),
    (error) => (Array.isArray(error) ? error.map((each) => each.extensions.code) : String(error)),
  );
  const stopped = [];
  for await (const result of client.iterate({ query: 'subscription { ticks(count: 1000, everyMs: 5) { number } }' })) {
    stopped.push(result.data.ticks.number);
    if (stopped.length === 2) break;
  }
  client.dispose();
  return { query, mutation, subscription, together: together.map((results) => results.length), refused, stopped };
}

const distinct = await exercise(createClient({ url }));
const single = await exercise(createClient({ url: streamUrl, singleConnection: true, retryAttempts: 0 }));
console.log(JSON.stringify({ distinct, single }));
