import assert from 'node:assert/strict';
import { test } from 'node:test';

import { joinSession } from '../lib/kernels/joinSession.js';

/** A document without a session, on a server that has `sessions`. */
function document(sessions, kernelPreference = {}) {
  const made = {
    isDisposed: false,
    session: null,
    path: 'demo/a.ipynb',
    kernelPreference,
    connected: [],
    sessionManager: {
      told: [],
      async refreshRunning() {
        await new Promise(done => setTimeout(done, 1));
        this.told = sessions;
      },
      running() {
        return this.told;
      },
      connectTo: ({ model }) => model
    },
    _handleNewSession(session) {
      made.connected.push(session.id);
      made.session = session;
    }
  };
  return made;
}

const HERE = { id: 'here', path: 'demo/a.ipynb', kernel: { id: 'k' } };
const ELSEWHERE = { id: 'elsewhere', path: 'demo/b.ipynb', kernel: { id: 'l' } };

test('a document without a session joins the one of its path', async () => {
  const context = document([ELSEWHERE, HERE]);
  assert.equal(await joinSession(context), true);
  assert.deepEqual(context.connected, ['here']);
});

test('a document joins nothing where its path has no session', async () => {
  const context = document([ELSEWHERE]);
  assert.equal(await joinSession(context), false);
  assert.deepEqual(context.connected, []);
});

test('a document that joins twice at the same time connects once', async () => {
  const context = document([HERE]);
  assert.deepEqual(await Promise.all([joinSession(context), joinSession(context)]), [true, true]);
  assert.deepEqual(context.connected, ['here']);
});

test('what counts is the preference when the server has answered', async () => {
  const context = document([HERE], { shouldReuse: false });
  const joining = joinSession(context);
  context.kernelPreference = {};
  assert.equal(await joining, true);
});

test('a document that shares no session keeps to itself, and a closed one joins nothing', async () => {
  const alone = document([HERE], { shouldReuse: false });
  assert.equal(await joinSession(alone), false);
  const closed = document([HERE]);
  const joining = joinSession(closed);
  closed.isDisposed = true;
  assert.equal(await joining, false);
  assert.deepEqual([...alone.connected, ...closed.connected], []);
});
