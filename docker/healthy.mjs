// Health check of a container: healthy while a socket of it listens on this port, or has it at either end. It connects to
// nothing, for a destination takes the first connection for its source.
//
// usage: healthy.mjs PORT
import { readFileSync } from 'node:fs';

const LISTENING_OR_CONNECTED = ['0A', '01'];
const port = Number(process.argv[2]);

/** Rows of a table of the kernel: index, local and remote address in hexadecimal with the port behind a colon, state. */
function sockets(path) {
  const [, ...rows] = readFileSync(path, 'latin1').trimEnd().split('\n');
  return rows.map((row) => {
    const [, local, remote, state] = row.trim().split(/\s+/);
    return { ports: [local, remote].map((address) => Number.parseInt(address.split(':')[1], 16)), state };
  });
}

const isHealthy = ['/proc/net/tcp', '/proc/net/tcp6']
  .flatMap(sockets)
  .some(({ ports, state }) => ports.includes(port) && LISTENING_OR_CONNECTED.includes(state));
process.exit(isHealthy ? 0 : 1);
