// The query page: GraphiQL over the gateway's own endpoint, subscriptions over WebSocket. Nothing is fetched from elsewhere.
import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createClient } from 'graphql-ws';
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import 'graphiql/style.css';

const root = document.getElementById('graphiql');
const { endpoint, assets, query } = root.dataset;

globalThis.MonacoEnvironment = {
  getWorker(_id, label) {
    const name = label === 'json' || label === 'graphql' ? label : 'editor';
    return new Worker(`${assets}${name}.worker.js`, { name: label });
  },
};

const webSocketUrl = new URL(endpoint, location.href);
webSocketUrl.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
let headers = {};

const overHttp = createGraphiQLFetcher({
  url: endpoint,
  // The page's headers editor also speaks for the WebSocket, which can't carry headers of its own.
  wsClient: createClient({ url: webSocketUrl.href, lazy: true, connectionParams: () => ({ headers }) }),
});

function fetcher(request, options) {
  headers = options?.headers ?? {};
  return overHttp(request, options);
}

const asked = new URLSearchParams(location.search);

createRoot(root).render(
  createElement(GraphiQL, {
    fetcher,
    defaultQuery: query,
    initialQuery: asked.get('query') ?? undefined,
    initialVariables: asked.get('variables') ?? undefined,
    defaultEditorToolsVisibility: 'variables',
    shouldPersistHeaders: false,
    plugins: [HISTORY_PLUGIN],
  }),
);
