// What pages can do beyond plain HTML: copying, times that stay true, dialogs, the live connection check.
// Every page works without this file.

const each = (root, selector, use) => root.querySelectorAll(selector).forEach(use);

// ---- times

const units = [[86400, 'day'], [3600, 'hour'], [60, 'minute'], [1, 'second']];

function relative(seconds) {
  const span = Math.abs(seconds);
  if (seconds >= 0 && span < 10) return 'just now';
  const [size, word] = units.find(([size]) => span >= (size === 86400 ? 2 * size : size)) ?? units[3];
  const count = Math.floor(span / size);
  const words = `${count} ${word}${count === 1 ? '' : 's'}`;
  return seconds < 0 ? `in ${words}` : `${words} ago`;
}

// How much the browser's clock is ahead of the server's.
const ahead = document.body.dataset.now ? Date.now() - new Date(document.body.dataset.now) : 0;

function showTimes(root) {
  each(root, 'time', time => {
    const moment = new Date(time.dateTime);
    time.title = moment.toLocaleString();
    const seconds = (Date.now() - ahead - moment) / 1000;
    if (time.classList.contains('rel') && Math.abs(seconds) < 30 * 86400) time.textContent = relative(seconds);
  });
}

// ---- copying

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const text = source.value ?? source.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {  // plain HTTP on another machine has no clipboard
    const area = Object.assign(document.createElement('textarea'), { value: text });
    button.after(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    button.focus();
    if (!done) return say('Select the text and copy it by hand.');
  }
  say('Copied');
  const label = button.querySelector('span');
  const before = label.textContent;
  if (before === 'Copied') return;
  label.textContent = 'Copied';
  setTimeout(() => { label.textContent = before; }, 2000);
}

const status = Object.assign(document.createElement('p'), { className: 'hidden' });
status.setAttribute('role', 'status');
document.body.append(status);
function say(text) {
  status.textContent = '';
  setTimeout(() => { status.textContent = text; }, 50);
}

// ---- dialogs: the page behind a link, shown above this one

async function openDialog(link) {
  const answer = await fetch(link.href, { headers: { Accept: 'text/html' } });
  const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
  const content = page.querySelector('[data-dialog-content]');
  if (!answer.ok || !content) throw new Error('no dialog');
  const dialog = document.createElement('dialog');
  const title = content.querySelector('h1');
  title.id = 'dialog-title';
  dialog.setAttribute('aria-labelledby', title.id);
  dialog.append(content);
  document.body.append(dialog);
  dialog.addEventListener('close', () => { dialog.remove(); link.focus(); });
  dialog.addEventListener('click', event => {
    if (event.target === dialog || event.target.closest('[data-cancel]')) { event.preventDefault(); dialog.close(); }
  });
  enhance(dialog);
  dialog.showModal();
  (dialog.querySelector('input:not([type=hidden])') ?? dialog.querySelector('[data-cancel]'))?.focus();
}

// ---- the connection check

function watch(region) {
  let last = '';
  const look = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(region.dataset.live, { headers: { Accept: 'text/html' } });
      if (answer.status === 401) return location.reload();
      if (!answer.ok) return;
      const html = await answer.text();
      if (html !== last) region.innerHTML = html;
      const first = region.querySelector('[data-news]')?.dataset.news;
      if (last && first && first !== region.dataset.told) say(region.querySelector('[data-news] strong').textContent);
      region.dataset.told = first ?? '';
      last = html;
      showTimes(region);
    } catch { /* the host restarts, or the network is away: the next look tells */ }
  };
  setInterval(look, 2000);
}

function enhance(root) {
  showTimes(root);
  each(root, '[data-copy], [data-with-script]', element => { element.hidden = false; });
  each(root, '[data-select]', input => input.addEventListener('focus', () => input.select()));
}

document.addEventListener('click', event => {
  const button = event.target.closest('[data-copy]');
  if (button) return void copy(button);
  const link = event.target.closest('a[data-dialog]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !window.HTMLDialogElement) return;
  event.preventDefault();
  openDialog(link).catch(() => { location.href = link.href; });
});
// A page with a key on it is not shown again when somebody goes back.
addEventListener('pageshow', event => {
  if (event.persisted && document.querySelector('[data-secret]')) location.replace('/mcp/keys');
});
enhance(document);
each(document, '[data-live]', watch);
document.querySelector('[data-focus]')?.focus();
setInterval(() => showTimes(document), 15000);
