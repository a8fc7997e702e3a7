import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { FakeFleet, FakePage, FakeStorage, request, tick, until } from './fakeFleet.js';

const pages = [];

function openPage(fleet, options) {
  const page = new FakePage(fleet, options);
  pages.push(page);
  return page;
}

afterEach(() => pages.splice(0).forEach(page => page.leave()));

/** A tab that is duplicated has a copy of the storage, and the page that it was copied from lives. */
function copied(storage) {
  const copy = new FakeStorage();
  for (let at = 0; at < storage.length; at += 1) {
    copy.setItem(storage.key(at), storage.getItem(storage.key(at)));
  }
  return copy;
}

test('a duplicated tab takes nothing away that the first one still has to send', async () => {
  const fleet = new FakeFleet();
  fleet.launched = false;
  const storage = new FakeStorage();
  const page = openPage(fleet, { storage });
  await until(() => page.events.includes('open'));
  void page.stream.replay(
    () => ({}),
    () => undefined
  );
  const long = page.send(request('page', 'execute_request', { code: 'x'.repeat(300_000) }));
  const duplicate = openPage(fleet, { storage: copied(storage), session: 'duplicate' });
  await until(() => fleet.open.length === 2);
  // The kernel has started. The page that is looked at comes first, a hidden one has slow timers.
  fleet.launched = true;
  for (const socket of [...fleet.open].reverse()) {
    fleet._begin(socket);
  }
  await until(() => [page, duplicate].every(({ stream }) => stream.state.is === 'connected'));
  await tick(100);
  assert.ok(fleet.ran.includes(long.header.msg_id), 'the cell');
  assert.ok(
    fleet.asked.some(({ header }) => header.session === 'page'),
    'the question'
  );
});

for (const key of ['%/s/n/1', 'kernel-1/s/n/1']) {
  test(`a leftover at ${key} that no page has written does not stop a page`, async () => {
    const fleet = new FakeFleet();
    const storage = new FakeStorage();
    storage.setItem(`jupyter-fleet:pending/ann/${key}`, 'garbage');
    storage.setItem('jupyter-fleet:pending/ann/kernel-1/s/n/journal', 'f'.repeat(32));
    const page = openPage(fleet, { storage });
    await until(() => page.stream.state.is === 'connected');
    const cell = page.send(request());
    await until(() => fleet.ran.includes(cell.header.msg_id));
  });
}
