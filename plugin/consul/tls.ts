/** TLS to the agent. Certificates are PEM texts. */
export type ConsulTls = {
  /** Signed the agent's certificate. @default the authorities that Node trusts */
  readonly ca?: string | Uint8Array | undefined;
  readonly cert?: string | Uint8Array | undefined;
  readonly key?: string | Uint8Array | undefined;
  /** The name that the agent's certificate is for. @default the host of its address */
  readonly serverName?: string | undefined;
};
