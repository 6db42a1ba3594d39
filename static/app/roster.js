/** @import {Session} from './session.js' */

import {displayName} from './logic/names.js';

/** Those who were there when we came are told of within this time, ms. */
const SETTLING = 1000;

/** Tells of who comes, goes and raises a hand. */
export class Roster {
    /** @param {Session} session */
    constructor(session) {
        this.session = session;
        /** @type {Record<string, string>} */
        this.names = {};
        /** Who has raised a hand. @type {Set<string>} */
        this.hands = new Set();
        /** Everybody who was there when we came has been told of. */
        this.settled = false;
    }

    /** We have just come in. */
    begin() {
        this.settled = false;
        setTimeout(() => this.settled = true, SETTLING);
    }

    /** @param {string} id @param {'add' | 'change' | 'delete'} kind */
    changed(id, kind) {
        const {session} = this;
        const sc = session.connection;
        if (kind === 'delete') {
            if (session.state === 'joined' && id !== sc.id
                && sc.socket?.readyState === WebSocket.OPEN)
                session.emit('went', displayName(this.names[id]));
            delete this.names[id];
            this.hands.delete(id);
        } else {
            this.names[id] = sc.users[id]?.username ?? '';
            const raised = !!sc.users[id]?.data['raisehand'];
            if (raised && !this.hands.has(id) && id !== sc.id && this.settled)
                session.emit('hand', displayName(this.names[id]));
            this.hands[raised ? 'add' : 'delete'](id);
            if (kind === 'add' && this.settled && id !== sc.id)
                session.emit('came', displayName(this.names[id]));
        }
        session.emit('people');
    }
}
