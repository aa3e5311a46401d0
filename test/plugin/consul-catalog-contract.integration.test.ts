import { consul, type ServiceCheck } from '../../plugin/consul/consul.js';
import { startConsul } from '../consul/agent.js';
import { resolverContract } from '../contract/resolver.js';

// Nobody listens on the addresses of the contract, so a check that connects is not made while the contract runs.
const checks: readonly ServiceCheck[] = [{ kind: 'ttl' }, { kind: 'tcp', intervalMs: 3_600_000 }];

for (const check of checks) {
  resolverContract(`consul in catalog mode with a ${check.kind} check`, async () => {
    const agent = await startConsul();
    return {
      server: consul({ mode: 'catalog', address: agent.address, check }),
      client: consul({ mode: 'catalog', address: agent.url }),
      [Symbol.asyncDispose]: () => agent.stop(),
    };
  });
}
