import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { withWebLinks } from '../lib/stream/helpLinks.js';
import { FakeFleet, FakePage, message, until } from './fakeFleet.js';

const PAGE = { hostname: 'fleet.example.org', protocol: 'https:' };
const pages = [];

afterEach(() => {
  pages.splice(0).forEach(page => page.leave());
  delete globalThis.location;
});

const reply = links => message('kernel_info_reply', { banner: 'b', help_links: links });
const kept = (links, page = PAGE) => withWebLinks(reply(links), page).content.help_links;
const link = url => ({ text: 'Help', url });

test('links for the Help menu that lead to other sites are kept', () => {
  const links = [link('https://docs.python.org/3.11'), link('https://example.org/a?b#c')];
  assert.deepEqual(kept(links), links);
  const plain = [link('http://example.org/')];
  assert.deepEqual(kept(plain, { ...PAGE, protocol: 'http:' }), plain);
  assert.equal(withWebLinks(reply(links), PAGE).content.banner, 'b');
});

test('none runs a script, leads to a port of the own host or opens a tab without TLS', () => {
  for (const url of [
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'data:text/html,x',
    'blob:https://fleet.example.org/1',
    'file:///etc/passwd',
    'mailto:a@example.org',
    'vbscript:x',
    '/files/demo/a.html',
    '//example.org/',
    'https://fleet.example.org:8888/',
    'https://fleet.example.org./',
    'http://example.org/',
    '',
    5,
    null
  ]) {
    assert.deepEqual(kept([link(url)]), [], url);
  }
});

test('what is no list of links is none', () => {
  for (const links of [
    null,
    5,
    {},
    'https://example.org',
    [null, 5, {}, 'x', { url: 'https://a.b' }]
  ]) {
    assert.deepEqual(kept(links), []);
  }
});

test('other messages stay as they are', () => {
  const other = message('display_data', { help_links: [link('javascript:x')] });
  assert.equal(withWebLinks(other, PAGE), other);
  const none = message('kernel_info_reply', { status: 'error' });
  assert.equal(withWebLinks(none, PAGE), none);
});

for (const protocol of ['fleet.v1', 'v1.kernel.websocket.jupyter.org']) {
  test(`JupyterLab hears of no others: ${protocol}`, async () => {
    globalThis.location = PAGE;
    const fleet = Object.assign(new FakeFleet(), { answers: protocol });
    const page = new FakePage(fleet);
    pages.push(page);
    await until(() => page.stream.state.is === 'connected');
    page.stream.release();
    const good = link('https://example.org/');
    fleet.say(reply([link('javascript:alert(1)'), good]));
    const isIt = ({ header }) => header.msg_type === 'kernel_info_reply';
    await until(() => page.heard.some(isIt));
    assert.deepEqual(page.heard.find(isIt).content.help_links, [good]);
  });
}
