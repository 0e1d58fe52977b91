// A line to a host that breaks when it is told to: every connection on it is reset, and new ones are taken again.
import { once } from 'node:events';
import net from 'node:net';

/** Forwards to `port` of this computer: {url, cut()}. Ends with the test. */
export async function breakableLine(t, port) {
  const open = new Set();
  const server = net.createServer((client) => {
    const host = net.connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [client, host],
      [host, client],
    ]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => open.forEach((socket) => socket.destroy());
  t.after(() => {
    cut();
    return new Promise((done) => server.close(done));
  });
  return { url: `http://127.0.0.1:${server.address().port}`, cut };
}
