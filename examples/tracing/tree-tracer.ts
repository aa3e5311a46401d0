import { type Reference, Span, SpanContext, type SpanOptions, Tracer } from 'opentracing';
import { type Drawn, drawTree } from './draw-tree.js';

const KEY = 'x-span-id';

class Context extends SpanContext {
  readonly id: string;
  constructor(id: string) {
    super();
    this.id = id;
  }
}

class TreeSpan extends Span implements Drawn {
  readonly name: string;
  readonly parentId: string | undefined;
  readonly tags: Record<string, unknown> = {};
  readonly notes: string[] = [];
  readonly startMs = performance.now();
  endMs: number | undefined;
  readonly #context: Context;

  constructor(name: string, id: string, parentId: string | undefined) {
    super();
    this.name = name;
    this.parentId = parentId;
    this.#context = new Context(id);
  }

  get id(): string {
    return this.#context.id;
  }

  protected override _context(): SpanContext {
    return this.#context;
  }

  protected override _addTags(tags: Record<string, unknown>): void {
    Object.assign(this.tags, tags);
  }

  protected override _log({ event, message }: Record<string, unknown>): void {
    this.notes.push(message === undefined ? String(event) : `${event}: ${message}`);
  }

  protected override _finish(): void {
    this.endMs = performance.now();
  }
}

/** Keeps the spans of this process, and draws them. What a tracer needs for Lictor: starting, injecting, extracting. */
export class TreeTracer extends Tracer {
  #spans: TreeSpan[] = [];
  #nextId = 1;

  /** The drawing of all spans since the last time. */
  take(): string {
    const drawing = drawTree(this.#spans);
    this.#spans = [];
    return drawing;
  }

  protected override _startSpan(name: string, { references = [], tags = {} }: SpanOptions): Span {
    const parent = (references as Reference[])[0]?.referencedContext();
    const span = new TreeSpan(name, `${this.#nextId++}`, parent instanceof Context ? parent.id : undefined);
    this.#spans.push(span.addTags(tags));
    return span;
  }

  protected override _inject(context: SpanContext, _format: string, carrier: Record<string, string>): void {
    if (context instanceof Context) carrier[KEY] = context.id;
  }

  protected override _extract(_format: string, carrier: Record<string, string>): SpanContext | null {
    const id = carrier[KEY];
    return id === undefined ? null : new Context(id);
  }
}
