import { Resolver } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

export interface Address {
  address: string;
  family: 4 | 6;
}

/** Addresses that are not of the open internet (IANA's special-purpose registries); IPv4 within IPv6 as well. */
const special = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/127',
  '64:ff9b::/96',
  '64:ff9b:1::/48',
  '2002::/16',
  'fc00::/7',
  'fe80::/10',
  'ff00::/8',
];
const privateAddresses = new BlockList();
for (const subnet of special) {
  const [net, prefix] = subnet.split('/') as [string, string];
  privateAddresses.addSubnet(net, Number(prefix), net.includes(':') ? 'ipv6' : 'ipv4');
}

/**
 * The address to connect to, asked for once, so that no second answer can lead elsewhere; undefined when one of the
 * host's is private and the host is not listed. Rejects when none is found. By DNS alone: the operating system's own
 * look-up would take a thread of the pool that `fdatasync` needs.
 */
export async function addressOf(
  host: string,
  { privateHosts, signal }: { privateHosts: readonly string[]; signal: AbortSignal },
): Promise<Address | undefined> {
  const name = bare(host.toLowerCase());
  const addresses = await lookUp(name, signal);
  const isListed = privateHosts.some((listed) => bare(listed) === name);
  return isListed || !addresses.some(isPrivate) ? addresses[0] : undefined;
}

/** Addresses of IPv6 stand in brackets in URLs. */
function bare(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

function isPrivate({ address, family }: Address): boolean {
  return privateAddresses.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

async function lookUp(name: string, signal: AbortSignal): Promise<Address[]> {
  const family = isIP(name);
  if (family !== 0) return [{ address: name, family: family as 4 | 6 }];
  // RFC 6761, 6.3: never asked of DNS.
  if (name === 'localhost' || name.endsWith('.localhost')) return [{ address: '127.0.0.1', family: 4 }];
  signal.throwIfAborted();
  const resolver = new Resolver();
  const onAbort = (): void => resolver.cancel();
  signal.addEventListener('abort', onAbort);
  try {
    const [four, six] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = [
      ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 as const })) : []),
      ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 as const })) : []),
    ];
    if (found.length === 0 && four.status === 'rejected') throw four.reason;
    return found;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
