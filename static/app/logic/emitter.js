/**
 * Tells whoever wants to know. `Events` maps the name of an event to its arguments.
 *
 * @template {Record<string, any[]>} Events
 */
export class Emitter {
    constructor() {
        /** @private @type {Map<keyof Events, ((...args: any[]) => void)[]>} */
        this.listeners = new Map();
    }

    /**
     * @template {keyof Events} K
     * @param {K} event
     * @param {(...args: Events[K]) => void} listener
     */
    on(event, listener) {
        this.listeners.set(event, [...this.listeners.get(event) ?? [], listener]);
    }

    /**
     * @template {keyof Events} K
     * @param {K} event
     * @param {(...args: Events[K]) => void} listener
     */
    off(event, listener) {
        this.listeners.set(event,
            (this.listeners.get(event) ?? []).filter((other) => other !== listener));
    }

    /**
     * @template {keyof Events} K
     * @param {K} event
     * @param {Events[K]} args
     */
    emit(event, ...args) {
        for (const listener of this.listeners.get(event) ?? [])
            listener(...args);
    }
}
