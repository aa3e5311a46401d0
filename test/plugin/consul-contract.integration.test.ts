import { consul } from '../../plugin/consul/consul.js';
import { startConsul } from '../consul/agent.js';
import { resolverContract } from '../contract/resolver.js';

for (const prefix of ['', 'services/eu/']) {
  resolverContract(`consul with the prefix "${prefix}"`, async () => {
    const agent = await startConsul();
    return {
      server: consul({ address: agent.address, prefix }),
      client: consul({ address: agent.url, prefix }),
      [Symbol.asyncDispose]: () => agent.stop(),
    };
  });
}
