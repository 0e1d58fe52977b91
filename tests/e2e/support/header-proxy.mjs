// A reverse proxy on loopback that adds one header to what passes it and changes nothing else: for clients that cannot
// be told a key.
import { once } from 'node:events';
import http from 'node:http';

/** Forwards to `port` of this computer with the header added; returns its URL. Ends with the test. */
export async function headerProxy(t, port, name, value) {
  const server = http.createServer((request, response) => {
    const forwarded = http.request(
      {
        host: '127.0.0.1',
        port,
        method: request.method,
        path: request.url,
        headers: [...request.rawHeaders, name, value], // as they came: Host and Origin too, twice what came twice
        agent: false, // a connection for each request: nobody waits for another's
      },
      (answer) => {
        response.writeHead(answer.statusCode, answer.rawHeaders);
        response.flushHeaders();
        answer.pipe(response);
      },
    );
    forwarded.on('error', () => response.destroy());
    response.on('close', () => response.writableFinished || forwarded.destroy()); // who leaves, leaves the host
    request.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  });
  return `http://127.0.0.1:${server.address().port}`;
}
