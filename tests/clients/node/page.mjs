// The query page as a person uses it, in a real browser: run the query that is there, then a subscription.
import { chromium } from 'playwright-core';

const [url, picture] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
});
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 900 } });
  const problems = [];
  const outside = [];
  const sockets = [];
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('request', (request) => /^(https?|wss?):/.test(request.url()) && !request.url().startsWith(url) && outside.push(request.url()));
  page.on('websocket', (socket) => sockets.push(socket.url()));

  await page.goto(url, { waitUntil: 'networkidle' });
  const title = await page.title();
  const shown = () => page.locator('.result-window .view-lines').innerText();
  const run = page.getByRole('button', { name: /execute query/i });
  const ready = () => page.locator('.graphiql-query-editor .view-line').first().waitFor();
  const until = async (wanted) => {
    await ready();
    await run.click();
    for (let attempt = 0; attempt < 200; attempt++) {
      // The button does nothing while the editor is still being made.
      if (attempt % 40 === 39 && !(await shown())) await run.click();
      if ((await shown()).replace(/\s+/g, ' ').includes(wanted)) return true;
      await page.waitForTimeout(50);
    }
    return `not shown: ${wanted}; shown: ${await shown()}`;
  };
  const answered = await until('"title": "Solaris"');

  await page.goto(`${url}/?query=${encodeURIComponent('subscription { ticks(count: 1000, everyMs: 20) { number } }')}`, {
    waitUntil: 'networkidle',
  });
  const streamed = await until('"number": 12');
  await page.getByRole('button', { name: /stop query/i }).click();

  await page.getByRole('button', { name: /documentation explorer/i }).first().click();
  const documented = await page.getByText('Root Types').isVisible();
  if (picture) await page.screenshot({ path: picture });
  console.log(JSON.stringify({ title, answered, streamed, documented, sockets: sockets.length, problems, outside }));
} finally {
  await browser.close();
}
