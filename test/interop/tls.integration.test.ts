import { interopMatrix } from './matrix.js';

interopMatrix('TLS');
