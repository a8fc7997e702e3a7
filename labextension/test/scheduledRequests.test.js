import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { futureOf } from '../lib/replay/adoptedRequest.js';
import { endScheduled } from '../lib/replay/scheduledRequests.js';

/** A kernel's connection, whose messages JupyterLab's progress circle counts. */
class FakeKernel {
  clientId = 'page';
  username = '';
  anyMessage = new Signal(this);
  statusChanged = new Signal(this);

  sendShellMessage(msg) {
    this.anyMessage.emit({ msg, direction: 'send' });
    return { msg };
  }

  idle(request) {
    const msg = {
      header: { msg_type: 'status' },
      parent_header: { msg_id: request },
      content: { execution_state: 'idle' }
    };
    this.anyMessage.emit({ msg, direction: 'recv' });
  }
}

let kernel;
let scheduled;

beforeEach(() => {
  kernel = new FakeKernel();
  scheduled = new Set();
  kernel.anyMessage.connect((_, { msg }) => {
    if (msg.header.msg_type === 'execute_request') {
      scheduled.add(msg.header.msg_id);
    } else if (msg.content.execution_state === 'idle') {
      scheduled.delete(msg.parent_header.msg_id);
    }
  });
});

const adopt = (request, state) => futureOf(kernel, { request, state }, 'print()', 'c');

test('a request that has ended is not scheduled, one that runs or waits is', () => {
  assert.equal(adopt('ended', 'done').msg.header.msg_id, 'ended');
  adopt('runs', 'running');
  adopt('waits', 'queued');
  assert.deepEqual([...scheduled], ['runs', 'waits']);
});

test('nothing stays scheduled in a kernel that has died', () => {
  endScheduled(kernel);
  adopt('ends', 'running');
  adopt('runs', 'running');
  kernel.idle('ends');
  kernel.statusChanged.emit('busy');
  assert.deepEqual([...scheduled], ['runs']);
  kernel.statusChanged.emit('dead');
  assert.deepEqual([...scheduled], []);
});
