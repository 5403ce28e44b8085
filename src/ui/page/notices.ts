/** Short messages at the edge of the page: read out by screen readers, gone after a while; errors stay until dismissed. */
import { button, byId, element } from './dom.ts';

const SHOWN_MS = 6000;

export type NoticeKind = 'note' | 'error';

/** @param link stands behind the text; such a note stays until it is dismissed */
export function notify(text: string, kind: NoticeKind = 'note', link?: HTMLAnchorElement): void {
  const notice = element('div', { class: `notice ${kind}` }, element('p', {}, text, ...(link === undefined ? [] : [' ', link])));
  const dismiss = button('Dismiss', () => {
    notice.remove();
  });
  notice.append(dismiss);
  byId(kind === 'error' ? 'alerts' : 'notices').append(notice);
  if (kind === 'note' && link === undefined) {
    setTimeout(() => {
      notice.remove();
    }, SHOWN_MS);
  }
}

export function notifyError(what: string, error: unknown): void {
  notify(`${what}: ${error instanceof Error ? error.message : String(error)}`, 'error');
}
