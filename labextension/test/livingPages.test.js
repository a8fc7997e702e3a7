import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AskingPages, LockingPages } from '../lib/stream/livingPages.js';
import { tick } from './fakeFleet.js';

// In Node, a signal that waits for its time does not keep the tests running.
let running;
before(() => (running = setInterval(() => undefined, 1_000)));
after(() => clearInterval(running));

/** The locks of a browser, each granted to one after the other. */
class Locks {
  _last = new Map();

  request(name, { signal }, granted) {
    const earlier = this._last.get(name) ?? Promise.resolve();
    const mine = new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason));
      void earlier.then(() => !signal?.aborted && resolve(granted({ name })));
    });
    this._last.set(name, Promise.allSettled([earlier, mine]));
    return mine;
  }
}

function asking(context, id) {
  const channel = new BroadcastChannel(context.name);
  context.after(() => channel.close());
  return { page: new AskingPages(channel, id), end: () => channel.close() };
}

function locking(locks) {
  const page = new LockingPages(locks);
  return { page, end: () => page.release('n') };
}

const kinds = {
  locks: () => {
    const locks = new Locks();
    return () => locking(locks);
  },
  questions: context => id => asking(context, id)
};

for (const [kind, browserOf] of Object.entries(kinds)) {
  test(`by ${kind}: what a living page sends is its own`, async context => {
    const open = browserOf(context);
    open('a').page.hold('n');
    const copy = open('b').page;
    assert.deepEqual(await Promise.all([copy.claim('n'), copy.claim('other')]), [false, true]);
  });

  test(`by ${kind}: a page that ends a little late leaves all to its successor`, async context => {
    const open = browserOf(context);
    const old = open('a');
    old.page.hold('n');
    const claimed = open('b').page.claim('n');
    await tick(100);
    old.end();
    assert.equal(await claimed, true);
  });

  test(`by ${kind}: of two copies one gets what a dead page has left`, async context => {
    const open = browserOf(context);
    const claims = ['a', 'b'].map(id => open(id).page.claim('n'));
    assert.deepEqual((await Promise.all(claims)).sort(), [false, true]);
  });

  test(`by ${kind}: what a page has released is free`, async context => {
    const open = browserOf(context);
    const { page } = open('a');
    page.hold('n');
    page.release('n');
    assert.equal(await open('b').page.claim('n'), true);
  });
}
