import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';

import { BINARY, NOTEBOOK, notebook } from './documents.js';
import { OpenPage } from './openPage.js';
import { VersionedServer } from './versionedServer.js';

let server;
let page;

beforeEach(() => {
  server = new VersionedServer();
  page = new OpenPage(server);
});

/** A file that ann has open when bob saves it. */
async function conflict(path = 'demo/a.txt') {
  server.save(path, 'start');
  const document = await page.open(path);
  server.save(path, 'of bob');
  return document;
}

/** Resolves when the promises and timers that are due have run. */
const soon = () => new Promise(resolve => setTimeout(resolve, 5));

/** Resolves when this is so, without any timer. */
async function settled(isSo) {
  for (let turn = 0; turn < 1000 && !isSo(); turn += 1) {
    await setImmediate();
  }
  assert.ok(isSo());
}

// --- conflicts

test('"Overwrite" saves over the version that the question was about', async () => {
  const document = await conflict();
  const { modified } = server.files.get('demo/a.txt');
  page.answers = ['overwrite'];
  await document.save('mine');
  assert.deepEqual(page.questions, [
    {
      path: 'demo/a.txt',
      conflict: { version: 'v2', last_modified: modified, saved_by: 'bob' },
      canRevert: true
    }
  ]);
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'mine'],
    ['demo/a.txt', 'v2', 'mine']
  ]);
  await document.save('next');
  assert.equal(server.saves[2][1], 'v3');
});

test('"Overwrite" asks again if a third edit came meanwhile', async () => {
  const document = await conflict();
  page.answers = [
    () => {
      server.save('demo/a.txt', 'a third edit', { savedBy: 'carol' });
      return 'overwrite';
    },
    'overwrite'
  ];
  await document.save('mine');
  assert.deepEqual(
    page.questions.map(({ conflict }) => conflict.saved_by),
    ['bob', 'carol']
  );
  assert.equal(server.files.get('demo/a.txt').content, 'mine');
});

test('"Revert" loads the version of the server and goes on from it', async () => {
  const document = await conflict();
  page.answers = ['revert'];
  await document.save('mine');
  assert.equal(document.content, 'of bob');
  assert.equal(document.ended, 0);
  await document.save('built on bob');
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'mine'],
    ['demo/a.txt', 'v2', 'built on bob']
  ]);
});

test('"Revert" is a "Cancel" once the document is closed', async () => {
  const document = await conflict();
  page.answers = [
    () => {
      page.close(document);
      return 'revert';
    }
  ];
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  assert.equal(document.content, 'mine');
});

test('a document that is not open cannot be reverted', async () => {
  const document = await conflict();
  page.close(document);
  page.answers = ['overwrite'];
  await document.save('mine');
  assert.equal(page.questions[0].canRevert, false);
});

test('"Cancel" saves nothing, says that the save has ended, and asks again next time', async () => {
  const document = await conflict();
  page.answers = ['cancel', 'cancel'];
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  await soon();
  assert.equal(document.ended, 1);
  assert.equal(server.files.get('demo/a.txt').content, 'of bob');
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  assert.equal(page.questions.length, 2);
});

test('"Create Again" makes a file where the document\'s was deleted', async () => {
  const document = await conflict();
  server.files.delete('demo/a.txt');
  page.answers = ['overwrite'];
  await document.save('mine');
  assert.deepEqual(page.questions[0].conflict, {
    version: null,
    last_modified: null,
    saved_by: null
  });
  assert.deepEqual(server.saves[1], ['demo/a.txt', null, 'mine']);
  await document.save('next');
  assert.equal(server.saves[2][1], 'v3');
});

test('a file that cannot be created again is an error, not another question', async () => {
  const document = await conflict();
  server.files.delete('demo/a.txt');
  server.before = async ({ method }) => (method === 'PUT' ? 404 : undefined);
  page.answers = ['overwrite', 'cancel'];
  await assert.rejects(document.save('mine'), error => error.response?.status === 404);
  assert.equal(page.questions.length, 1);
});

