// urql unchanged: queries, mutations, subscriptions over WebSocket and over its own fetch.
import { Client, cacheExchange, fetchExchange, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const url = process.argv[2];
const socket = createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket });
const forwardSubscription = (request) => ({
  subscribe: (sink) => ({ unsubscribe: socket.subscribe({ ...request, query: request.query ?? '' }, sink) }),
});
const byWebSocket = new Client({
  url,
  preferGetMethod: false,
  exchanges: [cacheExchange, fetchExchange, subscriptionExchange({ forwardSubscription })],
});
const byFetch = new Client({ url, preferGetMethod: false, fetchSubscriptions: true, exchanges: [fetchExchange] });
const byGet = new Client({ url, preferGetMethod: 'force', exchanges: [fetchExchange] });

function take(client, count) {
  return new Promise((resolve, reject) => {
    const numbers = [];
    const { unsubscribe } = client
      .subscription('subscription { ticks(count: 1000, everyMs: 5) { number } }', {})
      .subscribe((result) => {
        if (result.error) return reject(result.error);
        numbers.push(result.data.ticks.number);
        if (numbers.length === count) {
          unsubscribe();
          resolve(numbers);
        }
      });
  });
}

const Book = 'query Book($id: ID!) { book(id: $id) { title rating } }';
const plain = ({ data }) => JSON.parse(JSON.stringify(data, (key, value) => (key === '__typename' ? undefined : value)));
const query = plain(await byWebSocket.query(Book, { id: '2' }));
const get = plain(await byGet.query(Book, { id: '3' }));
const mutation = plain(await byWebSocket.mutation('mutation { addBook(title: "Nova") { title } }', {}));
const refused = (await byWebSocket.query('{ nope }', {})).error.graphQLErrors.map((error) => error.extensions.code);
const webSocket = await take(byWebSocket, 3);
const fetched = await take(byFetch, 3);
await socket.dispose();
console.log(JSON.stringify({ query, get, mutation, refused, webSocket, fetch: fetched }));
process.exit(0);
