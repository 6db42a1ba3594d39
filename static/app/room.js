/** Everything inside the door: loaded while the user is still in front of it. */

/** @import {GroupStatus} from '../protocol/types.js' */
/** @import {JoinForm} from './ui/join.js' */

import {pageTitle} from './logic/names.js';
import {LocalMedia} from './media/local.js';
import {Session} from './session.js';
import {settings} from './settings.js';
import {text} from './text/text.js';
import {Captions} from './ui/captions.js';
import {Chat} from './ui/chat.js';
import {Controls} from './ui/controls.js';
import {byId} from './ui/dom.js';
import {showHelp} from './ui/help.js';
import {Invitations} from './ui/invite.js';
import {Bans, Lobby} from './ui/lobby.js';
import {More, chooseFile} from './ui/more.js';
import {announce, clearNotices, notify} from './ui/notices.js';
import {Panels} from './ui/panels.js';
import {People} from './ui/people.js';
import {listenForKeys} from './ui/shortcuts.js';
import {openStatistics} from './ui/statistics.js';
import {Transfers} from './ui/transfers.js';
import {Videos} from './ui/videos.js';

/** More than these make too many notices of who comes and goes. */
const SMALL_MEETING = 12;

/**
 * Makes the meeting and its session; the form is told what becomes of it.
 *
 * @param {GroupStatus} status
 * @param {JoinForm} form
 * @returns {Session}
 */
export function openRoom(status, form) {
    const session = new Session(status);
    const media = new LocalMedia(session);
    new Controls(session, media);
    new Videos(session, media);
    new Captions(session);
    new Transfers(session);
    const invitations = new Invitations(session);
    const bans = new Bans(session);
    const sendFile = async (/** @type {string} */ id) => {
        const file = await chooseFile();
        if (file && session.connection.users[id])
            session.connection.sendFile(id, file);
    };
    const more = new More(session, media, {invite: () => invitations.open()});
    const chat = new Chat(session, showUnread, {
        help: () => showHelp(session),
        statistics: () => openStatistics(session),
        presentFile: () => void more.play(),
        sendFile: (id) => void sendFile(id),
        invite: (wish) => invitations.open(wish),
        listTokens: () => invitations.open(),
        listBans: () => bans.open(),
        tell: (message) => notify(message),
    });
    const panels = new Panels((open) => chat.setOpen(open === 'chat'));
    new Lobby(session, () => panels.show('people'));
    new People(session, {
        message: (id) => {
            panels.show('chat');
            chat.writeTo(id);
        },
        file: (id) => void sendFile(id),
        ban: (id, name) => void bans.ask(id, name),
        bans: () => bans.open(),
        invite: () => invitations.open(),
    });
    listenForKeys(session, {
        '?': () => showHelp(session),
        f: () => void (document.fullscreenElement ? document.exitFullscreen()
            : document.documentElement.requestFullscreen()).catch(() => {}),
        s: () => settings.set('layout', settings.get('layout') === 'grid' ? 'speaker' : 'grid'),
    });

    function showUnread() {
        const badge = byId('chat-badge', HTMLElement);
        badge.textContent = String(chat.unread);
        badge.hidden = chat.unread === 0;
        byId('control-chat', HTMLButtonElement).setAttribute('aria-label', chat.unread
            ? text('chat.new', {n: chat.unread}) : text('chat.none-new'));
        document.title = (chat.unread ? `(${chat.unread}) ` : '') + pageTitle(session.status);
    }

    let inside = false;
    session.on('state', (state) => {
        byId('connection-state', HTMLElement).textContent =
            state === 'reconnecting' ? text('reconnect.lost') : '';
        if (state === 'joining')
            clearNotices();
        const was = inside;
        inside = session.isIn;
        if (state === 'joined' && !was) {
            view('meeting');
            form.setBusy(false);
            panels.show(matchMedia('(min-width: 1100px)').matches ? 'chat' : null);
            byId('meeting-title', HTMLElement).focus();
            if (session.permissions.includes('present'))
                void media.start(form.preview.wantsMicrophone, form.preview.wantsCamera,
                    form.preview.handOver());
            else
                stopAll(form.preview.handOver());
        }
    });
    // What the last status said, once we are in.
    let entered = false;
    let locked = false;
    session.on('reconnected', () => notify(text('reconnect.back')));
    session.on('refused', (refusal) => form.refuse(refusal));
    session.on('waiting', (message) => form.wait(message));
    session.on('redirect', (url) => location.href = url);
    session.on('ended', (message, wanted) => {
        entered = false;
        clearNotices();
        for (const dialog of document.querySelectorAll('dialog'))
            dialog.close();
        view('join');
        form.returned(message, wanted);
    });
    session.on('status', (now) => {
        byId('meeting-title', HTMLElement).textContent = now.displayName || now.name;
        showUnread();
        if (!!now.locked !== locked && entered)
            notify(text(now.locked ? 'action.locked' : 'action.unlocked'));
        locked = !!now.locked;
        entered = true;
    });
    session.on('notice', (message, level) => notify(message, level));
    session.on('mute', (who) => {
        if (media.microphoneOn)
            void media.setMicrophone(false).then(() => notify(text('action.muted', {who})));
    });
    const few = () => Object.keys(session.connection.users).length <= SMALL_MEETING;
    session.on('hand', (who) => notify(text('people.hand', {who})));
    session.on('came', (who) => (few() ? notify : announce)(text('people.joined', {who})));
    session.on('went', (who) => (few() ? notify : announce)(text('people.left', {who})));
    byId('stage-copy', HTMLButtonElement).addEventListener('click', () => void copyLink());
    window.addEventListener('pagehide', () => {
        if (session.isIn)
            session.leave();
    });
    document.addEventListener('visibilitychange', () => {
        if (!document.hidden && chat.open)
            chat.setOpen(true);
    });
    return session;
}

/** @param {MediaStream | null} stream */
function stopAll(stream) {
    for (const track of stream?.getTracks() ?? [])
        track.stop();
}

/** @param {'join' | 'meeting'} name */
function view(name) {
    byId('join', HTMLElement).hidden = name !== 'join';
    byId('meeting', HTMLElement).hidden = name !== 'meeting';
}

/** Copies the address of the group, without the invitation in it. */
async function copyLink() {
    const url = location.origin + location.pathname;
    try {
        await navigator.clipboard.writeText(url);
        notify(text('stage.copied'));
    } catch {
        notify(text('stage.copy-failed', {url}), 'warning');
    }
}
