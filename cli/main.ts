#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { RpcError } from '../rpc/error.js';
import { type GenerateOptions, generate } from './generate.js';
import { registerNodes } from './nodes.js';
import { addPrune } from './prune.js';
import { registerWatch } from './watch.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

const program = new Command('lictor')
  .description('Tools of the RPC framework Lictor')
  .version(version)
  .enablePositionalOptions();

program
  .command('generate')
  .description('write TypeScript types and services for .proto files and all they import')
  .argument('<files...>', '.proto files')
  .requiredOption('-o, --out <dir>', 'the folder to write to')
  .option('-I, --include <dir...>', 'folders that imports are relative to (default: those of the files)')
  .action(async (files: string[], options: GenerateOptions) => {
    for (const path of await generate(files, options)) console.log(path);
  });

registerNodes(program);
addPrune(program);
registerWatch(program);

try {
  await program.parseAsync();
} catch (error) {
  // What is wrong with a .proto or a folder is for its author; a stack trace would only be for ours.
  if (!(error instanceof RpcError)) throw error;
  console.error(`lictor: ${error.details.replaceAll('\n', ' ')}`);
  process.exitCode = 1;
}
