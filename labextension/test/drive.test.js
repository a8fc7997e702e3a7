import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { BINARY, NOTEBOOK, notebook } from './documents.js';
import { OpenPage } from './openPage.js';
import { VersionedServer } from './versionedServer.js';

let server;
let page;

beforeEach(() => {
  server = new VersionedServer();
  page = new OpenPage(server);
});

/** Resolves when the promises and timers that are due have run. */
const soon = () => new Promise(resolve => setTimeout(resolve, 5));

// --- versions

test('a save names the version that was loaded, the next one that of the save before', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  await document.save('one');
  await document.save('two');
  assert.deepEqual(server.saves, [
    ['demo/a.txt', 'v1', 'one'],
    ['demo/a.txt', 'v2', 'two']
  ]);
  assert.deepEqual(page.questions, []);
});

test('two documents of one path hold versions of their own', async () => {
  server.save('demo/a.ipynb', notebook('start'), NOTEBOOK);
  const cells = await page.open('demo/a.ipynb', NOTEBOOK);
  const text = await page.open('demo/a.ipynb');
  await cells.save(notebook('one'));
  page.answers = ['cancel'];
  await assert.rejects(text.save('two'), { name: 'ModalCancelError' });
  assert.deepEqual(
    server.saves.map(([, base]) => base),
    ['v1', 'v1']
  );
  assert.equal(page.questions.length, 1);
  await cells.save(notebook('three'));
  assert.equal(server.saves[2][1], 'v2');
});

test('what is read without a hash is no document, and holds no version', async () => {
  server.save('demo/a.txt', 'start');
  await page.drive.get('demo/a.txt', { content: true, type: 'file', format: 'text' });
  await page.drive.save('demo/a.txt', { type: 'file', format: 'text', content: 'uploaded' });
  assert.deepEqual(server.saves, [['demo/a.txt', 'any', 'uploaded']]);
});

test('a save names no version that a document of another kind holds', async () => {
  server.save('demo/a.txt', 'start');
  await page.open('demo/a.txt');
  await page.drive.save('demo/a.txt', { ...BINARY, content: 'aGk=' });
  assert.equal(server.saves[0][1], 'any');
});

test('a new document replaces nothing that came meanwhile', async () => {
  server.save('demo/other.txt', 'start');
  await page.open('demo/other.txt');
  const document = page.create('demo/new.txt');
  server.before = async ({ method, path }) => {
    if (method === 'PUT' && !server.files.has(path)) {
      server.save(path, 'of bob');
    }
  };
  page.answers = ['cancel'];
  await assert.rejects(document.save('mine'), { name: 'ModalCancelError' });
  assert.deepEqual(server.saves, [['demo/new.txt', null, 'mine']]);
  assert.equal(page.questions[0].conflict.saved_by, 'bob');
  assert.equal(server.files.get('demo/new.txt').content, 'of bob');
});

test('what a document was told of a path is used once', async () => {
  server.save('demo/other.txt', 'start');
  await page.open('demo/other.txt');
  const { drive } = page;
  await assert.rejects(drive.get('demo/a.txt', { content: false, hash: true }));
  await drive.save('demo/a.txt', { type: 'file', format: 'text', content: 'one' });
  await drive.save('demo/a.txt', { ...BINARY, content: 'aGk=' });
  assert.deepEqual(
    server.saves.map(([, base]) => base),
    [null, 'any']
  );
});

test('a server that cannot tell whether there is a file has not said that there is none', async () => {
  server.save('demo/other.txt', 'start');
  await page.open('demo/other.txt');
  server.before = async ({ method }) => (method === 'GET' ? 500 : undefined);
  await assert.rejects(page.drive.get('demo/a.txt', { content: false, hash: true }));
  await page.drive.save('demo/a.txt', { type: 'file', format: 'text', content: 'one' });
  assert.equal(server.saves[0][1], 'any');
});

test('a document that holds nothing replaces the version that it was told of', async () => {
  server.save('demo/a.txt', 'start');
  const document = page.create('demo/a.txt');
  await document.save('mine');
  assert.equal(server.saves[0][1], 'v1');
});

test('a deleted file or folder is held no more', async () => {
  server.save('demo/sub/a.txt', 'start');
  server.save('demo/sub/b.txt', 'start');
  await page.open('demo/sub/a.txt');
  await page.open('demo/sub/b.txt');
  await page.drive.delete('demo/sub/a.txt');
  await page.create('demo/sub/a.txt').save('again');
  await page.drive.delete('demo/sub');
  await page.create('demo/sub/b.txt').save('again');
  assert.deepEqual(
    server.saves.map(([, base]) => base),
    [null, null]
  );
  assert.deepEqual(page.questions, []);
});

test('a server that names no version is asked as JupyterLab asks it', async () => {
  server.versioned = false;
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.asked();
  await document.save('one');
  assert.deepEqual(server.asked(), ['GET demo/a.txt', 'PUT demo/a.txt', 'GET demo/a.txt']);
  await page.create('demo/new.txt').save('two');
  assert.deepEqual(
    server.saves.map(([, base]) => base),
    ['any', 'any']
  );
});

// --- JupyterLab's own question

test('the question before a save is answered without the server', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.asked();
  await document.save('one');
  assert.deepEqual(server.asked(), ['PUT demo/a.txt']);
});

test('the question after a save is answered with what it made, not with what came since', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  const saved = await page.drive.save('demo/a.txt', {
    type: 'file',
    format: 'text',
    content: 'one'
  });
  server.save('demo/a.txt', 'of bob');
  const told = await page.drive.get('demo/a.txt', { content: false, hash: true });
  assert.equal(told.hash, saved.hash);
  // The next save does not pass over the version that came since.
  page.answers = ['cancel'];
  await assert.rejects(document.save('two'), { name: 'ModalCancelError' });
});

