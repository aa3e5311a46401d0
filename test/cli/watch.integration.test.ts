import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { consulBinary } from '../../scripts/consul.js';
import { root } from '../../scripts/root.js';
import { type ConsulAgent, closedPort, startConsul } from '../consul/agent.js';

const TIME_LIMIT = { timeout: 60_000 };

type Ran = { status: number | null; stdout: string; stderr: string };

describe('W16 lictor watch, beside consul watch', () => {
  let agent: ConsulAgent;
  let binary: string;
  let env: NodeJS.ProcessEnv;

  before(async () => {
    binary = await consulBinary();
    agent = await startConsul();
    env = { ...process.env, CONSUL_HTTP_ADDR: agent.address, SHELL: '/bin/sh' };
    await agent.put('a/b', 'one <two>');
  }, TIME_LIMIT);
  after(() => agent.stop());

  const run = (file: string, args: readonly string[]) =>
    new Promise<Ran>((resolve) => {
      const child = execFile(file, args, { env }, (_error, stdout, stderr) =>
        resolve({ status: child.exitCode, stdout, stderr }),
      );
    });
  const main = join(root, 'dist/cli/main.js');
  const lictor = (...args: string[]) => run(process.execPath, [main, 'watch', ...args]);
  /** With options as Go spells them. */
  const consul = (...args: string[]) =>
    run(binary, ['watch', ...args.map((word) => (word === '--shell' ? word : word.replace(/^--/, '-')))]);

  const alike: [what: string, ...args: string[]][] = [
    ['prints a key', '--type', 'key', '--key', 'a/b'],
    ['prints null for a key that is not there', '--type', 'key', '--key', 'nowhere'],
    ['prints a prefix', '--type', 'keyprefix', '--prefix', 'a/', '--stale'],
    ['prints the services', '--type', 'services', '--datacenter', 'dc1'],
    ['prints the nodes', '--type', 'nodes'],
    ['prints the nodes of a service', '--type', 'service', '--service', 'consul'],
    ['prints the checks', '--type', 'checks', '--state', 'passing'],
    ['prints the events', '--type', 'event', '--name', 'deploy'],
  ];
  for (const [what, ...args] of alike) {
    test(`${what} as consul watch does, and ends`, TIME_LIMIT, async () => {
      const [ours, theirs] = await Promise.all([lictor(...args), consul(...args)]);
      assert.equal(theirs.status, 0);
      assert.deepEqual(ours, theirs);
    });
  }

  const wrong: [what: string, said: RegExp, ...args: string[]][] = [
    ['without a type', /"type" is missing/],
    ['of an unknown type', /"type": one of key, .* got "keys"/, '--type', 'keys'],
    ['without what the type needs', /"key" is missing/, '--type', 'key'],
    ["with another type's option", /unknown parameter "key"/, '--type', 'nodes', '--key', 'a'],
    [
      'with two that exclude each other',
      /cannot be given together/,
      '--type',
      'checks',
      '--service',
      'a',
      '--state',
      'any',
    ],
    ['with an unknown option', /unknown option/, '--nothing', 'key'],
  ];
  for (const [what, said, ...args] of wrong) {
    test(`${what} it ends with 1, as consul watch does, and says why in a line`, TIME_LIMIT, async () => {
      const [ours, theirs] = await Promise.all([lictor(...args), consul(...args)]);
      assert.deepEqual([ours.status, ours.stdout], [theirs.status, '']);
      assert.match(ours.stderr, said);
      assert.equal(ours.stderr.trim().split('\n').length, 1);
    });
  }

  test('without an agent it ends with 1, as consul watch does', TIME_LIMIT, async () => {
    const args = ['--type', 'nodes', '--http-addr', `127.0.0.1:${await closedPort()}`];
    const [ours, theirs] = await Promise.all([lictor(...args), consul(...args)]);
    assert.deepEqual([ours.status, theirs.status], [1, 1]);
    assert.match(ours.stderr, /ECONNREFUSED/);
  });

  test('a command that fails ends it with 1, as consul watch does', TIME_LIMIT, async () => {
    const script = 'cat; echo $CONSUL_INDEX; exit 3';
    const [ours, theirs] = await Promise.all([
      lictor('--type', 'key', '--key', 'a/b', 'sh', '-c', script),
      run(binary, ['watch', '-type=key', '-key=a/b', '-shell=false', 'sh', '-c', script]),
    ]);
    assert.deepEqual([ours.status, ours.stdout], [theirs.status, theirs.stdout]);
    assert.match(ours.stderr, /exit status 3/);
  });

  test('a command that is not there ends it with 1, as consul watch does', TIME_LIMIT, async () => {
    const ours = await lictor('--type', 'nodes', 'no-such-program');
    assert.equal(ours.status, 1);
    assert.match(ours.stderr, /cannot start "no-such-program": ENOENT/);
  });

  test('with --shell a shell reads the command, as in consul watch', TIME_LIMIT, async () => {
    const words = ['cat', '>/dev/null;', 'echo', '$CONSUL_INDEX', '$((1+1));', 'exit', '1'];
    const [ours, theirs] = await Promise.all([
      lictor('--type', 'nodes', '--shell', ...words),
      run(binary, ['watch', '-type=nodes', ...words]),
    ]);
    assert.match(ours.stdout, /^\d+ 2\n$/);
    assert.deepEqual([ours.status, ours.stdout], [theirs.status, theirs.stdout]);
  });

  for (const [name, file, said, args] of [
    ['lictor', process.execPath, /^$/, () => [main, 'watch', '--type', 'key', '--key', 'live']],
    // It sends the signal on to a command that may have ended just then, and says so.
    [
      'consul',
      '',
      /^(Warning, could not forward signal: .*process already finished\n)?$/,
      () => ['watch', '-type=key', '-key=live', '-shell=false'],
    ],
  ] as const) {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      test(
        `${name} watch runs the command for every change, until ${signal} ends it with 0`,
        TIME_LIMIT,
        async () => {
          await agent.put('live', '1');
          const child = spawn(file || binary, [...args(), 'cat'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
          await line(child, /"Value":"MQ=="/);
          const changed = line(child, /"Value":"Mg=="/);
          await agent.put('live', '2');
          await changed;
          let stderr = '';
          child.stderr?.on('data', (chunk) => {
            stderr += chunk;
          });
          child.kill(signal);
          const [status] = await once(child, 'close');
          assert.equal(status, 0);
          assert.match(stderr, said);
        },
      );
    }
  }

  test('SIGTERM ends a command that runs, too', TIME_LIMIT, async () => {
    const child = spawn(
      process.execPath,
      [main, 'watch', '--type', 'nodes', 'sh', '-c', 'echo $$; exec sleep 600'],
      {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    const pid = Number(await line(child, /^(\d+)\n/));
    child.kill('SIGTERM');
    // Their common stdout is closed when both are gone.
    const [status] = await once(child, 'close');
    assert.equal(status, 0);
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  });

  test('sends every result to --http-handler, and goes on when that fails', TIME_LIMIT, async () => {
    await agent.put('hook', '1');
    const requests: { request: IncomingMessage; body: string }[] = [];
    const server = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += String(chunk);
      requests.push({ request, body });
      response.writeHead(requests.length === 1 ? 500 : 200).end();
      server.emit('served');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const first = once(server, 'served');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    const child = spawn(
      process.execPath,
      [
        main,
        'watch',
        '--type=key',
        '--key=hook',
        `--http-handler=${url}`,
        '--http-method=PUT',
        '--http-header=X-A: b: c',
      ],
      { env, stdio: ['ignore', 'inherit', 'pipe'] },
    );
    const said = once(child.stderr!, 'data');
    await first;
    assert.match(String(await said), /handler: could not PUT to .*: status 500/);
    const second = once(server, 'served');
    await agent.put('hook', '2');
    await second;
    child.kill('SIGINT');
    const [status] = await once(child, 'close');
    server.close();
    assert.equal(status, 0);
    const { request, body } = requests[1]!;
    const index = (JSON.parse(body) as { ModifyIndex: number }).ModifyIndex;
    assert.deepEqual([request.method, request.headers['x-a']], ['PUT', 'b: c']);
    assert.equal(request.headers['x-consul-index'], String(index));
  });

  test('a command and --http-handler exclude each other', TIME_LIMIT, async () => {
    const { status, stderr } = await lictor('--type', 'nodes', '--http-handler', 'http://127.0.0.1:1', 'cat');
    assert.equal(status, 1);
    assert.match(stderr, /cannot be given together/);
  });

  test(
    'W5 W9 an agent that goes away, and comes back without its data, is told once and waited for',
    TIME_LIMIT,
    async () => {
      await using own = await startConsul();
      await own.put('a', '1');
      const child = spawn(
        process.execPath,
        [main, 'watch', '--type=key', '--key=a', `--http-addr=${own.address}`, 'cat'],
        {
          env,
          stdio: ['ignore', 'pipe', 'pipe'],
        },
      );
      await line(child, /"Value":"MQ=="/);
      const told = once(child.stderr!, 'data');
      await own.kill('SIGKILL');
      assert.match(String(await told), /^lictor: consul at .*; trying again\n$/);
      await own.restart({ wipe: true });
      const changed = line(child, /"Value":"Mg=="/);
      await own.put('a', '2');
      await changed;
      child.kill('SIGTERM');
      const [status] = await once(child, 'close');
      assert.equal(status, 0);
    },
  );
});

/** Resolves with what matched, once the output from now on does. */
async function line(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = '';
  for (;;) {
    const [chunk] = await once(child.stdout!, 'data');
    text += String(chunk);
    const match = pattern.exec(text);
    if (match) return match[1] ?? match[0];
  }
}
