// Apollo Client unchanged: cache, persisted queries, subscriptions over WebSocket and as multipart.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { createClient } from 'graphql-ws';
import { createHash } from 'node:crypto';
import WebSocket from 'ws';

const uri = process.argv[2];
const requests = [];
const counted = (input, init) => {
  requests.push(typeof init.body === 'string' && init.body.includes('"query"') ? 'document' : 'hash');
  return fetch(input, init);
};
const over = (link) => new ApolloClient({ link, cache: new InMemoryCache() });
const http = over(new HttpLink({ uri }));

function take(client, query, count) {
  return new Promise((resolve, reject) => {
    const results = [];
    const subscription = client.subscribe({ query }).subscribe({
      next: ({ data, error }) => {
        if (error) return reject(error);
        results.push(data.ticks.number);
        if (results.length === count) {
          subscription.unsubscribe();
          resolve(results);
        }
      },
      error: reject,
    });
  });
}

const Books = gql`query Book($id: ID!) { book(id: $id) { id title rating } }`;
const query = (await http.query({ query: Books, variables: { id: '2' } })).data;
const mutation = (await http.mutate({ mutation: gql`mutation { addBook(title: "Babel-17") { title } }` })).data;
const refused = await http.query({ query: gql`{ nope }` }).catch((error) =>
  CombinedGraphQLErrors.is(error) ? error.errors.map((each) => each.extensions.code) : String(error),
);

const sha256 = async (text) => createHash('sha256').update(text).digest('hex');
const persisted = over(ApolloLink.from([new PersistedQueryLink({ sha256 }), new HttpLink({ uri, fetch: counted })]));
const Persisted = gql`query Persisted { book(id: 3) { title } }`;
for (let time = 0; time < 2; time++) await persisted.query({ query: Persisted, fetchPolicy: 'network-only' });

const Ticks = gql`subscription { ticks(count: 1000, everyMs: 5) { number } }`;
const multipart = await take(http, Ticks, 3);
const webSocket = createClient({ url: uri.replace('http', 'ws'), webSocketImpl: WebSocket });
const overWebSocket = await take(over(new GraphQLWsLink(webSocket)), Ticks, 3);
await webSocket.dispose();
console.log(JSON.stringify({ query, mutation, refused, persisted: requests, multipart, webSocket: overWebSocket }));
