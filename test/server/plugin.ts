import type { RegistrationRequest, ResolverPlugin } from 'lictor';

export type Recorded = ResolverPlugin & {
  readonly requests: RegistrationRequest[];
  readonly events: string[];
};

/** A registry that writes down what it is asked, into `events` that several may share. */
export function recordingPlugin(
  options: {
    name?: string;
    events?: string[];
    init?: () => Promise<void>;
    dispose?: () => Promise<void>;
  } = {},
): Recorded {
  const { name = 'recording', events = [], init, dispose } = options;
  const requests: RegistrationRequest[] = [];
  return {
    kind: 'resolver',
    name,
    requests,
    events,
    async *watch() {},
    describe: () => name,
    async init(request) {
      requests.push(request);
      events.push(`${name} init`);
      await init?.();
      events.push(`${name} listed`);
      return {
        async [Symbol.asyncDispose]() {
          events.push(`${name} removed`);
          await dispose?.();
        },
      };
    },
  };
}
