import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { GoneKernels, isForgotten } from '../lib/kernels/goneKernels.js';

/** The page's streams, with one of kernel `k`. */
function streams() {
  const made = { kernelId: 'k' };
  const all = {};
  const [added, stateChanged] = [new Signal(all), new Signal(made)];
  return {
    all: Object.assign(all, { added }),
    add: () => added.emit({ ...made, stateChanged }),
    connect: () => stateChanged.emit({ is: 'connected' }),
    end: code => stateChanged.emit({ is: 'ended', code, reason: '', by: null })
  };
}

/** A document with kernel `k`, of which JupyterLab learns after so many looks that it has gone. */
function document(looks) {
  const made = {
    isDisposed: false,
    session: { kernel: { id: 'k' } },
    looked: 0,
    sessionManager: {
      async refreshRunning() {
        made.looked += 1;
        if (made.looked === looks) {
          made.session = null;
        } else {
          throw new Error('the server does not answer');
        }
      }
    }
  };
  return made;
}

test('cells wait until JupyterLab knows that their kernel was ended', async () => {
  const page = streams();
  const gone = new GoneKernels(page.all, 1);
  page.add();
  const context = document(3);
  assert.equal(gone.isGone(context), false);
  await gone.leave(context, () => true);
  assert.equal(context.looked, 0);
  page.end(4404);
  assert.equal(gone.isGone(context), true);
  const order = [];
  await Promise.all([1, 2].map(n => gone.leave(context, () => true).then(() => order.push(n))));
  assert.deepEqual(order, [1, 2]);
  assert.equal(context.looked, 3);
  assert.equal(gone.isGone(context), false);
});

test('a kernel that is started again is there', () => {
  const page = streams();
  const gone = new GoneKernels(page.all);
  page.add();
  page.end(4404);
  page.add();
  // So are the connections that JupyterLab tries to one that was deleted.
  assert.equal(gone.isGone(document(1)), true);
  page.connect();
  assert.equal(gone.isGone(document(1)), false);
});

test('nobody waits who has taken the cell back, or closed the document', async () => {
  const page = streams();
  const gone = new GoneKernels(page.all, 1);
  page.add();
  page.end(4404);
  const context = document(Infinity);
  await gone.leave(context, () => context.looked < 2);
  assert.equal(context.looked, 2);
  await gone.leave({ ...context, isDisposed: true }, () => true);
  assert.equal(context.looked, 2);
});

test('cells wait also where the list of kernels told JupyterLab first', async () => {
  const gone = new GoneKernels(streams().all, 1);
  const context = document(2);
  context.session.kernel.status = 'dead';
  assert.equal(gone.isGone(context), true);
  await gone.leave(context, () => true);
  assert.equal(gone.isGone(context), false);
});

test('a kernel that the server does not list was deleted, unless it is known to have died', () => {
  const others = [{ id: 'other' }];
  assert.equal(isForgotten({ id: 'k', reason: '' }, others), true);
  assert.equal(isForgotten({ id: 'k', reason: 'out of memory' }, others), false);
  assert.equal(isForgotten({ id: 'k', execution_state: 'dead' }, others), false);
  assert.equal(isForgotten({ id: 'k' }, [...others, { id: 'k' }]), false);
});

test('a kernel that JupyterLab has let go lives', () => {
  const page = streams();
  const gone = new GoneKernels(page.all);
  page.add();
  page.end(1000);
  assert.equal(gone.isGone(document(1)), false);
  assert.equal(new GoneKernels(null).isGone(document(1)), false);
});
