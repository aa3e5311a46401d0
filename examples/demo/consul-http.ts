/** What is asked of Consul's HTTP API beside what Lictor's plugin does. */
function request(address: string, method: string, path: string): Promise<Response> {
  const url = address.includes('://') ? address : `http://${address}`;
  const token = process.env.CONSUL_HTTP_TOKEN;
  return fetch(`${url}/v1/${path}`, {
    method,
    headers: token ? { 'x-consul-token': token } : {},
    signal: AbortSignal.timeout(1_500),
  });
}

/** Whether a Consul answers there that can take writes. */
export async function hasLeader(address: string): Promise<boolean> {
  try {
    const leader = await (await request(address, 'GET', 'status/leader')).json();
    return typeof leader === 'string' && leader !== '';
  } catch {
    return false;
  }
}

/** @throws Error that names the prefix, since a person has to delete what is under it then */
export async function deleteKeysUnder(address: string, prefix: string): Promise<void> {
  try {
    const response = await request(address, 'DELETE', `kv/${prefix}?recurse`);
    if (!response.ok) throw new Error(`status ${response.status}`);
  } catch (cause) {
    throw new Error(`the keys under ${prefix} are still in Consul at ${address}; delete them by hand`, {
      cause,
    });
  }
}
