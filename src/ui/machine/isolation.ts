/**
 * Where the host does not send the isolation headers, a service worker can add them; the page must then be loaded once more.
 */
const TRIED = 'webxen-isolation-tried';

/** Resolves with true when the page is about to be loaded again; false when it is isolated, or cannot become so. */
export async function becomeIsolated(): Promise<boolean> {
  if (globalThis.crossOriginIsolated) {
    sessionStorage.removeItem(TRIED);
    return false;
  }
  if (!globalThis.isSecureContext || !('serviceWorker' in navigator) || sessionStorage.getItem(TRIED) !== null) return false;
  try {
    const registration = await navigator.serviceWorker.register(new URL('isolation-worker.js', document.baseURI));
    await activated(registration);
  } catch {
    return false;
  }
  // Only once: if it does not help, the page says what is missing instead of loading for ever.
  sessionStorage.setItem(TRIED, 'yes');
  location.reload();
  return true;
}

function activated(registration: ServiceWorkerRegistration): Promise<void> {
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  if (worker === null || worker.state === 'activated') return Promise.resolve();
  return new Promise((resolve, reject) => {
    worker.addEventListener('statechange', () => {
      if (worker.state === 'activated') resolve();
      if (worker.state === 'redundant') reject(new Error('the service worker was not accepted'));
    });
  });
}