test('the answer to a save is kept for the document that saved, and not for the next', async () => {
  server.save('demo/a.txt', 'start');
  await page.open('demo/a.txt');
  await page.drive.save('demo/a.txt', { type: 'file', format: 'text', content: 'one' });
  await soon();
  const told = await page.drive.get('demo/a.txt', { content: false, hash: true });
  assert.equal(told.hash, undefined);
});

// --- uploads in chunks

test('only the last chunk of an upload names a version, and waits for saves', async () => {
  server.save('demo/a.bin', 'start', BINARY);
  await page.open('demo/a.bin', BINARY);
  for (const chunk of [1, 2, -1]) {
    await page.drive.save('demo/a.bin', { ...BINARY, content: `part ${chunk}`, chunk });
  }
  assert.deepEqual(server.saves, [
    ['demo/a.bin', 'any', 'part 1'],
    ['demo/a.bin', 'any', 'part 2'],
    ['demo/a.bin', 'v1', 'part -1']
  ]);
});

test('the last chunk alone is not taken for the whole file', async () => {
  server.save('demo/a.bin', 'start', BINARY);
  await page.open('demo/a.bin', BINARY);
  server.save('demo/a.bin', 'the end', BINARY);
  page.answers = ['overwrite'];
  await page.drive.save('demo/a.bin', { ...BINARY, content: 'the end', chunk: -1 });
  assert.equal(page.questions.length, 1);
});

// --- content providers

test('what a content provider reads and saves passes by', async () => {
  const calls = [];
  const { drive } = page;
  drive.contentProviderRegistry.register('rtc', {
    get: async (path, options) => calls.push(['get', path, options.content]),
    save: async (path, options) => calls.push(['save', path, options.base_version])
  });
  server.save('demo/a.txt', 'start');
  await page.open('demo/a.txt');
  server.asked();
  const with_ = { contentProviderId: 'rtc', type: 'file', format: 'text' };
  await drive.get('demo/a.txt', { ...with_, content: true, hash: true });
  await drive.get('demo/a.txt', { ...with_, content: false, hash: true });
  await drive.save('demo/a.txt', { ...with_, content: 'one' });
  assert.deepEqual(calls, [
    ['get', 'demo/a.txt', true],
    ['get', 'demo/a.txt', false],
    ['save', 'demo/a.txt', undefined]
  ]);
  assert.deepEqual(server.asked(), []);
});

// --- refusals of the page

test('what a user may not do is refused in words for them, and not sent', async () => {
  server.save('demo/a.txt', 'start');
  const document = await page.open('demo/a.txt');
  server.asked();
  const { drive } = page;
  page.refusal = 'only look';
  const refused = [
    [drive.newUntitled({ path: 'demo' }), 'create demo/untitled'],
    [drive.newUntitled(), 'create /untitled'],
    [drive.copy('demo/a.txt', 'other'), 'create other/copy'],
    [document.save('mine'), 'create demo/a.txt'],
    [drive.save('demo/b.bin', { content: '', chunk: 1 }), 'create demo/b.bin'],
    [drive.rename('demo/a.txt', 'demo/b.txt'), 'change demo/a.txt'],
    [drive.delete('demo/a.txt'), 'change demo/a.txt'],
    [drive.restoreCheckpoint('demo/a.txt', '1'), 'change demo/a.txt']
  ];
  for (const [call, words] of refused) {
    await assert.rejects(call, { message: `only look: ${words}` });
  }
  drive.page.whyNotChange = () => null;
  await assert.rejects(drive.rename('demo/a.txt', 'x/b.txt'), {
    message: 'only look: create x/b.txt'
  });
  assert.deepEqual(server.asked(), []);
  assert.equal(server.files.get('demo/a.txt').content, 'start');
});

test('what a user may do is sent', async () => {
  server.save('demo/a.txt', 'start');
  const { drive } = page;
  await drive.newUntitled({ path: 'demo' });
  await drive.copy('demo/a.txt', 'other');
  await drive.restoreCheckpoint('demo/a.txt', '1');
  await drive.delete('demo/a.txt');
  assert.deepEqual(server.asked(), [
    'POST demo',
    'POST other',
    'POST demo/a.txt/checkpoints/1',
    'DELETE demo/a.txt'
  ]);
});

// --- going back

test('a file can go back to each of its newest versions, and to older checkpoints', async () => {
  server.save('demo/a b.txt', 'start');
  server.save('demo/other.txt', 'other');
  const document = await page.open('demo/a b.txt');
  await document.save('one');
  server.checkpoints = [
    { id: 'v0', last_modified: '2001-01-01T00:00:00Z' },
    { id: 'v3', last_modified: '2002-01-01T00:00:00Z' }
  ];
  const offered = await page.drive.listCheckpoints('demo/a b.txt');
  assert.deepEqual(
    offered.map(({ id }) => id),
    ['v0', 'v1', 'v3']
  );
  assert.equal(offered[2].last_modified, server.files.get('demo/a b.txt').modified);
});

test('a file of a server without versions can go back to its checkpoints', async () => {
  server.versioned = false;
  server.save('demo/a.txt', 'start');
  await page.open('demo/a.txt');
  server.checkpoints = [{ id: 'c', last_modified: '2001-01-01T00:00:00Z' }];
  assert.deepEqual(await page.drive.listCheckpoints('demo/a.txt'), server.checkpoints);
});
