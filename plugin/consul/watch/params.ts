import { RpcError } from '../../../rpc/error.js';
import { Status } from '../../../rpc/status.js';

type Common = {
  /** @default the agent's own */
  readonly datacenter?: string | undefined;
  /** ACL token; before that of the connection, and never shown. */
  readonly token?: string | undefined;
};
type Read = Common & {
  /** Lets any server answer, with what it knows. @default false */
  readonly stale?: boolean | undefined;
};
/** An expression as in Consul's API: `Service.Meta.zone == "eu"`. */
type Filtered = { readonly filter?: string | undefined };

/** What to watch, in the words of HashiCorp's watch package. */
export type WatchParams =
  | (Read & { readonly type: 'key'; readonly key: string })
  | (Read & { readonly type: 'keyprefix'; readonly prefix: string })
  | (Read & { readonly type: 'services' })
  | (Read & Filtered & { readonly type: 'nodes' })
  | (Read &
      Filtered & {
        readonly type: 'service';
        readonly service: string;
        /** One that a node must have, or several, all of which it must have. */
        readonly tag?: string | readonly string[] | undefined;
        /** @default false */
        readonly passingonly?: boolean | undefined;
      })
  | (Read &
      Filtered & {
        readonly type: 'checks';
        /** Of this service; not together with `state`. */
        readonly service?: string | undefined;
        /** @default 'any' */
        readonly state?: 'any' | 'passing' | 'warning' | 'critical' | undefined;
      })
  | (Common & {
      readonly type: 'event';
      /** @default events of any name */
      readonly name?: string | undefined;
    })
  | (Common & { readonly type: 'agent_service'; readonly service_id: string });

/** Parameters that are taken one by one, so that one which nobody took is known to be wrong. */
export interface ParamReader {
  /** `''` counts as not given. */
  text(name: string): string | undefined;
  required(name: string): string;
  flag(name: string): boolean;
  /** A text is a list of one. */
  texts(name: string): readonly string[];
  /** @throws RpcError that names what is left */
  end(): void;
}

/** @throws RpcError INVALID_ARGUMENT, from each verb, with the parameter's name and, but for the token, its value */
export function readParams(params: unknown): ParamReader {
  if (typeof params !== 'object' || params === null || Array.isArray(params))
    throw refused(`an object of parameters is wanted, got ${show(params)}`);
  const given = new Map(Object.entries(params).filter(([, value]) => value !== undefined));
  const left = new Set(given.keys());
  const known: string[] = [];

  function take(name: string): unknown {
    known.push(name);
    left.delete(name);
    return given.get(name);
  }
  function wrong(name: string, wanted: string, value: unknown): RpcError {
    return refused(
      `parameter "${name}": ${wanted} is wanted, got ${name === 'token' ? typeof value : show(value)}`,
    );
  }
  function text(name: string): string | undefined {
    const value = take(name);
    if (value !== undefined && typeof value !== 'string') throw wrong(name, 'a string', value);
    return value || undefined;
  }
  return {
    text,
    required(name) {
      const value = text(name);
      if (value === undefined)
        throw refused(`parameter "${name}" is missing for type "${String(given.get('type'))}"`);
      return value;
    },
    flag(name) {
      const value = take(name) ?? false;
      if (typeof value !== 'boolean') throw wrong(name, 'true or false', value);
      return value;
    },
    texts(name) {
      const value = take(name) ?? [];
      const list: unknown[] = Array.isArray(value) ? value : [value];
      for (const item of list)
        if (typeof item !== 'string' || item === '')
          throw wrong(name, 'a string that is not empty, or a list of them,', value);
      return list.map(String);
    },
    end() {
      if (left.size === 0) return;
      const names = [...left].map((name) => JSON.stringify(name.slice(0, 64))).join(', ');
      throw refused(
        `unknown parameter ${names} for type "${String(given.get('type'))}", which takes ${known.join(', ')}`,
      );
    },
  };
}

/**
 * A key, or what keys begin with.
 * @throws RpcError for what Consul would redirect to another key (`/x`, `a//b`, `a/../b`) or refuse
 */
export function checkKey(name: string, key: string): string {
  const bad = (why: string) => refused(`parameter "${name}": ${show(key)} ${why}`);
  if (key.startsWith('/')) throw bad('must not start with "/"');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(key)) throw bad('has a control character');
  if (/(^|\/)\.{1,2}(\/|$)/.test(key) || key.includes('//')) throw bad('has an empty segment, "." or ".."');
  return key;
}

export const refused = (text: string) =>
  new RpcError(Status.INVALID_ARGUMENT, `watch: ${text}`, { maybeExecuted: false });

export function show(value: unknown): string {
  const text = typeof value === 'bigint' ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 128 ? `${text.slice(0, 128)}...` : text;
}
