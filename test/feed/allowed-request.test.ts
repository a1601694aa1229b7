// Which requests a server of ours answers, by where it listens, by what name it is called, and who asks.
import type { IncomingMessage } from 'node:http';
import { hostname } from 'node:os';
import t from 'tap';
import { refusalOf } from '../../src/feed/allowed-request.ts';

const isAnswered = (listensOn: string, host?: string, origin?: string): boolean =>
  refusalOf({ headers: { host, origin } } as IncomingMessage, listensOn) === undefined;

t.test('on a loopback: by its names alone, whoever asks', async (t) => {
  for (const listensOn of ['127.0.0.1', '::1', 'localhost']) {
    t.ok(isAnswered(listensOn, '127.0.0.1:9000'), listensOn);
    t.ok(isAnswered(listensOn, '[::1]:9000', 'http://[::1]:9000'), listensOn);
    t.ok(isAnswered(listensOn, 'LOCALHOST:9000', 'http://localhost:9000'), listensOn);
    t.notOk(isAnswered(listensOn, 'evil.example:9000'), listensOn);
    t.notOk(isAnswered(listensOn), `${listensOn}, without a Host`);
  }
});

t.test('on a network: programs by any name, pages by names and addresses of ours', async (t) => {
  t.ok(isAnswered('0.0.0.0', 'destination:9000'), 'the name of a service, from a program');
  t.notOk(
    isAnswered('0.0.0.0', 'evil.example:9000', 'http://evil.example:9000'),
    'a name that only points here',
  );
  t.ok(isAnswered('0.0.0.0', '192.0.2.7:9000', 'http://192.0.2.7:9000'));
  t.ok(isAnswered('0.0.0.0', `${hostname()}:9000`, `http://${hostname()}:9000`));
  t.ok(isAnswered('lab.example', 'lab.example:9000', 'http://lab.example:9000'), 'the name it listens on');
  t.notOk(isAnswered('0.0.0.0', '192.0.2.7:9000', 'http://192.0.2.7:8000'), 'a page of another port');
  t.notOk(isAnswered('0.0.0.0', '192.0.2.7:9000', 'null'));
});
