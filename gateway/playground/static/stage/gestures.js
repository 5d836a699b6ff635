/** Pointers on the surface: one drags, two pinch and pan. */

/**
 * @typedef {object} Drag what one pointer does until it is let go
 * @property {(event: PointerEvent) => void} move
 * @property {(isCancelled: boolean) => void} [end]
 */

/**
 * @param {HTMLElement} surface
 * @param {import("./view.js").View} view
 * @param {(event: PointerEvent) => Drag} begin what a pointer that was put down does
 */
export function followPointers(surface, view, begin) {
  /** @type {Map<number, PointerEvent>} */
  const down = new Map();
  /** @type {Drag | null} */
  let drag = null;

  surface.addEventListener("pointerdown", (event) => {
    if (view.isEmpty || event.button === 2) return;
    surface.setPointerCapture(event.pointerId);
    down.set(event.pointerId, event);
    if (down.size > 1) drag?.end?.(true);
    drag = down.size > 1 ? null : event.button === 1 ? panning(surface, view, event) : begin(event);
  });
  surface.addEventListener("pointermove", (event) => {
    const last = down.get(event.pointerId);
    if (!last) return;
    if (down.size === 2) pinch(view, last, event, otherThan(down, event.pointerId));
    else drag?.move(event);
    down.set(event.pointerId, event);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    surface.addEventListener(end, (event) => {
      down.delete(event.pointerId);
      drag?.end?.(end === "pointercancel");
      drag = null;
      surface.classList.remove("moving");
    });
  }
}

/**
 * A drag that moves the picture.
 *
 * @param {HTMLElement} surface
 * @param {import("./view.js").View} view
 * @param {PointerEvent} last where the pointer was put down
 * @returns {Drag}
 */
export function panning(surface, view, last) {
  surface.classList.add("moving");
  return {
    move: (event) => {
      view.panBy(event.clientX - last.clientX, event.clientY - last.clientY);
      last = event;
    },
  };
}

/**
 * @param {import("./view.js").View} view
 * @param {PointerEvent} last
 * @param {PointerEvent} now
 * @param {PointerEvent} still the other finger
 */
function pinch(view, last, now, still) {
  const [before, after] = [distance(last, still), distance(now, still)];
  const middle = { clientX: (now.clientX + still.clientX) / 2, clientY: (now.clientY + still.clientY) / 2 };
  view.panBy((now.clientX - last.clientX) / 2, (now.clientY - last.clientY) / 2);
  if (before > 0) view.zoomAt(after / before, middle);
}

function distance(one, other) {
  return Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
}

function otherThan(down, pointerId) {
  for (const [id, event] of down) if (id !== pointerId) return event;
  throw new Error("there is one pointer only");
}
