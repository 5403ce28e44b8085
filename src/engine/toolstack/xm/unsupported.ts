/** Sub-commands of the 3.0 tools that this machine does not have: known by name, refused with a reason. */

const WITHOUT_DEVICES = 'this machine has no network back end yet';
const WITHOUT_CDROM = 'only the medium of an HVM drive could be changed, and there are no HVM guests';
const ONE_SCHEDULER = 'this machine has one scheduler, whose parameters cannot be set';
const NO_SAVING = 'domains cannot be saved, restored or moved yet';
const NO_MANAGED = 'domains that xend keeps while they do not run are not supported';
const NO_POLICY = 'there is no access control module';

export const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ...['save', 'restore', 'migrate', 'dump-core'].map((name) => [name, NO_SAVING] as const),
  ...['network-attach', 'network-detach', 'network-list', 'vtpm-list'].map((name) => [name, WITHOUT_DEVICES] as const),
  ['block-configure', WITHOUT_CDROM],
  ...['vnet-list', 'vnet-create', 'vnet-delete'].map((name) => [name, WITHOUT_DEVICES] as const),
  ...['sched-bvt', 'sched-bvt-ctxallow', 'sched-sedf', 'sched-credit'].map((name) => [name, ONE_SCHEDULER] as const),
  ...['new', 'delete', 'start', 'suspend', 'resume'].map((name) => [name, NO_MANAGED] as const),
  ...[
    'labels',
    'addlabel',
    'rmlabel',
    'getlabel',
    'dry-run',
    'resources',
    'makepolicy',
    'loadpolicy',
    'cfgbootpolicy',
    'dumppolicy',
  ].map((name) => [name, NO_POLICY] as const),
  ['debug-keys', 'the hypervisor has no key handlers yet'],
  ['serve', 'there is no XML-RPC interface'],
  ['shell', 'type xm commands in the shell of domain 0'],
]);
