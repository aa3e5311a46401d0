import type { ChannelCredentials, ServerCredentials } from '@grpc/grpc-js';
import { RpcError } from '../../rpc/error.js';
import { lazily } from '../../rpc/lazily.js';
import { serverContext, type TlsMaterial, type TlsSource } from '../tls/material.js';
import { grpc } from './package.js';

export function channelCredentials(tls: TlsSource | undefined): ChannelCredentials {
  if (!tls) return grpc().ChannelCredentials.createInsecure();
  return new (renewing().Channel)(tls);
}

/** Credentials of a server whose certificates may be renewed. */
export type ServedCredentials = ServerCredentials & { renew(tls: TlsMaterial): void };

export const servedCredentials = (tls: TlsMaterial): ServedCredentials => new (renewing().Server)(tls);

/** Classes, since grpc-js takes only what extends its own; made late, since it is loaded late. */
const renewing = lazily(() => {
  const { ChannelCredentials, ServerCredentials } = grpc();

  /** A channel keeps its credentials for life. These ask for the certificates of each connection. */
  class Channel extends ChannelCredentials {
    readonly #tls: TlsSource;

    constructor(tls: TlsSource) {
      super();
      this.#tls = tls;
    }

    override _isSecure(): boolean {
      return true;
    }

    override _equals(other: ChannelCredentials): boolean {
      return this === other;
    }

    override _createSecureConnector(
      ...options: Parameters<ChannelCredentials['_createSecureConnector']>
    ): ReturnType<ChannelCredentials['_createSecureConnector']> {
      const insecure = ChannelCredentials.createInsecure()._createSecureConnector(...options);
      const connect: typeof insecure.connect = async (socket) => {
        const secure = ChannelCredentials.createFromSecureContext(contextOf(this.#tls));
        return secure._createSecureConnector(...options).connect(socket);
      };
      return { ...insecure, connect };
    }
  }

  class Served extends ServerCredentials {
    constructor(tls: TlsMaterial) {
      super({ requestCert: tls.ca !== undefined }, pemsOf(tls));
    }

    override _equals(other: ServerCredentials): boolean {
      return this === other;
    }

    renew(tls: TlsMaterial): void {
      this.updateSecureContextOptions(pemsOf(tls));
    }
  }

  return { Channel, Server: Served };
});

// The variable is one that grpc-js reads, too.
const pemsOf = (tls: TlsMaterial) => ({ ...serverContext(tls), ciphers: process.env.GRPC_SSL_CIPHER_SUITES });

/** @throws Error whose text grpc-js shows in the error of the calls */
function contextOf(tls: TlsSource) {
  try {
    return tls.current().context;
  } catch (reason) {
    throw new Error(RpcError.from(reason).details, { cause: reason });
  }
}
