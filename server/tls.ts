import { RpcError } from '../rpc/error.js';
import type { Logger } from '../rpc/log.js';
import { Status } from '../rpc/status.js';
import { LiveTls } from '../transport/tls/live.js';
import type { TlsMaterial } from '../transport/tls/material.js';
import type { ServerTls, TlsRenewal } from '../transport/tls.js';
import type { Engine, Listener } from '../transport/transport.js';

/** The TLS of a server, from its start to its end. */
export class ServedTls {
  readonly #engine: Engine;
  readonly #live: LiveTls | undefined;
  #listener: Listener | undefined;

  constructor(tls: ServerTls | undefined, engine: Engine, logger: Logger) {
    this.#engine = engine;
    if (!tls || engine.hasTls === false) return;
    this.#live = new LiveTls(tls, {
      side: 'server',
      logger,
      onRenewed: (material) => this.#listener?.renewTls?.(material),
    });
  }

  /** What to listen with. @throws RpcError INVALID_ARGUMENT that names the option or file that is wrong */
  load(): TlsMaterial | undefined {
    return this.#live?.current();
  }

  /** Renews what the listener shows, from now on. */
  serve(listener: Listener): void {
    this.#listener = listener;
    if (listener.renewTls) this.#live?.follow();
  }

  async reload(renewal: TlsRenewal | undefined): Promise<void> {
    const { name, hasTls } = this.#engine;
    if (hasTls === false) throw refused(`the transport ${name} has no TLS`);
    if (!this.#live) throw refused('the server was made without tls');
    if (!this.#listener) {
      throw refused(
        'this process does not serve (call it in each worker, or have files watched by all of them)',
      );
    }
    if (!this.#listener.renewTls) throw refused(`the transport ${name} cannot renew the TLS of its servers`);
    await this.#live.reload(renewal);
  }

  close(): void {
    this.#live?.close();
  }
}

const refused = (why: string) => new RpcError(Status.FAILED_PRECONDITION, `reloadTls: ${why}`);
