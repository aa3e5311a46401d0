import { memory } from 'lictor';
import { transportContract } from '../contract/transport.js';

transportContract({ name: 'memory', transport: () => memory() });
