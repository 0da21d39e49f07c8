/** Each route of the API with the command that calls it, first of both consoles; a route that no command calls says why. */
export const sharedRoutes = `
POST /api/v1/login-links                              open
POST /api/v1/session                                  - the page alone has sessions; programs have tokens
GET /api/v1/session                                   - as above
DELETE /api/v1/session                                - as above
GET /api/v1/nodes                                     nodes list
POST /api/v1/nodes                                    nodes add
GET /api/v1/nodes/{name}                              nodes show
DELETE /api/v1/nodes/{name}                           nodes remove
GET /api/v1/nodes/{name}/card                         nodes card
GET /api/v1/nodes/{name}/events                       nodes events
GET /api/v1/nodes/{name}/history                      nodes history
POST /api/v1/nodes/{name}/history/trim                nodes trim-history
POST /api/v1/nodes/{name}/status                      nodes status
GET /api/v1/nodes-events                              nodes list
POST /api/v1/nodes/{name}/blindness                   keys prove
POST /api/v1/nodes/{name}/measurement                 nodes measurement
GET /api/v1/nodes/{name}/keys                         keys show
POST /api/v1/nodes/{name}/keys/make                   keys make
POST /api/v1/nodes/{name}/keys/rotate                 keys rotate
POST /api/v1/nodes/{name}/keys/consent                keys consent
POST /api/v1/nodes/{name}/keys/share                  keys share
GET /api/v1/nodes/{name}/keys/jobs                    keys jobs
POST /api/v1/nodes/{name}/keys/cancel                 keys cancel
POST /api/v1/nodes/{name}/keys/unlock                 keys unlock
GET /api/v1/nodes/{name}/roster                       roster show
POST /api/v1/nodes/{name}/roster/consoles             roster add
DELETE /api/v1/nodes/{name}/roster/consoles/{key}     roster remove
PUT /api/v1/nodes/{name}/roster/labels                roster label
GET /api/v1/key/rotation                              key rotate
POST /api/v1/key/rotation                             key rotate
DELETE /api/v1/key/rotation                           key rotate
POST /api/v1/key/rotation/leave                       key rotate
GET /api/v1/nodes/{name}/filters                      filters show
PUT /api/v1/nodes/{name}/filters                      filters apply
GET /api/v1/nodes/{name}/filters/above                filters edit
POST /api/v1/nodes/{name}/filters/confirm             filters confirm
POST /api/v1/nodes/{name}/filters/undo                filters undo
POST /api/v1/nodes/{name}/filters/change              filters add
GET /api/v1/nodes/{name}/filters/counters             filters counters
POST /api/v1/nodes/{name}/filters/probe               filters probe
GET /api/v1/groups                                    groups list
PUT /api/v1/groups/{name}                             groups set
DELETE /api/v1/groups/{name}                          groups forget
POST /api/v1/filters/check                            filters check
POST /api/v1/filters/difference                       filters diff
POST /api/v1/filters/apply                            filters apply-all
GET /api/v1/audit                                     audit list
GET /metrics                                          - for Prometheus
GET /healthz                                          - for who supervises the daemon
GET /readyz                                           - as above
GET /api/v1/openapi.json                              - says what is in this table to programs
GET /api/v1/nodes/{name}/levels                       {leases} show
GET /api/v1/customers                                 customers list
PUT /api/v1/customers/{name}                          customers set
PUT /api/v1/customers/{name}/guests                   customers admit
GET /api/v1/hand-overs/{customer}                     {leases} hand-over
GET /api/v1/{leases}                                  {leases} list
POST /api/v1/{leases}                                 {leases} grant
POST /api/v1/{leases}/{lease}/extend                  {leases} extend
POST /api/v1/{leases}/{lease}/end                     {leases} end
POST /api/v1/{leases}/{lease}/replace                 {leases} new-pair
GET /api/v1/{leases}/{lease}/receipts                 {leases} receipts
GET /api/v1/held-leases                               {held} {taken}
POST /api/v1/held-leases                              {held} take
GET /api/v1/held-leases/{name}/receipts               {held} receipts-of
POST /api/v1/held-leases/{name}/end                   {held} give-back
`;

export const appRoutes = `
GET /api/v1/engines                                   engines list
GET /api/v1/engines/{name}                            engines show
PUT /api/v1/engines/{name}                            dev
DELETE /api/v1/engines/{name}                         engines remove
POST /api/v1/images                                   engines deploy
GET /api/v1/images                                    engines images
POST /api/v1/engines/{name}/{act}                     engines start, stop, kill, restart, reload, pause, resume
POST /api/v1/engines/{name}/questions                 engines ask
POST /api/v1/rolls                                    engines deploy
GET /api/v1/rolls/{id}                                engines deploy
GET /api/v1/engines/{name}/logs                       engines logs
POST /api/v1/scalings/plan                            engines scale
POST /api/v1/scalings                                 engines scale
GET /api/v1/scalings/{id}                             engines scale
GET /api/v1/folders                                   engines folders
DELETE /api/v1/folders/{name}                         engines remove-folder
GET /api/v1/engine-secrets                            engines secrets list
PUT /api/v1/engine-secrets/{name}                     engines secrets set
DELETE /api/v1/engine-secrets/{name}                  engines secrets remove
GET /api/v1/past                                      history
POST /api/v1/past                                     history
`;

