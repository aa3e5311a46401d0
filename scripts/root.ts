import { fileURLToPath } from 'node:url';

/** The repository's folder, as seen from dist/scripts. */
export const root = fileURLToPath(new URL('../../', import.meta.url));
