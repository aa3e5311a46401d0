import { memory } from 'lictor';
import { contextContract } from '../contract/context.js';
import { transportContract } from '../contract/transport.js';

transportContract({ name: 'memory', transport: () => memory() });
contextContract('memory', () => memory());
