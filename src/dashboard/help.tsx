/**
 * The list of keys, in a dialog of the browser's own: it takes the focus, Escape closes it, and the focus goes back.
 * Bad case: a screen reader reads the keys as they are written, e.g. the arrows by their names.
 */
import { useEffect, useRef } from "react";
import { useCell } from "./cell.ts";
import { KEYS } from "./keyboard.ts";
import { isHelpOpen } from "./view_state.ts";

/** The dialog; closed until asked for. */
export function Help() {
  const isOpen = useCell(isHelpOpen);
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (isOpen) {
      ref.current?.showModal();
    } else {
      ref.current?.close();
    }
  }, [isOpen]);
  const close = () => isHelpOpen.set(false);
  return (
    <dialog className="help" ref={ref} onClose={close} aria-labelledby="help_title">
      <h2 id="help_title">Keys</h2>
      <dl>
        {KEYS.map(([keys, meaning]) => (
          <div key={keys}>
            <dt>
              {keys.split(" ").map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <h2>What the colours say</h2>
      <p>
        Green and red are bids and asks. Amber is trouble: a book that is not synced is greyed, says why and since when,
        and is left out of comparisons, charts and heat maps.
      </p>
      <button type="button" onClick={close}>
        Close
      </button>
    </dialog>
  );
}
