import { type ConsulAgent, startConsul } from './agent.js';

const MASTER = '11111111-1111-1111-1111-111111111111';

/** An agent that refuses whatever no policy allows. */
export const startStrictConsul = (): Promise<ConsulAgent> =>
  startConsul({
    token: MASTER,
    config: `acl { enabled = true default_policy = "deny" tokens { master = "${MASTER}" agent = "${MASTER}" } }`,
  });

/** A token whose rights can be taken away and given back. */
export interface RevocableToken {
  readonly token: string;
  allow(rules: string): Promise<void>;
}

let serial = 0;

export async function revocableToken(agent: ConsulAgent, rules: string): Promise<RevocableToken> {
  const Name = `revocable-${serial++}`;
  const { ID } = (await agent.request('PUT', '/acl/policy', JSON.stringify({ Name, Rules: rules }))) as {
    ID: string;
  };
  const made = await agent.request('PUT', '/acl/token', JSON.stringify({ Policies: [{ ID }] }));
  return {
    token: (made as { SecretID: string }).SecretID,
    allow: async (now) =>
      void (await agent.request('PUT', `/acl/policy/${ID}`, JSON.stringify({ Name, Rules: now }))),
  };
}
