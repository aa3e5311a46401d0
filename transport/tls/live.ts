import { isDeepStrictEqual } from 'node:util';
import { RpcError } from '../../rpc/error.js';
import type { Logger } from '../../rpc/log.js';
import { Status } from '../../rpc/status.js';
import { type ClientTls, checkRenewal, MATERIALS, type ServerTls, type TlsRenewal } from '../tls.js';
import { logExpiry, logRenewal } from './certificate-log.js';
import { watchFiles } from './file-watch.js';
import { filesOf, originsOf, readFiles, readFilesSync, type TlsFiles } from './files.js';
import {
  checkedMaterial,
  invalid,
  type Origins,
  type Pems,
  type TlsMaterial,
  type TlsSource,
} from './material.js';

export type LiveTlsOptions = {
  readonly side: 'client' | 'server';
  readonly logger: Logger;
  /** Gets what is in use from now on in the place of other certificates, or of files that could not be read. */
  readonly onRenewed?: (material: TlsMaterial) => void;
};

/** The TLS of one client or server: where its certificates come from, and which are in use. */
export class LiveTls implements TlsSource {
  readonly serverName: string | undefined;
  readonly #options: LiveTlsOptions;
  readonly #files: TlsFiles;
  readonly #origins: Origins;
  /** What was given as text; `reloadTls` replaces it. */
  #given: Pems;
  /** What the files held when they were last taken. */
  #read: Pems | undefined;
  #material: TlsMaterial | undefined;
  /** What the files held when they were last looked at, or why they could not be read. */
  #seen: Pems | string | undefined;
  #warned: string | undefined;
  #watch: { close(): void } | undefined;
  #isClosed = false;

  /** Reads nothing. */
  constructor(tls: ClientTls | ServerTls, options: LiveTlsOptions) {
    this.serverName = 'serverName' in tls ? tls.serverName : undefined;
    this.#options = options;
    this.#files = filesOf(tls);
    this.#origins = originsOf(this.#files);
    this.#given = pemsOf(tls);
  }

  /** As `TlsSource` says; what it returns was read and checked when it was first asked for. */
  current(): TlsMaterial {
    if (this.#material) return this.#material;
    this.#read = readFilesSync(this.#files, this.#origins);
    this.#material = checkedMaterial({ ...this.#given, ...this.#read }, this.#origins);
    logExpiry(this.#material, this.#options.logger);
    return this.#material;
  }

  /** Follows the files, if there are any, until it is closed. Harmless twice. */
  follow(): void {
    if (!this.#hasFiles || this.#isClosed) return;
    this.#watch ??= watchFiles(Object.values(this.#files), () => this.#look());
  }

  /**
   * Takes new texts, or without any reads the files again at once.
   * @throws RpcError or TypeError that says what is wrong; then all stays as it was
   */
  async reload(renewal: TlsRenewal = {}): Promise<void> {
    checkRenewal(renewal);
    const fresh = pemsOf(renewal);
    this.#checkReload(fresh);
    if (Object.keys(fresh).length > 0) {
      const read = this.#read ?? readFilesSync(this.#files, this.#origins);
      return this.#take({ ...this.#given, ...fresh }, read);
    }
    const read = await readFiles(this.#files, this.#origins);
    if (!this.#isClosed && !isDeepStrictEqual(read, this.#read)) this.#take(this.#given, read);
  }

  close(): void {
    this.#isClosed = true;
    this.#watch?.close();
  }

  get #hasFiles(): boolean {
    return Object.keys(this.#files).length > 0;
  }

  #checkReload(fresh: Pems): void {
    const { side } = this.#options;
    if (this.#isClosed) throw new RpcError(Status.FAILED_PRECONDITION, `reloadTls: the ${side} is closed`);
    const names = MATERIALS.filter((name) => fresh[name] !== undefined);
    if (names.length === 0 && !this.#hasFiles) {
      throw invalid('reloadTls: expected cert, key or ca, since there are no files to read');
    }
    const fromFile = names.find((name) => this.#files[name] !== undefined);
    if (fromFile) {
      const origin = this.#origins[fromFile];
      throw invalid(`reloadTls: ${fromFile} comes from ${origin}, which is watched; write that file instead`);
    }
    if (side === 'server' && fresh.ca !== undefined && this.#given.ca === undefined) {
      throw invalid(
        'reloadTls: a server that was made without ca asks for no certificates; make one with ca',
      );
    }
  }

  /** @throws RpcError that says what is wrong; then all stays as it was */
  #take(given: Pems, read: Pems): void {
    const { logger, onRenewed } = this.#options;
    const before = this.#material ?? {};
    const material = checkedMaterial({ ...given, ...read }, this.#origins);
    this.#given = given;
    this.#read = read;
    this.#material = material;
    onRenewed?.(material);
    logRenewal(before, material, logger);
    logExpiry(material, logger);
  }

  /** Takes what two looks have found alike: a file that is still being written waits. Resolves with whether to look again. */
  async #look(): Promise<boolean> {
    const read = await readFiles(this.#files, this.#origins).catch((error) => RpcError.from(error).details);
    if (this.#isClosed) return false;
    if (isDeepStrictEqual(read, this.#read)) {
      this.#seen = this.#warned = undefined;
      return false;
    }
    if (!isDeepStrictEqual(read, this.#seen)) {
      this.#seen = read;
      return true;
    }
    try {
      if (typeof read === 'string') throw invalid(read);
      this.#take(this.#given, read);
      this.#seen = this.#warned = undefined;
    } catch (error) {
      this.#warn(RpcError.from(error).details);
    }
    return false;
  }

  /** Once for what stays broken. */
  #warn(reason: string): void {
    if (reason === this.#warned) return;
    this.#warned = reason;
    const then = this.#material ? 'the certificates in use stay' : 'no connection can be made';
    this.#options.logger.warn(`TLS files are refused, and ${then}`, { reason });
  }
}

/** For connections: the files are followed from the first one on. */
export const followed = (tls: LiveTls): TlsSource => ({
  serverName: tls.serverName,
  current() {
    // Also files that cannot be read yet.
    tls.follow();
    return tls.current();
  },
});

function pemsOf({ ca, cert, key }: TlsRenewal): Pems {
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}
