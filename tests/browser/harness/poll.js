/** Waiting for what is to come, with a deadline instead of a hope. */

import {setTimeout as sleep} from 'node:timers/promises';

/**
 * Asks again and again until the answer is truthy.
 *
 * @template T
 * @param {string} what Is waited for, for the message.
 * @param {() => Promise<T> | T} ask
 * @param {number} [deadline] ms
 * @returns {Promise<NonNullable<T>>}
 */
export async function until(what, ask, deadline = 60_000) {
    const end = performance.now() + deadline;
    /** @type {unknown} */
    let last;
    for (;;) {
        try {
            const answer = await ask();
            if (answer)
                return answer;
            last = answer;
        } catch (error) {
            last = error;
        }
        if (performance.now() > end)
            throw new Error(`after ${deadline} ms still no ${what}`, {cause: last});
        await sleep(50);
    }
}