test('other refusals are errors, about which nobody is asked', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  for (const status of [400, 403, 409, 413, 500]) {
    server.before = async () => status;
    await assert.rejects(document.save('mine'), error => error.response.status === status);
  }
  server.before = async ({ method }) => (method === 'PUT' ? 404 : undefined);
  // Nothing was held of this one, so nothing of it can have been deleted.
  const upload = page.drive.save('demo/none/b.txt', { ...BINARY, content: '' });
  await assert.rejects(upload, error => error.response.status === 404);
  assert.deepEqual(page.questions, []);
});

test('without a page to ask, a conflict is an error like any other', async () => {
  const document = await conflict();
  page.drive.page = null;
  await assert.rejects(document.save('mine'), error => error.response.status === 409);
});

// --- one save after the other

test('a save that comes during another one names the version that this one makes', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  await Promise.all([document.save('one'), document.save('two'), document.save('three')]);
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'one'],
    ['demo/a.txt', 'v2', 'two'],
    ['demo/a.txt', 'v3', 'three']
  ]);
  assert.deepEqual(page.questions, []);
});

test('a save that failed does not keep the next one', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.before = async ({ body }) => (body?.content === 'one' ? 500 : undefined);
  const [one, two] = await Promise.allSettled([document.save('one'), document.save('two')]);
  assert.deepEqual([one.status, two.status], ['rejected', 'fulfilled']);
});

test('what waited while a person gave up the save is not saved', async () => {
  const document = await conflict();
  page.answers = ['cancel'];
  const saves = await Promise.allSettled([document.save('one'), document.save('two')]);
  assert.deepEqual(
    saves.map(({ reason }) => reason.name),
    ['ModalCancelError', 'ModalDuplicateError']
  );
  await soon();
  assert.deepEqual([document.ended, document.dropped], [1, 1]);
  assert.equal(server.files.get('demo/a.txt').content, 'of bob');
  assert.equal(page.questions.length, 1);
});

test('while a person is asked, the document is not saved, and others are', async () => {
  const document = await conflict();
  server.save('demo/b.txt', 'start');
  const other = await page.open('demo/b.txt');
  const binary = { type: 'file', format: 'base64', content: 'aGk=' };
  let choose;
  page.answers = [new Promise(resolve => (choose = resolve))];
  const asked = document.save('one');
  await soon();
  await assert.rejects(document.save('two'), { name: 'ModalDuplicateError' });
  await other.save('three');
  await page.drive.save('demo/a.txt', binary);
  choose('overwrite');
  page.answers = ['overwrite'];
  await asked;
  await document.save('four');
  assert.deepEqual(
    server.saves.map(([, , content]) => content),
    ['one', 'three', 'aGk=', 'one', 'one', 'four']
  );
});

// --- lost answers

test('a save whose answer was lost is no conflict', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.answersToLose = 1;
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  const model = await document.save('mine');
  assert.equal(model.content, null);
  assert.equal(document.hash, 'hash of v2');
  await document.save('next');
  assert.deepEqual(page.questions, []);
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'mine'],
    ['demo/a.txt', 'v1', 'mine'],
    ['demo/a.txt', 'v2', 'next']
  ]);
});

test('a notebook is known again whatever nbformat made of it', async () => {
  server.save('demo/a.ipynb', notebook('start'), NOTEBOOK);
  const document = await page.open('demo/a.ipynb', NOTEBOOK);
  server.answersToLose = 1;
  await assert.rejects(document.save(notebook('a\nb')));
  server.files.get('demo/a.ipynb').content = notebook(['a\n', 'b']);
  await document.save(notebook('a\nb'));
  assert.deepEqual(page.questions, []);
});

