/**
 * Versions of Consul as the scripted fake imitates them, by their documentation, change log and source. Only 1.8.7 is
 * run for real; see agent.ts.
 */
export type ConsulVersion = '1.8' | '1.10' | '1.11' | '1.21.5' | '1.22';

/** What an answer has in one version and not in another. */
export interface Traits {
  /**
   * Whether queries of `/health/service` with an index are answered from a stream of events (unless `near` is given):
   * such an answer says that no leader is known, whatever the leader (hashicorp/consul#9776).
   */
  readonly streams: boolean;
  /** Whether an answer that leaves out what the token may not read says so; a streamed one never does. */
  readonly saysFiltered: boolean;
  /** Whether too many connections or requests are answered with 429; before, the connection is closed. */
  readonly answersLimits: boolean;
  /** Why a key is refused, and with which status; undefined when it is taken. */
  readonly refusalOf: (key: string) => { readonly status: number; readonly text: string } | undefined;
}

const takesAll = () => undefined;

export const traits: Readonly<Record<ConsulVersion, Traits>> = {
  '1.8': { streams: false, saysFiltered: false, answersLimits: false, refusalOf: takesAll },
  '1.10': { streams: true, saysFiltered: false, answersLimits: true, refusalOf: takesAll },
  '1.11': { streams: true, saysFiltered: true, answersLimits: true, refusalOf: takesAll },
  '1.21.5': {
    streams: true,
    saysFiltered: true,
    answersLimits: true,
    // hashicorp/consul#22822; taken back in 1.21.6.
    refusalOf: (key) =>
      /^[a-zA-Z0-9,_./\-?&=]*$/.test(key)
        ? undefined
        : {
            status: 500,
            text: 'invalid key name, keys should respect the "^[a-zA-Z0-9,_./\\\\-?&=]+$" format',
          },
  },
  '1.22': {
    streams: true,
    saysFiltered: true,
    answersLimits: true,
    refusalOf: (key) =>
      key.trim() === key && !key.split('/').includes('..')
        ? undefined
        : { status: 400, text: 'invalid key name' },
  },
};

export const versions = Object.keys(traits) as readonly ConsulVersion[];

/** The version that a suite runs against, from the environment. */
export const suiteVersion: ConsulVersion =
  versions.find((version) => version === process.env.LICTOR_FAKE_CONSUL) ?? '1.8';

/** Why a test about headers of the leader cannot be made with catalog queries; false where it can. */
export const streamed = traits[suiteVersion].streams && 'a streamed answer says nothing of the leader';
