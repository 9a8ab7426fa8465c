// Builds ../assets from the packages named in package.json, gzipped as they are served.
// Usage: node build.mjs <folder with node_modules> <assets folder>
import { gzipSync } from 'node:zlib';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const [packages, assets] = process.argv.slice(2, 4).map((path) => resolve(path));
const { build } = createRequire(join(packages, 'index.js'))('esbuild');
const source = join(packages, 'page.js');
cpSync(join(dirname(fileURLToPath(import.meta.url)), 'page.js'), source);

const shared = {
  bundle: true,
  minify: true,
  metafile: true,
  write: false,
  legalComments: 'none',
  absWorkingDir: packages,
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.ttf': 'file', '.woff2': 'file' },
  logOverride: { 'empty-glob': 'silent' },
  outdir: assets,
};

const page = await build({
  ...shared,
  entryPoints: { page: source },
  format: 'esm',
  splitting: true,
  target: 'es2022',
  chunkNames: 'chunk-[hash]',
  assetNames: '[name]-[hash]',
});
const workers = await build({
  ...shared,
  entryPoints: {
    'editor.worker': 'monaco-editor/esm/vs/editor/editor.worker.js',
    'json.worker': 'monaco-editor/esm/vs/language/json/json.worker.js',
    'graphql.worker': 'monaco-graphql/esm/graphql.worker.js',
  },
  format: 'iife',
});

rmSync(assets, { recursive: true, force: true });
mkdirSync(assets, { recursive: true });
for (const file of [...page.outputFiles, ...workers.outputFiles]) {
  writeFileSync(`${file.path}.gz`, gzipSync(file.contents, { level: 9 }));
}

const bundled = new Set();
for (const input of [...Object.keys(page.metafile.inputs), ...Object.keys(workers.metafile.inputs)]) {
  const name = input.match(/.*node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1];
  if (name) bundled.add(name);
}
const texts = [...bundled].sort().map((name) => {
  const folder = join(packages, 'node_modules', name);
  const about = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const licence = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  const text = licence ? readFileSync(join(folder, licence), 'utf8').trim() : `Licence: ${about.license}`;
  return `${name} ${about.version}\n${'='.repeat(name.length + about.version.length + 1)}\n\n${text}\n`;
});
writeFileSync(join(assets, 'LICENCES.txt'), `The query page is built from these packages.\n\n${texts.join('\n\n')}`);
const notices = join(packages, 'node_modules', 'monaco-editor', 'ThirdPartyNotices.txt');
if (existsSync(notices)) cpSync(notices, join(assets, 'MONACO-NOTICES.txt'));
