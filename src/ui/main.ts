import { startDom0 } from './machine/dom0-connection.ts';
import { startPage } from './start-page.ts';

startPage(startDom0);
