import { expect, test } from 'vitest';
import { html } from '../../src/pages/html.ts';
import { adminContact } from '../../src/pages/layout.ts';

const hostile = `"><script>alert('x')</script>&`;

test('T102 text becomes markup nowhere: not between tags, not in an attribute, not in a list', () => {
  const page = html`<p title="${hostile}">${hostile}${[hostile, html`<b>${hostile}</b>`]}</p>`.text;
  expect(page).not.toContain('<script');
  expect(page.match(/&lt;script&gt;/g)).toHaveLength(4);
  expect(page).toContain('title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)');
});

test('T102 the twin: markup of our own stays markup', () => {
  expect(html`<p>${html`<b>${1}</b>`}${null}${false}${undefined}${[]}</p>`.text).toBe('<p><b>1</b></p>');
});

test.each([
  ['it-help@acme.example', 'mailto:it-help@acme.example'],
  ['https://help.acme.example/access', 'https://help.acme.example/access'],
])('R24 the administrator contact %s is a link', (contact, target) => {
  expect(adminContact(contact)?.text).toContain(`href="${target}"`);
});

test.each([
  'javascript:alert(1)',
  'data:text/html,x',
  'http://plain.example',
  'ext. 4711',
  'a@b?bcc=c@d',
  '"><img src=x>',
])('R24 T102 the administrator contact %s stays text', (contact) => {
  const shown = adminContact(contact)?.text;
  expect(shown).not.toMatch(/<(a|img)\b/);
  expect(shown).toContain('Administrator contact');
});

test.each([null, '', '   '])('R24 without an administrator contact (%j) nothing is shown', (contact) => {
  expect(adminContact(contact)).toBeNull();
});
