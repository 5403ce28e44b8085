/** F6 and Shift+F6 go round the parts of the page, also out of a terminal, which takes all other keys. */

export interface Region {
  readonly element: HTMLElement;
  readonly focus: () => void;
}

export function cycleRegions(regions: readonly Region[]): void {
  document.addEventListener(
    'keydown',
    (event) => {
      if (event.key !== 'F6' || event.ctrlKey || event.altKey || event.metaKey) return;
      // A dialog keeps the keyboard.
      if (document.querySelector('dialog[open]') !== null) return;
      event.preventDefault();
      const current = regions.findIndex((region) => region.element.contains(document.activeElement));
      const step = event.shiftKey ? regions.length - 1 : 1;
      regions[(Math.max(current, 0) + step) % regions.length]?.focus();
    },
    { capture: true },
  );
}
