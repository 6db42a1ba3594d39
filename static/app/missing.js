/** The page for addresses that lead nowhere, in the reader's language. */

import {dress} from './ui/language.js';

void dress();
