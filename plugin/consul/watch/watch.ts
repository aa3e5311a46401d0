export { type CommandOptions, commandHandler } from './command-handler.js';
export { type HttpHandlerConfig, httpHandler } from './http-handler.js';
export { formatJson } from './json.js';
export type { WatchParams } from './params.js';
export {
  type PlanOptions,
  parse,
  type WatchHandler,
  type WatchPlan,
  type WatchResult,
  type WatchTarget,
} from './plan.js';
export type {
  AgentService,
  CatalogNode,
  HealthCheck,
  KVPair,
  ServiceEntry,
  ServiceTags,
  UserEvent,
  WatchIndex,
  WatchResults,
  WatchType,
} from './result.js';
