/** What can be typed and pressed. */

/** @import {Session} from '../session.js' */

import {commandsFor} from '../logic/commands.js';
import {text} from '../text/text.js';
import {openDialog} from './dialog.js';
import {h} from './dom.js';

/** @param {Session} session */
export function showHelp(session) {
    /** @param {[string, string][]} entries */
    const list = (entries) => h('dl', {class: 'shortcuts'}, ...entries.flatMap(([term, words]) =>
        [h('dt', {}, h('kbd', {dir: 'ltr'}, term)), h('dd', {}, words)]));
    openDialog(text('help.title'),
        h('h3', {}, text('help.keys')),
        list([
            ['M', text('help.key.mic')], ['V', text('help.key.cam')], ['H', text('help.key.hand')],
            ['C', text('chat.title')], ['P', text('people.title')], ['F', text('more.full')],
            ['S', text('more.speaker')], ['?', text('help.title')],
        ]),
        h('h3', {}, text('help.commands')),
        list(commandsFor(session.permissions).map(({name, parameters, help}) =>
            [`/${name}${parameters ? ` ${parameters}` : ''}`, text(help)])));
}
