import { interopMatrix } from './matrix.js';

interopMatrix('plaintext');
