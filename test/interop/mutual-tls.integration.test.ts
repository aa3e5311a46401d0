import { interopMatrix } from './matrix.js';

interopMatrix('mutual TLS');
