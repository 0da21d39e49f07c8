/** Doors of engines for programs on this machine: a connection that is upgraded, with an order first and records after it. */
export const doorPath = '/api/v1/doors';
export const doorProtocol = 'bmonitor-records';
