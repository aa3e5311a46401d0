import { spawn } from 'node:child_process';
import { whenAlone } from './child.js';

// `keeper.js <program> <arguments...>`: runs a program for as long as the process that asked for it lives, even if that
// one is killed and can end nothing itself.

const [program = '', ...args] = process.argv.slice(2);
const child = spawn(program, args, { stdio: 'inherit' });

child.once('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
child.once('exit', (code) => process.exit(code ?? 1));
whenAlone(() => child.kill('SIGKILL'));
