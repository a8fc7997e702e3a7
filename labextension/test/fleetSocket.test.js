import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FleetSocket, fleetSocketClass } from '../lib/stream/fleetSocket.js';
import { withRestarts } from '../lib/stream/restarts.js';
import { SignedInSocket } from '../lib/stream/signedInSocket.js';
import { FakeFleet, FakePage, FakeSignIn, connectTo, tick, until } from './fakeFleet.js';

test("kernels' websockets are streams, all others the browser's own", async t => {
  const fleet = new FakeFleet();
  const page = new FakePage(fleet);
  t.after(() => page.leave());
  await until(() => page.stream.state.is === 'connected');
  const JupyterSocket = fleetSocketClass(page.signIn, page.streams);
  assert.equal(JupyterSocket.OPEN, 1);
  for (const url of ['ws://lab/terminals/websocket/1', 'ws://lab/api/events/subscribe']) {
    const socket = new JupyterSocket(url);
    assert.ok(socket instanceof SignedInSocket);
    let opened = 0;
    socket.onopen = () => (opened += 1);
    await until(() => opened === 1);
    const native = fleet.sockets.at(-1);
    assert.equal(native.url, `${url}?fleet_user=ann`);
    assert.equal(native.protocols, undefined);
    socket.close();
  }
  const kernel = new JupyterSocket('ws://lab/api/kernels/kernel-2/channels?session_id=s', ['v1']);
  assert.ok(kernel instanceof FleetSocket);
  const stream = page.streams.get('kernel-2', 's');
  assert.equal(stream.kernelId, 'kernel-2');
  stream._connector.stop();
});

test('a terminal waits for the login, and tells when a server ends it', async () => {
  const fleet = new FakeFleet();
  connectTo(fleet);
  const signIn = new FakeSignIn();
  signIn.ended();
  const socket = new SignedInSocket('ws://lab/terminals/websocket/1', undefined, signIn);
  const closes = [];
  socket.onclose = ({ code }) => closes.push(code);
  await tick(20);
  assert.equal(fleet.sockets.length, 0);
  assert.equal(socket.readyState, 0);
  signIn.back();
  await until(() => socket.readyState === 1);
  fleet.cut(4401);
  assert.deepEqual(closes, [4401]);
  assert.equal(signIn.refused, 2);
});

test('only a restart of a kernel is told of, before it is asked for', async () => {
  const calls = [];
  const fetch = withRestarts(
    async request => calls.push(`${request.method} ${new URL(request.url).pathname}`),
    kernel => calls.push(kernel)
  );
  await fetch('http://lab/api/kernels/k-1/restart', { method: 'POST' });
  await fetch('http://lab/api/kernels/k-1/interrupt', { method: 'POST' });
  await fetch('http://lab/api/kernels/k-1');
  assert.deepEqual(calls, [
    'k-1',
    'POST /api/kernels/k-1/restart',
    'POST /api/kernels/k-1/interrupt',
    'GET /api/kernels/k-1'
  ]);
});
