import type { Reference, Span, SpanContext, SpanOptions } from 'opentracing';
import { type MockContext, type MockSpan, MockTracer } from 'opentracing/lib/mock_tracer/index.js';

const KEY = 'x-mock-span';

/** A finished span, in words that tests compare. */
export type Recorded = {
  readonly span: MockSpan;
  readonly name: string;
  readonly kind: 'client' | 'server';
  readonly tags: Record<string, unknown>;
  readonly logs: Record<string, unknown>[];
};

/** A MockTracer that knows parents, carries contexts, and can be waited for. */
export class RecordingTracer extends MockTracer {
  readonly #parents = new Map<Span, Span>();
  readonly #started: MockSpan[] = [];
  readonly #finished: Recorded[] = [];
  readonly #waiting = new Set<() => void>();

  protected override _startSpan(name: string, fields: SpanOptions): MockSpan {
    const span = super._startSpan(name, fields);
    this.#started.push(span);
    for (const reference of (fields.references ?? []) as Reference[]) {
      this.#parents.set(span, (reference.referencedContext() as MockContext).span());
    }
    const finish = span.finish.bind(span);
    span.finish = (time) => {
      finish(time);
      this.#finished.push(recorded(span));
      for (const look of [...this.#waiting]) look();
    };
    return span;
  }

  override inject(context: SpanContext | Span, _format: string, carrier: Record<string, unknown>): void {
    carrier[KEY] = (context as MockContext).span().uuid();
  }

  override extract(_format: string, carrier: Record<string, string>): SpanContext | null {
    const id = carrier[KEY];
    if (id === undefined) return null;
    const span = this.#started.find((candidate) => candidate.uuid() === id);
    if (!span) throw new Error(`no context: ${id}`);
    return span.context();
  }

  /** Those started, also when they never finish. */
  get startedCount(): number {
    return this.#started.length;
  }

  get finished(): readonly Recorded[] {
    return this.#finished;
  }

  /** Resolves with the spans when so many have finished. */
  async untilFinished(count: number): Promise<readonly Recorded[]> {
    if (this.#finished.length < count) {
      await new Promise<void>((resolve) => {
        const look = () => {
          if (this.#finished.length < count) return;
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
      });
    }
    return this.#finished;
  }

  /** From the root to the span: `client Hop.First > server Hop.First`. */
  path(span: Span): string {
    const { kind, name } = recorded(span as MockSpan);
    const own = `${kind ?? 'own'} ${name}`;
    const parent = this.#parents.get(span);
    return parent ? `${this.path(parent)} > ${own}` : own;
  }

  /** The paths of all finished spans, sorted. */
  get paths(): string[] {
    return this.#finished.map(({ span }) => this.path(span)).sort();
  }
}

function recorded(span: MockSpan): Recorded {
  const tags = span.tags();
  const logs = (span as unknown as { _logs: { fields: Record<string, unknown> }[] })._logs;
  return {
    span,
    name: span.operationName().split('/').at(-1)!,
    kind: tags['span.kind'],
    tags,
    logs: logs.map(({ fields }) => fields),
  };
}
