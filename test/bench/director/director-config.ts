/** The settings of Dovecot's own director, and of the Backends behind it. */
import { PORTS } from '../../../lab/mail/hosts.mjs';
import { commonConfig, type DovecotHost } from '../../../lab/mail/dovecot-config.mjs';

export const DIRECTOR_PORT = 9090;
export const DIRECTOR_DOVEADM_PORT = 9091;

export interface RingConfig {
  readonly directors: readonly string[];
  readonly backends: readonly string[];
  /** Seconds for which a moved user's new logins are held after the kick; Dovecot's default is 2. */
  readonly kickDelaySecs: number;
}

/** dovecot.conf of a proxy of the ring. */
export function directorConfig(host: DovecotHost, ring: RingConfig): string {
  return `${commonConfig(host)}
lmtp_proxy = yes
login_proxy_timeout = 5s
login_proxy_max_reconnects = 0
passdb {
  driver = static
  args = proxy=y nopassword=y port=%{if;%s;eq;lmtp;${PORTS.lmtp};${PORTS.imap}}
}
director_servers = ${ring.directors.join(' ')}
director_mail_servers = ${ring.backends.join(' ')}
director_user_kick_delay = ${ring.kickDelaySecs}s
service imap-login {
  executable = imap-login director
  process_min_avail = 2
  process_limit = 2
}
service director {
  chroot =
  unix_listener login/director {
    mode = 0600
  }
  fifo_listener login/proxy-notify {
    mode = 0600
  }
  unix_listener director-userdb {
    mode = 0600
  }
  inet_listener {
    port = ${DIRECTOR_PORT}
  }
  inet_listener director-doveadm {
    port = ${DIRECTOR_DOVEADM_PORT}
  }
}
protocol lmtp {
  auth_socket_path = director-userdb
}
`;
}
