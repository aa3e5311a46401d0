import { RpcError } from '../../rpc/error.js';
import { Status } from '../../rpc/status.js';
import type { Answer } from './answer.js';
import type { ConsulClient } from './client.js';
import { BadAnswer } from './guard.js';
import { hiddenFrom } from './hidden.js';
import type { Lane } from './lane.js';
import { type Listing, trustOf } from './listing.js';

export interface KeyValue {
  readonly key: string;
  readonly value: Buffer;
  /** Rounded to what a JavaScript number holds. */
  readonly flags: number;
  /** The session that holds the key, if one does. */
  readonly session: string | undefined;
  /** For a check-and-set. */
  readonly modifyIndex: bigint;
}

/** The keys under a prefix at one moment. A prefix without keys is an empty listing, not an error. */
export type KeyListing = Listing<KeyValue>;

/** How a request goes out. */
export type SendingOptions = {
  signal?: AbortSignal | undefined;
  /** @default the client's */
  timeoutMs?: number | undefined;
  lane?: Lane | undefined;
};

export type ReadOptions = SendingOptions & {
  since?: bigint | undefined;
  waitMs?: number | undefined;
  stale?: boolean | undefined;
};

export type WriteOptions = SendingOptions & {
  /** An unsigned 64-bit number that Consul keeps beside the value. */
  flags?: bigint | undefined;
  /** Writes only when the key is still as it was at this index; 0 when there is none. */
  cas?: bigint | undefined;
  /** Writes only as the holder of the key: takes it, or has it already. */
  acquire?: string | undefined;
};

/** The key-value store. */
export function kvOf(client: ConsulClient) {
  const read = (key: string, recurse: boolean, what: string, options: ReadOptions) =>
    client.send({
      method: 'GET',
      path: '/kv/{key}',
      params: { key },
      ...(recurse ? { query: { recurse: 'true' } } : {}),
      what,
      permission: `${recurse ? 'key_prefix' : 'key'} ${JSON.stringify(key)} { policy = "read" }`,
      mayBeAbsent: true,
      ...options,
      read: listingOf,
    });
  const write = async (key: string, body: string | Uint8Array, options: WriteOptions): Promise<boolean> => {
    const { flags, cas, acquire, ...sending } = options;
    const query: Record<string, string> = {};
    if (flags !== undefined) query.flags = String(flags);
    if (cas !== undefined) query.cas = String(cas);
    if (acquire !== undefined) query.acquire = acquire;
    return client.send({
      method: 'PUT',
      path: '/kv/{key}',
      params: { key },
      query,
      body,
      what: `write ${JSON.stringify(key)}`,
      permission: permissionToWrite(key),
      ...sending,
      read: (answer) => yesOrNo(answer, 'written', cas !== undefined || acquire !== undefined),
    });
  };
  return {
    list: (prefix: string, options: ReadOptions = {}): Promise<KeyListing> =>
      read(prefix, true, `list the keys under ${JSON.stringify(prefix)}`, options),

    /** A listing of this one key, or of none. */
    get: (key: string, options: ReadOptions = {}): Promise<KeyListing> =>
      read(key, false, `read ${JSON.stringify(key)}`, options),

    /** Whether a read of this key is allowed, which a listing does not say. True for '', which is no key. */
    async mayRead(key: string, options: SendingOptions & { stale?: boolean } = {}): Promise<boolean> {
      if (key === '') return true;
      try {
        await read(key, false, `read ${JSON.stringify(key)}`, options);
        return true;
      } catch (error) {
        if (error instanceof RpcError && error.code === Status.PERMISSION_DENIED) return false;
        throw error;
      }
    },

    /** The error for a listing that leaves out what the token may not read. */
    denied: (prefix: string): RpcError =>
      hiddenFrom(
        client,
        `list the keys under ${JSON.stringify(prefix)}`,
        `key_prefix ${JSON.stringify(prefix)} { policy = "read" }`,
      ),

    async put(key: string, value: string | Uint8Array, options: Omit<WriteOptions, 'cas' | 'acquire'> = {}) {
      await write(key, value, options);
    },

    /** False when the condition (`cas` or `acquire`) does not hold. */
    putIf: write,

    /** Deletes this one key; a key that is not there is no error. False when `cas` does not hold. */
    delete: (key: string, { cas, ...sending }: SendingOptions & { cas?: bigint } = {}) =>
      client.send({
        method: 'DELETE',
        path: '/kv/{key}',
        params: { key },
        ...(cas === undefined ? {} : { query: { cas: String(cas) } }),
        what: `delete ${JSON.stringify(key)}`,
        permission: permissionToWrite(key),
        ...sending,
        read: (answer) => yesOrNo(answer, 'deleted', cas !== undefined),
      }),
  };
}

export type Kv = ReturnType<typeof kvOf>;

const permissionToWrite = (key: string) => `key ${JSON.stringify(key)} { policy = "write" }`;

/** @param conditional whether `false` is an answer */
function yesOrNo(answer: Answer, done: string, conditional: boolean): boolean {
  const text = answer.text.trim();
  if (text === 'true') return true;
  if (text === 'false' && conditional) return false;
  throw new BadAnswer(`the agent did not confirm that it has ${done}`);
}

function listingOf(answer: Answer): KeyListing {
  const { status, index } = answer;
  // A proxy says 404 too, but it does not send an index.
  if (status === 404 && index === undefined)
    throw new BadAnswer('a 404 without X-Consul-Index; is this a Consul agent?');
  return { entries: status === 404 ? [] : entriesOf(answer), ...trustOf(answer) };
}

function entriesOf(answer: Answer): KeyValue[] {
  const list = answer.json();
  if (!Array.isArray(list)) throw new BadAnswer('not a list of keys');
  return list.map((item: unknown) => {
    const {
      Key: key,
      Value: value,
      Flags: flags,
      Session: session,
      ModifyIndex: modified,
    } = (item ?? {}) as Record<string, unknown>;
    if (typeof key !== 'string' || (typeof value !== 'string' && value !== null))
      throw new BadAnswer('not a list of keys');
    return {
      key,
      value: Buffer.from(value ?? '', 'base64'),
      flags: typeof flags === 'number' ? flags : 0,
      session: typeof session === 'string' && session !== '' ? session : undefined,
      modifyIndex:
        typeof modified === 'number' && Number.isSafeInteger(modified) && modified >= 0
          ? BigInt(modified)
          : 0n,
    };
  });
}
