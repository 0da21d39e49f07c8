/** Three programs that the world knows, as engines: what is in their images beside Debian's own files. */
export interface ImageRecipe {
  /** Debian packages whose files are in the image; the libraries they need come by themselves. */
  readonly packages: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly folders: readonly string[];
  readonly command: readonly string[];
}

export const imageNames = ['web', 'balancer', 'cache'] as const;
export type ImageName = (typeof imageNames)[number];

const accounts = {
  'etc/passwd': ['root:x:0:0::/:/usr/sbin/nologin', 'daemon:x:33:33::/:/usr/sbin/nologin', ''].join('\n'),
  'etc/group': ['root:x:0:', 'daemon:x:33:', ''].join('\n'),
};

export const recipes: Readonly<Record<ImageName, ImageRecipe>> = {
  web: {
    packages: ['nginx'],
    folders: ['var/lib/nginx', 'var/log/nginx', 'run', 'tmp'],
    files: {
      ...accounts,
      // It says which engine it is: the name of the engine is the name of its host.
      'etc/nginx/nginx.conf': `daemon off;
user daemon;
worker_processes 1;
error_log stderr;
pid /run/nginx.pid;
events { worker_connections 256; }
http {
  access_log off;
  server {
    # Two of them on one node have a port each.
    listen 8081;
    listen 8082;
    default_type text/plain;
    location / { return 200 "this is $hostname\\n"; }
  }
}
`,
    },
    command: ['/usr/sbin/nginx', '-c', '/etc/nginx/nginx.conf'],
  },
  balancer: {
    packages: ['haproxy'],
    folders: ['run', 'tmp', 'var/lib/haproxy'],
    files: {
      ...accounts,
      // Who stands behind it is told by variables of the engine.
      'etc/haproxy/haproxy.cfg': `global
  log stdout format raw local0 notice
  maxconn 256
  user daemon
  group daemon
defaults
  mode http
  log global
  timeout connect 2s
  timeout client 10s
  timeout server 10s
frontend all
  bind :80
  default_backend webs
backend webs
  balance roundrobin
  server one "\${WEB_ONE}" check inter 1s
  server two "\${WEB_TWO}" check inter 1s
`,
    },
    command: ['/usr/sbin/haproxy', '-db', '-f', '/etc/haproxy/haproxy.cfg'],
  },
  cache: {
    packages: ['redis-server', 'redis-tools'],
    folders: ['data', 'run', 'tmp'],
    files: {
      ...accounts,
      'etc/redis/redis.conf': `bind 0.0.0.0
protected-mode no
port 6379
dir /data
save ""
appendonly yes
maxmemory 32mb
maxmemory-policy allkeys-lru
`,
    },
    command: ['/usr/bin/redis-server', '/etc/redis/redis.conf'],
  },
};
