import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { NoticesOfActions } from '../lib/kernels/noticesOfActions.js';
import { trans } from './trans.js';

/** The notices of ann's page, and what of them is shown. */
function page() {
  const shown = new Map();
  let ids = 0;
  const notices = new NoticesOfActions(
    {
      info: text => {
        ids += 1;
        shown.set(String(ids), text);
        return String(ids);
      },
      dismiss: id => shown.delete(id)
    },
    () => 'ann'
  );
  return { notices, shown: () => [...shown.values()] };
}

/** The stream of a kernel. */
function stream(kernelId, is = 'connecting') {
  const made = { kernelId, state: { is } };
  const set = state => made.stateChanged.emit((made.state = state));
  return Object.assign(made, {
    stateChanged: new Signal(made),
    interrupted: new Signal(made),
    connect: () => set({ is: 'connected' }),
    end: by => set({ is: 'ended', code: 4404, reason: '', by })
  });
}

const notebook = name => ({ name, path: `demo/${name}`, isDisposed: false });

test('a notice of an ended kernel closes when its document has another one', () => {
  const { notices, shown } = page();
  const context = notebook('a.ipynb');
  for (const [id, by] of [
    ['first', 'bob'],
    ['second', 'eve']
  ]) {
    const kernel = stream(id);
    notices.follow(context, kernel, trans);
    kernel.connect();
    assert.deepEqual(shown(), []);
    kernel.end(by);
    assert.equal(shown().length, 1);
    assert.match(shown()[0], new RegExp(`^${by} shut down the kernel of a.ipynb at `));
  }
  // Another document's kernel is none of it.
  notices.follow(notebook('b.ipynb'), stream('third', 'connected'), trans);
  assert.equal(shown().length, 1);
  // It may be connected before the document knows it.
  notices.follow(context, stream('fourth', 'connected'), trans);
  assert.deepEqual(shown(), []);
});

test('a kernel has one notice, whatever was done to it and how often it is heard', () => {
  const { notices, shown } = page();
  const context = notebook('a.ipynb');
  const kernel = stream('k', 'connected');
  notices.follow(context, kernel, trans);
  kernel.interrupted.emit('bob');
  kernel.interrupted.emit('bob');
  assert.equal(shown().length, 1);
  // It says something that still holds after the network was away.
  kernel.connect();
  assert.match(shown()[0], /^bob interrupted the kernel of a.ipynb at /);
  kernel.end('bob');
  // JupyterLab tries to connect once more.
  const again = stream('k');
  notices.follow(context, again, trans);
  again.end('bob');
  assert.equal(shown().length, 1);
  assert.match(shown()[0], /^bob shut down/);
  notices.close(context);
  assert.deepEqual(shown(), []);
});

test('what nobody else has done is not told', () => {
  const { notices, shown } = page();
  const kernel = stream('k', 'connected');
  notices.follow(notebook('a.ipynb'), kernel, trans);
  kernel.interrupted.emit('ann');
  kernel.end('ann');
  kernel.end(null);
  const gone = stream('gone', 'connected');
  notices.follow({ ...notebook('b.ipynb'), isDisposed: true }, gone, trans);
  gone.end('bob');
  assert.deepEqual(shown(), []);
});
