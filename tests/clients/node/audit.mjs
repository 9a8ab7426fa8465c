// The GraphQL over HTTP audit suite of npm's graphql-http. Prints {total, ok, failed}.
import { auditServer } from 'graphql-http';

const results = await auditServer({ url: process.argv[2] });
const failed = results.filter((result) => result.status !== 'ok').map(({ id, name, reason }) => ({ id, name, reason }));
console.log(JSON.stringify({ total: results.length, ok: results.length - failed.length, failed }));
