/** The messages of a meeting, in order. */

/**
 * @typedef {object} ChatMessage
 * @property {string} id Empty if the server gave none.
 * @property {string} source The client id of who wrote it; empty for the server.
 * @property {string} dest The client id of who it is for; empty for all.
 * @property {string} username
 * @property {Date} time
 * @property {boolean} privileged
 * @property {boolean} history It was there before we came.
 * @property {'' | 'me'} kind
 * @property {string} message
 * @property {boolean} joined It continues the message before it: same author, soon after.
 */

/** Messages that follow within this time are shown as one, ms. */
const TOGETHER = 4 * 60_000;
/** So many are kept. */
const KEPT = 1000;

export class ChatLog {
    constructor() {
        /** @type {ChatMessage[]} */
        this.messages = [];
    }

    /**
     * @param {Omit<ChatMessage, 'joined'>} message
     * @returns {ChatMessage | null} Null if it is there already, as after joining again.
     */
    add(message) {
        if (message.id && message.history && this.messages.some(({id}) => id === message.id))
            return null;
        const last = this.messages.at(-1);
        const joined = !!last && last.kind === '' && message.kind === ''
            && last.source === message.source && last.username === message.username
            && last.dest === message.dest
            && Math.abs(message.time.getTime() - last.time.getTime()) < TOGETHER;
        const added = {...message, joined};
        this.messages.push(added);
        if (this.messages.length > KEPT)
            this.messages.shift();
        return added;
    }

    /**
     * Forgets all messages, those of one user, or one of theirs.
     *
     * @param {string | undefined} id
     * @param {string | undefined} userId
     */
    clear(id, userId) {
        this.messages = this.messages.filter((message) => (userId && message.source !== userId)
            || (id && message.id !== id));
    }
}
