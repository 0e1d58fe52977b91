// The socket on which a running host takes commands of its operator: one line asked, one line answered.
import net from 'node:net';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';

export class Admin {
  static open(host) {
    const admin = new Admin();
    // A relative path, because the name of a Unix socket has at most 107 bytes.
    const path = join(host.dataDir, 'admin.sock');
    const short = relative(process.cwd(), path);
    admin.socket = net.connect(short.length < path.length ? short : path);
    admin.waiting = [];
    createInterface({ input: admin.socket }).on('line', (line) => admin.waiting.shift()?.done(JSON.parse(line)));
    const fail = (error) => admin.waiting.splice(0).forEach(({ failed }) => failed(error));
    admin.socket.on('error', fail);
    admin.socket.on('close', () => fail(new Error('the host closed the admin socket')));
    return new Promise((done, failed) => {
      admin.socket.once('connect', () => done(admin));
      admin.socket.once('error', failed);
    });
  }

  ask(command, values = {}) {
    return new Promise((done, failed) => {
      this.waiting.push({ done, failed });
      this.socket.write(`${JSON.stringify({ command, ...values })}\n`);
    });
  }

  close() {
    this.socket.destroy();
  }
}