test('what was written after a save whose answer was lost is saved over it', async () => {
  server.save('demo/a.ipynb', notebook('start'), NOTEBOOK);
  const document = await page.open('demo/a.ipynb', NOTEBOOK);
  server.answersToLose = 1;
  await assert.rejects(document.save(notebook('mine')));
  server.before = async ({ method }) => (method === 'PUT' ? 502 : undefined);
  await assert.rejects(document.save(notebook('mine, longer')));
  server.before = async () => undefined;
  await document.save(notebook('mine, the longest'));
  assert.deepEqual(page.questions, []);
  assert.deepEqual(server.files.get('demo/a.ipynb').content, notebook('mine, the longest'));
});

test('a lost answer hides neither what others wrote nor what is of another kind', async () => {
  server.save('demo/a.ipynb', notebook('start'), NOTEBOOK);
  const document = await page.open('demo/a.ipynb', NOTEBOOK);
  server.answersToLose = 1;
  await assert.rejects(document.save(notebook('mine')));
  page.answers = ['cancel', 'cancel'];
  server.save('demo/a.ipynb', notebook('of bob'), NOTEBOOK);
  await assert.rejects(document.save(notebook('mine')), { name: 'ModalCancelError' });
  server.save('demo/a.ipynb', 'no notebook');
  await assert.rejects(document.save(notebook('mine')), { name: 'ModalCancelError' });
  assert.equal(page.questions.length, 2);
});

/** Time that passes only when a test says so. */
function mockTime(t) {
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(globalThis.performance, 'now', () => Date.now());
}

test('a save that nobody answers is made again, of what is there by then', async t => {
  mockTime(t);
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.before = async ({ method }) => (method === 'PUT' ? 502 : undefined);
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  document.content = 'mine, longer';
  server.before = async () => undefined;
  t.mock.timers.tick(1000);
  await settled(() => server.saves.length === 2);
  assert.equal(document.ended, 1);
  assert.deepEqual(server.saves[1], ['demo/a.txt', 'v1', 'mine, longer']);
  t.mock.timers.tick(10_000);
  assert.equal(server.saves.length, 2);
});

test('a person hears of a save that nobody has answered for 10 s, and not before', async t => {
  mockTime(t);
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  let heard = null;
  const { save } = document;
  document.save = content =>
    save.call(document, content).catch(error => {
      if (error.name !== 'ModalCancelError') {
        heard = [error.message, server.saves.length];
      }
    });
  server.before = async ({ method }) => (method === 'PUT' ? 503 : undefined);
  await document.save('mine');
  for (let saves = 2; saves <= 11; saves += 1) {
    assert.equal(heard, null);
    t.mock.timers.tick(1000);
    await settled(() => server.saves.length === saves);
  }
  await settled(() => heard !== null);
  assert.deepEqual(heard, ['no', 11]);
  t.mock.timers.tick(60_000);
  assert.equal(server.saves.length, 11);
  // The next one is made again for as long.
  await document.save('mine');
  t.mock.timers.tick(1000);
  await settled(() => server.saves.length === 13);
});

test('an upload, and a save over a version that nobody named, are not made again', async t => {
  mockTime(t);
  server.before = async ({ method }) => (method === 'PUT' ? 502 : undefined);
  const options = { type: 'file', format: 'text', content: 'x' };
  await assert.rejects(page.drive.save('demo/new.txt', options), { message: 'no' });
  t.mock.timers.tick(1000);
  assert.equal(server.saves.length, 1);
});