export const clusterRoutes = `
POST /api/v1/login                                    - people log in at the page
POST /api/v1/login/second                             - as above
POST /api/v1/invitation                               - an invitation is opened at the page
POST /api/v1/invitation/accept                        - as above
GET /api/v1/account                                   - everybody's own account, at the page
POST /api/v1/account/password                         - as above
POST /api/v1/account/passkeys/begin                   - as above; a browser makes the passkey
POST /api/v1/account/passkeys                         - as above
DELETE /api/v1/account/passkeys/{id}                  - as above
GET /api/v1/accounts                                  accounts list
POST /api/v1/accounts                                 accounts invite
PUT /api/v1/accounts/{name}                           accounts role
DELETE /api/v1/accounts/{name}                        accounts close
POST /api/v1/accounts/{name}/reset                    accounts reset
GET /api/v1/tokens                                    tokens list
POST /api/v1/tokens                                   tokens make
DELETE /api/v1/tokens/{name}                          tokens revoke
GET /api/v1/clusters                                  clusters list
PUT /api/v1/clusters/{name}                           clusters set
DELETE /api/v1/clusters/{name}                        clusters dissolve
GET /api/v1/exceptions                                exceptions list
POST /api/v1/exceptions                               exceptions allow
DELETE /api/v1/exceptions/{id}                        exceptions end
GET /api/v1/boundaries                                boundaries list
GET /api/v1/boundaries/{name}                         boundaries show
POST /api/v1/boundaries/{name}/push                   boundaries push
GET /api/v1/talks                                     boundaries picture
GET /api/v1/gateway                                   gateway show
GET /api/v1/dhcp                                      dhcp leases, waiting
PUT /api/v1/dhcp/pools/{name}                         dhcp pool
PUT /api/v1/dhcp/machines/{mac}                       dhcp fix, admit
DELETE /api/v1/dhcp/machines/{mac}                    dhcp forget
GET /api/v1/adoption                                  adoption list
POST /api/v1/adoption/{id}/begin                      adoption accept
POST /api/v1/adoption/{id}/accept                     adoption accept
GET /api/v1/nodes/{name}/inventory                    nodes inventory
PUT /api/v1/nodes/{name}/place                        nodes place
POST /api/v1/nodes/{name}/retire                      nodes retire
GET /api/v1/retired                                   nodes retired
GET /api/v1/sales                                     nodes sold
POST /api/v1/nodes/{name}/sell                        nodes sell
GET /api/v1/sales/{name}                              nodes sold, sell
POST /api/v1/purchases                                nodes buy
POST /api/v1/nodes/{name}/power                       hardware reboot, power-off, suspend
POST /api/v1/nodes/{name}/light                       hardware light
GET /api/v1/nodes/{name}/health                       hardware health
GET /api/v1/nodes/{name}/jobs                         hardware jobs
PUT /api/v1/nodes/{name}/quarantine                   quarantine on, off
PUT /api/v1/nodes/{name}/ways                         ways set
POST /api/v1/nodes/{name}/ways/confirm                ways confirm
GET /api/v1/nodes/{name}/controller                   hardware controller show
PUT /api/v1/nodes/{name}/controller                   hardware controller set
DELETE /api/v1/nodes/{name}/controller                hardware controller forget
POST /api/v1/nodes/{name}/out-of-band                 hardware power
POST /api/v1/nodes/{name}/wake                        hardware wake
`;

/** Commands that call no route of their own: they act on files, beside the daemon, or put others together. */
export const withoutRoute: Readonly<Record<string, string>> = {
  init: 'there is no daemon yet',
  run: 'it is the daemon',
  completion: 'a script for a shell',
  'key show': 'the file of the key',
  'key backup': 'the file of the key',
  'key restore': 'the file of the key',
  'key passphrase': 'the file of the key',
  'key keep': 'a store of the operating system',
  'key forget': 'a store of the operating system',
  'filters try': 'the proof runs in the command, over filters check and a capture that stays on this machine',
  'filters remove': 'filters change, as filters add',
  'audit export': 'the audit, all of it',
  'engines exec': 'a door, which is a WebSocket',
  'engines attach': 'a door',
  'engines forward': 'a door',
  'gateway address': 'the configuration',
  redundancy: 'there only where a store is shared',
  'store init': 'another daemon',
  'store run': 'another daemon',
  'store address': 'another daemon',
  twin: 'the files of the console',
};
