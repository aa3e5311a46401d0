import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** An example that can be run: one program, or a server and a client. Paths are of compiled files. */
export type Example = { readonly name: string } & (
  | { readonly kind: 'main'; readonly main: string }
  | { readonly kind: 'pair'; readonly server: string; readonly client: string }
);

/** The examples in `folder`, by name. A subfolder without `main.js`, or `server.js` and `client.js`, is none. */
export function listExamples(folder: string): readonly Example[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => readExample(folder, entry.name))
    .filter((example) => example !== undefined)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readExample(folder: string, name: string): Example | undefined {
  const [main, server, client] = ['main.js', 'server.js', 'client.js'].map((file) =>
    join(folder, name, file),
  ) as [string, string, string];
  if (existsSync(main)) return { name, kind: 'main', main };
  return existsSync(server) && existsSync(client) ? { name, kind: 'pair', server, client } : undefined;
}