test('two pages that show the same running cell meet without a question', async () => {
  const running = (text, number) => ({
    ...notebook('print(...)'),
    cells: [
      {
        ...notebook('print(...)').cells[0],
        metadata: { jupyter_fleet: { request: 'r', number } },
        outputs: [{ output_type: 'stream', name: 'stdout', text }]
      }
    ]
  });
  server.save('demo/a.ipynb', running('1', 1), NOTEBOOK);
  const document = await page.open('demo/a.ipynb', NOTEBOOK);
  server.save('demo/a.ipynb', running('1 2 3', 3), NOTEBOOK);
  await document.save(running('1 2', 2));
  server.save('demo/a.ipynb', running('1 2 3 4', 4), NOTEBOOK);
  await document.save(running('1 2 3 4 5', 5));
  assert.deepEqual(page.questions, []);
  assert.deepEqual(server.saves, [
    ['demo/a.ipynb', 'v1', running('1 2', 2)],
    ['demo/a.ipynb', 'v2', running('1 2 3', 3)],
    ['demo/a.ipynb', 'v3', running('1 2 3 4 5', 5)],
    ['demo/a.ipynb', 'v4', running('1 2 3 4 5', 5)]
  ]);
});

test('an edit is saved over what another page has run meanwhile, if this page shows it too', async () => {
  const saying = (source, text, number) => {
    const cell = {
      ...notebook(source).cells[0],
      id: 'c',
      metadata: { jupyter_fleet: { request: 'r', number } },
      outputs: [{ output_type: 'stream', name: 'stdout', text }]
    };
    return { ...notebook(source), cells: [cell] };
  };
  server.save('demo/a.ipynb', saying('old', '1', 1), NOTEBOOK);
  const document = await page.open('demo/a.ipynb', NOTEBOOK);
  server.save('demo/a.ipynb', saying('old', '1 2', 2), NOTEBOOK);
  await document.save(saying('new', '1', 1));
  assert.deepEqual(server.files.get('demo/a.ipynb').content, saying('new', '1 2', 2));
  server.save('demo/a.ipynb', saying('new', '1 2 3', 3), NOTEBOOK);
  await document.save(saying('newer', '1 2', 2));
  assert.deepEqual(server.files.get('demo/a.ipynb').content, saying('newer', '1 2 3', 3));
  assert.deepEqual(page.questions, []);

  server.save('demo/a.ipynb', saying('newer', '1 2 3 4', 4), NOTEBOOK);
  document.hasKernel = false;
  page.answers = ['cancel'];
  const refused = document.save(saying('newest', '1 2 3', 3));
  await assert.rejects(refused, { name: 'ModalCancelError' });
});

// --- signing in again

test('a save that nobody is signed in for ends without a word and is made again', async () => {
  server.save('demo/a.txt', 'start');
  server.save('demo/b.txt', 'start');
  const [a, b] = [await page.open('demo/a.txt'), await page.open('demo/b.txt')];
  server.signedIn = false;
  for (const document of [a, a, b]) {
    await assert.rejects(document.save(`of ${document.path}`), { name: 'ModalCancelError' });
  }
  await soon();
  assert.deepEqual([a.ended, b.ended], [2, 1]);
  server.signedIn = true;
  server.requests.length = 0;
  await page.drive.saveRefused();
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'of demo/a.txt'],
    ['demo/b.txt', 'v2', 'of demo/b.txt']
  ]);
  await page.drive.saveRefused();
  assert.equal(server.saves.length, 2);
});

test('after signing in, neither a failed save nor a closed document keeps the others', async () => {
  const documents = [];
  for (const name of ['a', 'b', 'c']) {
    server.save(`demo/${name}.txt`, 'start');
    documents.push(await page.open(`demo/${name}.txt`));
  }
  server.signedIn = false;
  await Promise.allSettled(documents.map(document => document.save('mine')));
  server.signedIn = true;
  server.before = async ({ path }) => (path === 'demo/a.txt' ? 500 : undefined);
  page.close(documents[1]);
  await page.drive.saveRefused();
  assert.deepEqual(
    ['a', 'b', 'c'].map(name => server.files.get(`demo/${name}.txt`).content),
    ['start', 'start', 'mine']
  );
});

test('what is still refused after signing in is saved the next time', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.signedIn = false;
  await assert.rejects(document.save('mine'));
  await page.drive.saveRefused();
  server.signedIn = true;
  await page.drive.saveRefused();
  assert.equal(server.files.get('demo/a.txt').content, 'mine');
});
