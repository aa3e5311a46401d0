import { FORMAT_HTTP_HEADERS, type Span, type SpanContext, type Tracer } from 'opentracing';
import type { Metadata } from '../../rpc/metadata.js';

/**
 * Writes the span's context into the metadata, over what the caller had under the same keys.
 * @throws TypeError, after all else is written, for the last entry that cannot travel as metadata
 */
export function inject(tracer: Tracer, span: Span, metadata: Metadata): void {
  const carrier: Record<string, unknown> = {};
  tracer.inject(span.context(), FORMAT_HTTP_HEADERS, carrier);
  let refused: { error: unknown } | undefined;
  for (const [key, value] of Object.entries(carrier)) {
    if (value === undefined || value === null) continue;
    try {
      metadata.set(key, String(value));
    } catch (error) {
      refused = { error };
    }
  }
  if (refused) throw refused.error;
}

/** The context that came with the call, if one did. Of a key with several values the first counts. */
export function extract(tracer: Tracer, metadata: Metadata): SpanContext | undefined {
  const carrier: Record<string, string> = {};
  for (const [key, value] of metadata) {
    if (typeof value === 'string' && !Object.hasOwn(carrier, key)) carrier[key] = value;
  }
  return tracer.extract(FORMAT_HTTP_HEADERS, carrier) ?? undefined;
}
