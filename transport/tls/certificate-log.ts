import type { X509Certificate } from 'node:crypto';
import type { Logger } from '../../rpc/log.js';
import { MATERIALS } from '../tls.js';
import type { Pems, TlsMaterial } from './material.js';

/** A certificate out of its time is used all the same: whether a peer takes it is the peer's to say, as is its clock. */
export function logExpiry({ certificate }: TlsMaterial, logger: Logger): void {
  if (!certificate) return;
  const now = Date.now();
  if (Date.parse(certificate.validTo) < now) {
    logger.warn('the TLS certificate has expired, and peers will refuse it', shown(certificate));
  } else if (Date.parse(certificate.validFrom) > now) {
    logger.warn('the TLS certificate is not valid yet, and peers will refuse it', shown(certificate));
  }
}

export function logRenewal(before: Pems, after: TlsMaterial, logger: Logger): void {
  const changed = MATERIALS.filter((name) => String(before[name]) !== String(after[name]));
  const { certificate } = after;
  logger.info?.('TLS certificates were renewed', {
    changed: changed.join(', '),
    ...(certificate ? shown(certificate) : {}),
  });
}

/** What tells certificates apart; the serial number is what `openssl x509 -serial` prints. */
const shown = ({ subject, serialNumber, validFrom, validTo }: X509Certificate) => ({
  subject: subject?.replaceAll('\n', ', '),
  serialNumber,
  validFrom,
  validTo,
});
