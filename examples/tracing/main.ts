import { Client, defineService, RpcError, Server, Status, serverStream, unary } from 'lictor';
import { opentracing } from 'lictor/plugin/opentracing';
import { TreeTracer } from './tree-tracer.js';

// A shop asks its stock while it takes an order. Each call is a span on both sides, and nobody passes a span on by
// hand: the calls of a handler are children of the call that it handles. A real program gives Jaeger's or Zipkin's tracer.

const Shop = defineService('shop.Shop', { order: unary<{ items: string[] }, { boxes: number }>() });
const Stock = defineService('shop.Stock', {
  reserve: unary<{ item: string }, { left: number }>(),
  pack: serverStream<{ items: string[] }, { box: string }>(),
});

const tracer = new TreeTracer();
const tracing = opentracing({ tracer });

await using stock = new Server({ plugins: [tracing] });
stock.registerService(Stock, {
  async reserve({ item }) {
    await work(5);
    if (item === 'unicorn') throw new RpcError(Status.NOT_FOUND, 'no unicorns in stock');
    return { left: 7 };
  },
  async *pack({ items }) {
    for (const item of items) {
      await work(5);
      yield { box: `a box with one ${item}` };
    }
  },
});
await stock.serve();

await using stockClient = new Client({ target: stock.address, plugins: [tracing] });
const stockOfShop = stockClient.service(Stock);

await using shop = new Server({ plugins: [tracing] });
shop.registerService(Shop, {
  async order({ items }) {
    await Promise.all(items.map((item) => stockOfShop.reserve({ item })));
    tracing.activeSpan()?.log({ event: 'all reserved' });
    let boxes = 0;
    for await (const _ of stockOfShop.pack({ items })) boxes++;
    return { boxes };
  },
});
await shop.serve();

await using shopClient = new Client({ target: shop.address, plugins: [tracing] });
const customer = shopClient.service(Shop);

console.log('An order of a lamp and a chair:');
await customer.order({ items: ['lamp', 'chair'] });
console.log(tracer.take());

console.log('An order of a unicorn:');
await customer.order({ items: ['unicorn'] }).catch((error: RpcError) => console.log(`  ${error.message}`));
console.log(tracer.take());

function work(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
