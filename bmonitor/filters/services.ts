/** A well-known service as protocol and ports. */
export interface ServiceEntry {
  readonly protocol: 'tcp' | 'udp';
  readonly ports: readonly (readonly [lo: number, hi: number])[];
}

const tcp = (...ports: (number | [number, number])[]): ServiceEntry => ({
  protocol: 'tcp',
  ports: ports.map((port) => (typeof port === 'number' ? [port, port] : port)),
});
const udp = (...ports: (number | [number, number])[]): ServiceEntry => ({
  ...tcp(...ports),
  protocol: 'udp',
});

/** The shorthands of `service`. What is inside the packets is not judged. */
export const services: ReadonlyMap<string, readonly ServiceEntry[]> = new Map([
  ['amqp', [tcp(5672)]],
  ['amqps', [tcp(5671)]],
  ['bgp', [tcp(179)]],
  ['dhcp', [udp(67)]],
  ['dhcpv6', [udp(547)]],
  ['dns', [tcp(53), udp(53)]],
  ['dns-over-tls', [tcp(853)]],
  ['elasticsearch', [tcp(9200)]],
  ['etcd', [tcp([2379, 2380])]],
  ['ftp', [tcp(21)]],
  ['git', [tcp(9418)]],
  ['http', [tcp(80)]],
  ['http3', [udp(443)]],
  ['https', [tcp(443)]],
  ['imap', [tcp(143)]],
  ['imaps', [tcp(993)]],
  ['ipsec', [udp(500, 4500)]],
  ['iscsi', [tcp(3260)]],
  ['kerberos', [tcp(88), udp(88)]],
  ['kubernetes-api', [tcp(6443)]],
  ['ldap', [tcp(389)]],
  ['ldaps', [tcp(636)]],
  ['mdns', [udp(5353)]],
  ['memcached', [tcp(11211)]],
  ['mongodb', [tcp(27017)]],
  ['mqtt', [tcp(1883)]],
  ['mqtts', [tcp(8883)]],
  ['mysql', [tcp(3306)]],
  ['nfs', [tcp(2049)]],
  ['ntp', [udp(123)]],
  ['openvpn', [udp(1194)]],
  ['pop3', [tcp(110)]],
  ['pop3s', [tcp(995)]],
  ['postgresql', [tcp(5432)]],
  ['prometheus', [tcp(9090)]],
  ['rdp', [tcp(3389)]],
  ['redis', [tcp(6379)]],
  ['rsync', [tcp(873)]],
  ['smb', [tcp(445)]],
  ['smtp', [tcp(25)]],
  ['smtps', [tcp(465)]],
  ['snmp', [udp(161)]],
  ['snmptrap', [udp(162)]],
  ['ssh', [tcp(22)]],
  ['submission', [tcp(587)]],
  ['syslog', [udp(514)]],
  ['syslog-tls', [tcp(6514)]],
  ['telnet', [tcp(23)]],
  ['tftp', [udp(69)]],
  ['vnc', [tcp([5900, 5999])]],
  ['wireguard', [udp(51820)]],
]);
